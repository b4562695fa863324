"""Schedules, optimizers, checkpoints and the fit itself."""
