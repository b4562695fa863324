"""How far apart the members of an ensemble are in weight space."""

from collections.abc import Sequence

import keras
import numpy as np


def weight_distances(networks: Sequence[keras.Model]) -> np.ndarray:
    """The Euclidean distance of each two networks, in multiples of the length of a weight vector.

    The vectors hold all trainable weights. The length is the geometric mean of the two, so that
    vectors at a right angle and of equal length are √2 apart.

    Args:
        networks: M of the same architecture.

    Returns:
        (M, M), 0 with itself.
    """
    vectors = np.stack(
        [np.concatenate([np.ravel(v) for v in network.trainable_variables]) for network in networks]
    ).astype(np.float64)
    products = vectors @ vectors.T
    squares = np.diag(products)
    distances = np.sqrt(np.maximum(squares[:, None] + squares - 2 * products, 0))
    return distances / np.sqrt(np.sqrt(squares[:, None] * squares))
