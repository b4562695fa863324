"""Errors, files, git and DVC: what carries numbers and never decides them."""
