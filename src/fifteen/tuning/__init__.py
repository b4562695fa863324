"""The search for hyperparameters."""

from fifteen.common import engines  # noqa: F401 - before anything that imports TensorFlow
