"""One temperature that makes the probabilities of a model mean what they say."""

import numpy as np
from scipy import optimize, special

# Smaller probabilities, which votes have, count as this much, so that their logarithm is finite;
# it is keras.config.epsilon(), with which Keras clips in its cross-entropy losses.
SMALLEST = 1e-7
TEMPERATURES = (0.05, 20.0)


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
