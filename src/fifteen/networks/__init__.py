"""Functions that build networks, one file per family."""
