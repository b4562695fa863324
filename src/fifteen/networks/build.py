"""The networks that params.yaml can name."""

from fifteen.networks.baseline import baseline
from fifteen.networks.convnet import convnet
from fifteen.networks.refined import refined
from fifteen.networks.swift import swift
from fifteen.params.sections import Network

import keras
import numpy as np

NETWORKS = {"baseline": baseline, "convnet": convnet, "refined": refined}


def build_network(config: Network, classes: int, images: np.ndarray) -> keras.Model:
    """A new network as `config` describes it, with freshly initialised weights.

    Args:
        config: its name and options.
        classes: number of classes, at least 2.
        images: raw training images, for what a network computes from them before it learns.
    """
    options = config.model_dump(exclude={"name"})
    if config.name == "swift":
        return swift(classes, images, **options)
    return NETWORKS[config.name](classes, **options)
