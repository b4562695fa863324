"""Ensembles: combination rules, weights of the members, the exported model."""

from fifteen.common import engines  # noqa: F401 - before anything that imports TensorFlow
