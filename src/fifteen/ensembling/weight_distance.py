"""Distances between the members of an ensemble in weight space."""

from collections.abc import Sequence

import keras
import numpy as np


def weight_distances(networks: Sequence[keras.Model]) -> np.ndarray:
    """The Euclidean distance of each pair of networks, relative to the norm of their weights.

    The norm is the geometric mean of the two. Orthogonal weight vectors of equal norm are √2 apart.

    Args:
        networks: M of the same architecture.

    Returns:
        (M, M), with zeros on the diagonal.
    """
    vectors = np.stack(
        [np.concatenate([np.ravel(v) for v in network.trainable_variables]) for network in networks]
    ).astype(np.float64)
    products = vectors @ vectors.T
    squares = np.diag(products)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    return distances / np.sqrt(np.sqrt(squares[:, None] * squares))
