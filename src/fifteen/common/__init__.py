"""Errors, files, git and DVC. Nothing here decides a number."""
