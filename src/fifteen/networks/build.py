"""The networks that params.yaml can name."""

from collections.abc import Callable

from fifteen.networks.baseline import baseline
from fifteen.networks.convnet import convnet
from fifteen.networks.refined import refined
from fifteen.networks.swift import swift
from fifteen.params.sections import Network

import keras
import numpy as np

NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "baseline": baseline,
    "convnet": convnet,
    "refined": refined,
}


def build_network(config: Network, classes: int, images: np.ndarray) -> keras.Model:
    """A new network as `config` describes it, with initial weights.

    Args:
        config: its name and options.
        classes: number of classes, at least 2.
        images: raw training images (N, height, width, 3), 0–255; `swift` whitens with them.
    """
    options = config.model_dump(exclude={"name"})
    if config.name == "swift":
        return swift(classes, images, **options)
    return NETWORKS[config.name](classes, **options)
