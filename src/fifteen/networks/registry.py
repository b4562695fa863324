"""The networks that params.yaml can name."""

from fifteen.networks.baseline import baseline
from fifteen.networks.refined import refined

import keras

NETWORKS = {"baseline": baseline, "refined": refined}


def build_network(name: str, classes: int) -> keras.Model:
    """A new network of the family `name` with freshly initialised weights."""
    return NETWORKS[name](classes)
