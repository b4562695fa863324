"""Weights of the members of an ensemble, fitted on the validation images.

`members` are the probabilities of M members, (N, M, C); `labels` the true class ids, (N,).
"""

from collections.abc import Callable, Iterator

from fifteen.ensembling.rules import RULES, weighted_rule

import numpy as np

FOLDS = 5
SHARES_OF_FITTED = np.linspace(0, 1, 11)
ITERATIONS = 200


def fit_weights(members: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Maximum-likelihood weights of the members, shrunk towards equal weights by cross-validation.

    The maximum-likelihood weights (`likeliest_weights`) overfit a few thousand images. So they get
    the share λ and equal weights the share 1 − λ. Of λ = 0, 0.1, …, 1 the one with the lowest
    negative log-likelihood in five-fold cross-validation is taken. The weights, (M,), sum to 1.
    """
    right = _of_true_class(members, labels)
    equal = np.full(right.shape[1], 1 / right.shape[1])
    losses = np.zeros(len(SHARES_OF_FITTED))
    for held_out in folds(len(labels)):
        fitted = likeliest_weights(right[~held_out])
        for i, share in enumerate(SHARES_OF_FITTED):
            losses[i] -= np.log(right[held_out] @ _mixed(share, fitted, equal)).sum()
    return _mixed(SHARES_OF_FITTED[losses.argmin()], likeliest_weights(right), equal)


def folds(images: int) -> Iterator[np.ndarray]:
    """The images that each fold holds out, as (images,) booleans; each image is in one fold.

    Raises:
        ValueError: there are fewer images than folds.
    """
    if images < FOLDS:
        raise ValueError(f"{images} images are too few for {FOLDS} folds")
    fold = np.random.default_rng(0).permutation(images) % FOLDS
    for number in range(FOLDS):
        yield fold == number


def cross_validated(
    fit: Callable[[np.ndarray, np.ndarray], np.ndarray], members: np.ndarray, labels: np.ndarray
) -> np.ndarray:
    """Weighted sums of the probabilities, (N, C), with weights that `fit` gave for other folds."""
    combined = np.empty(members[:, 0].shape)
    for held_out in folds(len(labels)):
        weights = fit(members[~held_out], labels[~held_out])
        combined[held_out] = weighted_rule(members[held_out], weights)
    return combined


def by_every_rule(members: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """(N, C) probabilities by every rule that needs predictions alone, from simple to complex.

    Rules that are fitted are cross-validated.
    """
    combined = {name: np.asarray(rule(members)) for name, rule in RULES.items()}
    return combined | {name: cross_validated(fit, members, labels) for name, fit in FITS.items()}


def likeliest_weights(right: np.ndarray) -> np.ndarray:
    """The maximum-likelihood weights of a mixture of the members, (M,).

    Expectation maximisation for mixing proportions (Dempster et al. 1977, §4.3):
    wₘ ← mean over the images of wₘ·pₘ / Σₖ wₖ·pₖ. `right`, (N, M), has the probabilities pₘ of the
    true class, above 0.
    """
    weights = np.full(right.shape[1], 1 / right.shape[1])
    for _ in range(ITERATIONS):
        shares = weights * right
        weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    return weights


def select_greedily(members: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weights of a greedy forward selection with replacement (Caruana et al. 2004, §2.1 and 2.2).

    It starts with the best member. Each step adds the member with which the mean of the
    probabilities has the lowest negative log-likelihood, until none lowers it by more than 1e-4.
    The weights, (M,), are the shares of the selections.
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


# Rules whose weights are fitted on the validation images.
FITS = {"weighted": fit_weights, "greedy": select_greedily}


def _mixed(share: float, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return share * a + (1 - share) * b
