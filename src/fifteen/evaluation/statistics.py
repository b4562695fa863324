"""Is one model better than another, or was it the luck of these test images?

Both models are judged on the same images, so everything here is paired. Images that both get right
or both get wrong say nothing about the difference: only the discordant ones, right for one model
and wrong for the other, do.
"""

from typing import Any

import numpy as np
from scipy import stats


def mcnemar_p(correct_a: np.ndarray, correct_b: np.ndarray) -> float:
    """Exact two-sided McNemar test of "both models have the same accuracy".

    Under this hypothesis either model wins a discordant image with probability 1/2 (McNemar,
    Psychometrika 12, 1947; recommended for classifiers by Dietterich, Neural Computation 10, 1998).

    Args:
        correct_a: Which images model a got right, shape (N,), bool.
        correct_b: The same for model b and the same images.

    Returns:
        The p-value in [0, 1]; 1 where no image is discordant.

    Raises:
        ValueError: The arguments are not booleans of one common shape (N,), N > 0.
    """
    only_a, only_b = _discordant(correct_a, correct_b)
    if only_a + only_b == 0:
        return 1.0
    return float(stats.binomtest(only_a, only_a + only_b, p=0.5).pvalue)


def paired_difference(
    correct_a: np.ndarray, correct_b: np.ndarray, resamples: int = 10_000, seed: int = 0
) -> tuple[float, tuple[float, float]]:
    """Accuracy of a minus accuracy of b, with its 95 % interval from the paired bootstrap.

    The interval is the percentile interval of Efron & Tibshirani, "An Introduction to the
    Bootstrap" (1993), chapter 13. A resample draws N images with replacement, and each of them is
    won by a, won by b or a tie. The difference depends on the numbers of these three alone, and
    those are one multinomial draw: same distribution as indexing N images, in a fraction of the
    time.

    With a few dozen discordant images or fewer the interval is somewhat too narrow; the exact
    p-value of `mcnemar_p` is the one to trust then.

    Args:
        correct_a: Which images model a got right, shape (N,), bool.
        correct_b: The same for model b and the same images.
        resamples: Number of bootstrap resamples.
        seed: Seed of the random draws.

    Returns:
        The difference in [-1, 1] and the lower and upper bound of its interval.

    Raises:
        ValueError: The arguments are not booleans of one common shape (N,), N > 0.
    """
    only_a, only_b = _discordant(correct_a, correct_b)
    images = len(correct_a)
    shares = np.array([only_a, only_b, images - only_a - only_b]) / images
    wins = np.random.default_rng(seed).multinomial(images, shares, size=resamples)
    # Quantiles of whole counts, divided afterwards: a bound of no difference is 0 exactly.
    low, high = np.quantile(wins[:, 0] - wins[:, 1], [0.025, 0.975]) / images
    return (only_a - only_b) / images, (float(low), float(high))


def compare(correct_a: np.ndarray, correct_b: np.ndarray) -> dict[str, Any]:
    """Say whether model a is better than model b: one comparison of metrics.json.

    Args:
        correct_a: Which images model a got right, shape (N,), bool.
        correct_b: The same for model b and the same images.

    Returns:
        Plain Python values: "difference" (accuracy of a minus that of b), "ci95" ([low, high]),
        "mcnemar_p" and "verdict": "same" where the interval includes 0, else "better" or "worse".

    Raises:
        ValueError: The arguments are not booleans of one common shape (N,), N > 0.
    """
    difference, (low, high) = paired_difference(correct_a, correct_b)
    verdict = "better" if low > 0 else "worse" if high < 0 else "same"
    return {
        "difference": difference,
        "ci95": [low, high],
        "mcnemar_p": mcnemar_p(correct_a, correct_b),
        "verdict": verdict,
    }


def _discordant(correct_a: np.ndarray, correct_b: np.ndarray) -> tuple[int, int]:
    """Count the images only a got right and those only b got right; ValueError if not a pair."""
    for name, correct in (("correct_a", correct_a), ("correct_b", correct_b)):
        if correct.dtype != bool or correct.ndim != 1 or correct.size == 0:
            raise ValueError(
                f"{name} must be booleans of shape (images,), at least one; "
                f"it is {correct.dtype} of shape {correct.shape}"
            )
    if len(correct_a) != len(correct_b):
        raise ValueError(
            f"correct_a has {len(correct_a)} images and correct_b {len(correct_b)}: "
            f"a paired comparison needs the same images"
        )
    return int(np.sum(correct_a & ~correct_b)), int(np.sum(correct_b & ~correct_a))
