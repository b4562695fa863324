"""Schedules, optimizers, losses and the resumable training."""
