"""Distances between the members of an ensemble in weight space."""

from collections.abc import Sequence

import keras
import numpy as np


def weight_distances(networks: Sequence[keras.Model]) -> np.ndarray:
    """The Euclidean distance of each pair of networks, relative to the norm of their weights.

    (M, M) for M networks of one architecture. The norm is the geometric mean of the two; orthogonal
    weight vectors of equal norm are √2 apart.
    """
    vectors = np.stack(
        [np.concatenate([np.ravel(v) for v in network.trainable_variables]) for network in networks]
    ).astype(np.float64)
    products = vectors @ vectors.T
    squares = np.diag(products)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    return distances / np.sqrt(np.sqrt(squares[:, None] * squares))
