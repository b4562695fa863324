"""Calibration: does a model that says 80 % turn out to be right in 80 % of the cases?"""

from typing import NamedTuple

import numpy as np


class Reliability(NamedTuple):
    """What a reliability diagram shows, one entry per confidence bin, each array of shape (bins,).

    Attributes:
        count: Images in the bin, int64.
        confidence: Mean top-1 probability of these images in [0, 1], NaN where the bin is empty.
        accuracy: Share of these images classified right in [0, 1], NaN where the bin is empty.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> Reliability:
    """Group images by the confidence of their top-1 class.

    Bin m = 1..M holds the confidences in ((m - 1)/M, m/M], as in Guo et al., "On Calibration of
    Modern Neural Networks" (ICML 2017), section 2.

    Args:
        probabilities: Class probabilities, shape (N, C), in [0, 1].
        labels: True class ids, shape (N,), in [0, C).
        bins: Number of equal-width bins M.

    Returns:
        Count, mean confidence and accuracy of each bin.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    # Inner edges as the nearest number of the probabilities' own precision: a float32 0.2 (the
    # share of one vote in five) is a little over the float64 0.2 and must not slip past that edge.
    edges = (np.arange(1, bins) / bins).astype(confidence.dtype)
    bin_of = np.digitize(confidence, edges, right=True)
    count = np.bincount(bin_of, minlength=bins)

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.bincount(bin_of, weights=values, minlength=bins)
        return np.divide(total, count, out=np.full(bins, np.nan), where=count > 0)

    return Reliability(count, mean(confidence), mean(correct))


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> float:
    """Average gap between confidence and accuracy: equation 3 of Guo et al. (ICML 2017).

    ECE = sum over bins of (images in the bin / N) * |accuracy - mean confidence|.

    Args:
        probabilities: Class probabilities, shape (N, C), in [0, 1], N > 0.
        labels: True class ids, shape (N,), in [0, C).
        bins: Number of equal-width bins.

    Returns:
        The error in [0, 1]; 0 is perfect calibration.
    """
    count, confidence, accuracy = reliability(probabilities, labels, bins)
    filled = count > 0
    return float(np.average(np.abs(accuracy - confidence)[filled], weights=count[filled]))
