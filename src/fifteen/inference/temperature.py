"""Temperature scaling: calibrating the probabilities of a model by one number."""

import numpy as np
from scipy import optimize, special

# Smaller probabilities, such as vote shares of 0, are raised to this, so that their logarithm is
# finite. It is keras.config.epsilon(), at which Keras clips in its cross-entropy losses.
SMALLEST = 1e-7
TEMPERATURES = (0.05, 20.0)


def with_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities rescaled by a temperature: softer above 1, sharper below; same answer.

    softmax(z/T), T > 0, of Guo et al. (ICML 2017, equation 9), (N, C) float64. Logarithms of the
    probabilities stand for the logits z; they differ by a constant in each row, which changes
    nothing. Probabilities below 1e-7 count as 1e-7.
    """
    return special.softmax(_logarithms(probabilities) / temperature, axis=1)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The maximum-likelihood temperature (Guo et al., ICML 2017, section 4.2).

    It is in [0.05, 20]. If all answers are right, the likelihood has no maximum, and it is 1. Fit
    it on other images than those on which calibration is measured.
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
