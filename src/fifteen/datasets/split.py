"""Splitting a data set by percent ranges."""

from collections.abc import Sequence

import numpy as np


def part_indices(ranges: Sequence[Sequence[float]], images: int) -> np.ndarray:
    """The positions of the images in `ranges`, pairs of [start, end) in percent, ascending.

    A boundary is rounded to the closest image, as in TensorFlow Datasets: [[0, 35], [45, 100]] is
    exactly `train[:35%]+train[-55%:]`.
    """
    bounds = [(round(start * images / 100), round(end * images / 100)) for start, end in ranges]
    return np.concatenate([np.arange(start, end) for start, end in sorted(bounds)])
