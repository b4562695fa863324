"""Calibration: is a model that says 80 % right in 80 % of the cases?

`probabilities` have the shape (N, C) and are in [0, 1]; `labels` are the true class ids, (N,).
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Reliability:
    """The data of a reliability diagram: arrays of shape (bins,), one value per confidence bin.

    Attributes:
        count: number of images, int64.
        confidence: mean top-1 probability of these images in [0, 1]; NaN in an empty bin.
        accuracy: of these images, in [0, 1]; NaN in an empty bin.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray


def reliability(probabilities: np.ndarray, labels: np.ndarray, bins: int = 15) -> Reliability:
    """Mean confidence and accuracy of images grouped by their confidence, the top-1 probability.

    Bin m of M (`bins`) holds the confidences in ((m - 1)/M, m/M], as in Guo et al., "On Calibration
    of Modern Neural Networks" (ICML 2017), section 2.
    """
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    # Inner edges in the precision of the probabilities: a float32 0.2 (one vote of five) is above a
    # float64 0.2, and would fall into the next bin.
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
    """The mean gap between confidence and accuracy over images (Guo et al., ICML 2017, eq. 3)."""
    of_bins = reliability(probabilities, labels, bins)
    filled, gaps = of_bins.count > 0, np.abs(of_bins.accuracy - of_bins.confidence)
    return float(np.average(gaps[filled], weights=of_bins.count[filled]))
