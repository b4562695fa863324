"""Schedules, optimizers, losses and the resumable training."""

from fifteen.common import engines  # noqa: F401 - before anything that imports TensorFlow
