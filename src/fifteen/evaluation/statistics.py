"""The only module that says whether a difference is real.

Two networks are judged on the same images, so that everything about them is paired. Images that
both get right or both get wrong say nothing about the difference: only the discordant ones, right
for one network and wrong for the other, do. Recipes are judged over seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any, Literal

import numpy as np
from scipy import stats

Verdict = Literal["better", "worse", "same"]

OPPOSITE: dict[Verdict, Verdict] = {"better": "worse", "worse": "better", "same": "same"}
# A difference of two shares of independent images is beyond chance from so many standard errors on.
BEYOND_CHANCE = 2.0


def mcnemar_p(correct_a: np.ndarray, correct_b: np.ndarray) -> float:
    """Exact two-sided McNemar test of "both models have the same accuracy".

    Under this hypothesis either model wins a discordant image with probability 1/2 (McNemar,
    Psychometrika 12, 1947; recommended for classifiers by Dietterich, Neural Computation 10, 1998).
    The p-value is 1 where no image is discordant. Arguments as in `compare`.
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
    Bootstrap" (1993), chapter 13. Each of the N images of a resample is won by a, won by b or a
    tie; the numbers of these three are one multinomial draw, which is faster than drawing images.
    With a few dozen discordant images or fewer the interval is somewhat too narrow; trust the exact
    p-value of `mcnemar_p` then. Arguments as in `compare`.

    Returns:
        The difference in [-1, 1] and the lower and upper bound of its interval.
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
        correct_a: which images model a got right, shape (N,), bool.
        correct_b: the same for model b and the same images.

    Returns:
        Plain Python values: "difference" (accuracy of a minus that of b), "ci95" ([low, high]),
        "mcnemar_p" and "verdict": "same" where the interval includes 0, else "better" or "worse".

    Raises:
        ValueError: the arguments are not booleans of one common shape (N,), N > 0.
    """
    difference, (low, high) = paired_difference(correct_a, correct_b)
    return {
        "difference": difference,
        "ci95": [low, high],
        "mcnemar_p": mcnemar_p(correct_a, correct_b),
        "verdict": verdict_of(low, high),
    }


def verdict_of(low: float, high: float) -> Verdict:
    """What a 95 % interval of a difference says: "same" where it includes 0."""
    return "better" if low > 0 else "worse" if high < 0 else "same"


def verdict_beyond(difference: float, error: float, errors: float) -> Verdict:
    """What a difference and its standard error say: "same" up to so many standard errors."""
    if abs(difference) <= errors * error:
        return "same"
    return "better" if difference > 0 else "worse"


def turned(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """A comparison of a with b, an entry of `comparisons` in metrics.json, as one of b with a."""
    low, high = comparison["ci95"]
    return {
        **comparison,
        "a": comparison["b"],
        "b": comparison["a"],
        "difference": -comparison["difference"],
        "ci95": [-high, -low],
        "verdict": OPPOSITE[comparison["verdict"]],
    }


def difference_of_shares(a: float, b: float, images: int) -> tuple[float, float]:
    """Share a minus share b, and its standard error (on the same images it is smaller)."""
    return a - b, sqrt((a * (1 - a) + b * (1 - b)) / images)


def pooled_deviation(groups: Iterable[Sequence[float]]) -> tuple[float | None, int]:
    """The standard deviation within groups, each around its own mean.

    √(Σ over groups Σ (x − mean)² / Σ (n − 1)), for groups of about the same spread.

    Returns:
        The deviation, None where no group has two values, and its degrees of freedom, Σ (n − 1).
    """
    squares, freedom = 0.0, 0
    for group in groups:
        mean = fmean(group)
        squares += sum((value - mean) ** 2 for value in group)
        freedom += len(group) - 1
    return sqrt(squares / freedom) if freedom else None, freedom


def errors_beyond_chance(freedom: int) -> float:
    """How many standard errors chance exceeds in 1 of 20 cases: Student's t, 97.5 % quantile."""
    return float(stats.t.ppf(0.975, freedom))


def interval_over_seeds(differences: Sequence[float]) -> tuple[float, float, float]:
    """Mean, lower and upper bound of the 95 % interval (Student's t) of two or more differences."""
    middle, error = fmean(differences), stdev(differences) / sqrt(len(differences))
    half = errors_beyond_chance(len(differences) - 1) * error
    return middle, middle - half, middle + half


def interval_over_images(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Accuracy of a minus that of b on the same images, with the bounds of its 95 % interval.

    `a` and `b` say which images are right with each seed, (seeds, N) bool. The sample is the
    images, each with its mean over the seeds. The interval is that of a mean of independent
    numbers; it covers the seeds only as far as images show their effect.
    """
    difference = a.mean(axis=0) - b.mean(axis=0)
    middle, error = difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))
    return float(middle), float(middle - 1.96 * error), float(middle + 1.96 * error)


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
