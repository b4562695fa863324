"""Calibration: does a model that says 80 % turn out to be right in 80 % of the cases?"""

from typing import NamedTuple

import numpy as np
from scipy import optimize, special

# Smaller probabilities, which votes have, count as this much, so that their logarithm is finite;
# it is keras.config.epsilon(), with which Keras clips in its cross-entropy losses.
SMALLEST = 1e-7
TEMPERATURES = (0.05, 20.0)


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


def with_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Softer probabilities (a temperature above 1), or sharper ones; the answer stays the same.

    softmax(z/T) of Guo et al. (ICML 2017, equation 9), where the logarithms of the probabilities
    take the place of the logits z, from which they differ by a constant in each row.

    Args:
        probabilities: Class probabilities, shape (N, C); those below 1e-7 count as 1e-7.
        temperature: T, above 0.

    Returns:
        Class probabilities, shape (N, C), float64.
    """
    return special.softmax(_logarithms(probabilities) / temperature, axis=1)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The temperature with which the labels are most likely (Guo et al., ICML 2017, section 4.2).

    It has to be fitted on other images than those on which calibration is then judged. Where all
    answers are right, the sharper the likelier, without end; then nothing says how sure to be, and
    the probabilities stay as they are.

    Args:
        probabilities: Class probabilities, shape (N, C), N > 0.
        labels: True class ids, shape (N,), in [0, C).

    Returns:
        T in [0.05, 20], of 1 where all answers are right.
    """
    if (probabilities.argmax(axis=1) == labels).all():
        return 1.0
    logits = _logarithms(probabilities)
    of_label = logits[np.arange(len(labels)), labels]

    def loss(inverse: float) -> float:
        """The negative log-likelihood, which is convex in 1/T."""
        return np.mean(special.logsumexp(inverse * logits, axis=1) - inverse * of_label)

    low, high = (1 / temperature for temperature in reversed(TEMPERATURES))
    return float(1 / optimize.minimize_scalar(loss, bounds=(low, high), method="bounded").x)


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities.astype(np.float64), SMALLEST))
