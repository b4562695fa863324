"""Prepared images on disk, and the input pipeline that feeds a network."""
