"""Test-time augmentation: averaging the predictions for several views of an image."""

from collections.abc import Callable

import numpy as np


def predict_views(
    predict: Callable[[np.ndarray], np.ndarray], images: np.ndarray, mirrored: bool = True
) -> np.ndarray:
    """The mean probabilities for six views of each image, or for three without mirroring.

    ½ g(x) + ¼ g(x₊₁) + ¼ g(x₋₁) with g(x) = ½ (f(x) + f(mirrored x)). Here x₊₁ and x₋₁ are the
    image shifted by one pixel, up and left or down and right, with reflected edges (Jordan 2024,
    arXiv:2404.00498, §3.5, with mirrored shifts).

    Args:
        predict: the function f from images to probabilities (N, classes).
        images: (N, height, width, channels).
        mirrored: whether mirrored images keep their class; if not, g(x) = f(x).
    """

    def with_mirror(view: np.ndarray) -> np.ndarray:
        if not mirrored:
            return predict(view)
        return (predict(view) + predict(view[:, :, ::-1])) / 2

    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect")
    shifted = with_mirror(padded[:, 2:, 2:]) + with_mirror(padded[:, :-2, :-2])
    return with_mirror(images) / 2 + shifted / 4
