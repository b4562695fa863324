"""Combination rules and the exported ensemble model."""
