"""What share each member of an ensemble has, by the validation images."""

from collections.abc import Callable, Iterator

from fifteen.ensembling.rules import RULES, weighted_rule

import numpy as np

FOLDS = 5
SHARES_OF_FITTED = np.linspace(0, 1, 11)
ITERATIONS = 200


def fit_weights(members: np.ndarray, labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """Weights of the sum of probabilities, as far from equal ones as cross-validation justifies.

    The likeliest weights of a mixture (`likeliest_weights`) would overfit a few thousand images.
    They are mixed with equal ones in the share λ, of 0, 0.1, … 1, that gives the lowest negative
    log-likelihood on images the weights were not fitted on, in five folds.

    Args:
        members: (N, M, C), probabilities.
        labels: (N,), true class ids.
        seed: decides the folds.

    Returns:
        (M,), of at least 0, whose sum is 1.

    Raises:
        ValueError: there are fewer images than folds.
    """
    right = _of_true_class(members, labels)
    equal = np.full(right.shape[1], 1 / right.shape[1])
    losses = np.zeros(len(SHARES_OF_FITTED))
    for held_out in folds(len(labels), seed):
        fitted = likeliest_weights(right[~held_out])
        for i, share in enumerate(SHARES_OF_FITTED):
            losses[i] -= np.log(right[held_out] @ _mixed(share, fitted, equal)).sum()
    return _mixed(SHARES_OF_FITTED[losses.argmin()], likeliest_weights(right), equal)


def folds(images: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Which of the images each fold holds out, (images,) booleans; each image is in one fold.

    Raises:
        ValueError: there are fewer images than folds.
    """
    if images < FOLDS:
        raise ValueError(f"{images} images are too few for {FOLDS} folds")
    fold = np.random.default_rng(seed).permutation(images) % FOLDS
    for number in range(FOLDS):
        yield fold == number


def cross_validated(
    fit: Callable[[np.ndarray, np.ndarray], np.ndarray], members: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Sums of probabilities, (N, C), with weights that were each fitted on the other folds.

    Args:
        fit: from (N, M, C) probabilities and (N,) labels to M weights.
        members: (N, M, C).
        labels: (N,).
    """
    found = np.empty(members[:, 0].shape)
    for held_out in folds(len(labels)):
        weights = fit(members[~held_out], labels[~held_out])
        found[held_out] = weighted_rule(members[held_out], weights)
    return found


def by_every_rule(members: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """What each rule that needs predictions alone makes of them; what is fitted is cross-validated.

    Args:
        members: (N, M, C), probabilities.
        labels: (N,), true class ids.

    Returns:
        (N, C) probabilities by the name of the rule, the simplest first.
    """
    found = {name: np.asarray(rule(members)) for name, rule in RULES.items()}
    return found | {name: cross_validated(fit, members, labels) for name, fit in FITS.items()}


def likeliest_weights(right: np.ndarray) -> np.ndarray:
    """The weights of a mixture under which the labels are most likely.

    Expectation maximisation for mixing proportions (Dempster et al. 1977, §4.3):
    wₘ ← mean over the images of wₘ·pₘ / Σₖ wₖ·pₖ. The likelihood is concave in the weights.

    Args:
        right: (N, M), the probability that each member gives the true class, above 0.
    """
    weights = np.full(right.shape[1], 1 / right.shape[1])
    for _ in range(ITERATIONS):
        shares = weights * right
        weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights


def select_greedily(members: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights of a forward selection with replacement (Caruana et al. 2004, §2.1 and 2.2).

    It begins with the best member and adds, one at a time, the one with which the sum of
    probabilities has the lowest negative log-likelihood, until none lowers it by a ten-thousandth.

    Args:
        members: (N, M, C), probabilities.
        labels: (N,), true class ids.

    Returns:
        (M,), how often each member was added, over their sum.
    """
    right = _of_true_class(members, labels)
    counts, lowest = np.zeros(right.shape[1]), np.inf
    while True:
        losses = -np.log((right @ counts)[:, None] + right).mean(axis=0) + np.log(counts.sum() + 1)
        if losses.min() > lowest - 1e-4:
            return counts / counts.sum()
        lowest = losses.min()
        counts[losses.argmin()] += 1


def _of_true_class(members: np.ndarray, labels: np.ndarray) -> np.ndarray:
    right = members[np.arange(len(labels)), :, labels].astype(np.float64)  # (N, M)
    return np.maximum(right, 1e-7)


# Rules that weigh the members by the validation images.
FITS = {"weighted": fit_weights, "greedy": select_greedily}


def _mixed(share: float, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return share * a + (1 - share) * b
