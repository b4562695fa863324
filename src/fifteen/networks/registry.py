"""The networks that params.yaml can name."""

from fifteen.config import Network
from fifteen.networks.baseline import baseline
from fifteen.networks.convnet import convnet
from fifteen.networks.refined import refined

import keras

NETWORKS = {"baseline": baseline, "convnet": convnet, "refined": refined}


def build_network(config: Network, classes: int) -> keras.Model:
    """A new network as `config` describes it, with freshly initialised weights."""
    return NETWORKS[config.name](classes, **config.model_dump(exclude={"name"}))
