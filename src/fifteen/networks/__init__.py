"""Functions that build networks, one file per family."""

from fifteen.common import engines  # noqa: F401 - before anything that imports TensorFlow
