"""Scores of the predictions of one model.

All functions take N > 0 images and C classes: `probabilities` of shape (N, C) in [0, 1], and
`labels` and `predicted`, the true and the predicted class ids, of shape (N,) in [0, C).
"""

from collections.abc import Sequence
from typing import Any

from fifteen.evaluation.calibration import expected_calibration_error
from fifteen.evaluation.confusion import confusion_matrix, most_confused_pairs
from fifteen.inference.temperature import SMALLEST, with_temperature

import numpy as np
from scipy import stats

_SUM_TOLERANCE = 1e-3  # for softmax outputs in float16 and bfloat16


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """The share of images whose predicted class is the true one."""
    return float(np.mean(predicted == labels))


def top_k_accuracy(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """The share of images whose true class is among the k most probable ones.

    Equal probabilities, which vote shares often are, rank by class id, the lowest first, as in
    argmax (`sklearn.metrics.top_k_accuracy_score` ranks the other way). With k >= C it is 1.
    """
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    return float(np.mean(np.any(ranked[:, :k] == labels[:, np.newaxis], axis=1)))


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """The mean of -ln(probability of the true class), in nats.

    Probabilities are clipped to [1e-7, 1 - 1e-7], as in Keras's cross-entropy losses, so that vote
    shares of 0 have a finite loss: 16.1 nats.
    """
    # In float64, as float32 cannot represent 1 - 1e-7.
    of_true_class = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(of_true_class, SMALLEST, 1 - SMALLEST)).mean())


def per_class_accuracy(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """The recall of each class, (C,): the share of its images classified right; NaN without any."""
    images = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels, weights=predicted == labels, minlength=classes)
    return np.divide(hits, images, out=np.full(classes, np.nan), where=images > 0)


def superclass_accuracy(
    predicted: np.ndarray, labels: np.ndarray, superclass_of: Sequence[int] | np.ndarray
) -> float:
    """The share of images whose predicted class is of the superclass of the true class."""
    superclass_of = np.asarray(superclass_of)
    return accuracy(superclass_of[predicted], superclass_of[labels])


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a proportion: Wilson's score interval (JASA 22, 1927)."""
    interval = stats.binomtest(successes, total).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def summarize(
    probabilities: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    superclass_of: Sequence[int] | np.ndarray | None,
) -> dict[str, Any]:
    """All scores of one model's predictions: the block "test" of its metrics.json.

    Ties go to the lowest class id. Classes without images are neither best nor worst.

    Args:
        probabilities: rows sum to 1 within 1e-3.
        labels: integers.
        names: of the classes.
        superclass_of: the superclass id of each class; None without superclasses.

    Returns:
        Plain floats, integers, strings, lists and dicts, fit for JSON: accuracy, accuracy_ci95
        (Wilson), top5_accuracy, nll (nats), ece (15 bins), superclass_accuracy (only with
        superclasses), best_class, worst_class (each id, name, accuracy) and confused_pairs (the 20
        most frequent mistakes: true, predicted, count).

    Raises:
        ValueError: the shapes do not fit together, or these are no probabilities or class ids.
    """
    _validate(probabilities, labels, names, superclass_of)
    classes = len(names)
    predicted = probabilities.argmax(axis=1)
    by_class = per_class_accuracy(predicted, labels, classes)

    def describe(class_id: int) -> dict[str, Any]:
        return {"id": class_id, "name": names[class_id], "accuracy": float(by_class[class_id])}

    summary: dict[str, Any] = {
        "accuracy": accuracy(predicted, labels),
        "accuracy_ci95": list(wilson_interval(int(np.sum(predicted == labels)), len(labels))),
        "top5_accuracy": top_k_accuracy(probabilities, labels, k=5),
        "nll": negative_log_likelihood(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels),
    }
    if superclass_of is not None:
        summary["superclass_accuracy"] = superclass_accuracy(predicted, labels, superclass_of)
    return summary | {
        "best_class": describe(int(np.nanargmax(by_class))),
        "worst_class": describe(int(np.nanargmin(by_class))),
        "confused_pairs": most_confused_pairs(confusion_matrix(labels, predicted, classes), names),
    }


def calibrated_scores(
    probabilities: np.ndarray, labels: np.ndarray, temperature: float
) -> dict[str, float]:
    """The scores of calibrated probabilities that a temperature can change.

    They are calibrated_nll (nats) and calibrated_ece (15 bins). The temperature must have been
    fitted on other images.
    """
    calibrated = with_temperature(probabilities, temperature)
    return {
        "calibrated_nll": negative_log_likelihood(calibrated, labels),
        "calibrated_ece": expected_calibration_error(calibrated, labels),
    }


def _validate(
    probabilities: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    superclass_of: Sequence[int] | np.ndarray | None,
) -> None:
    """Raise a ValueError that names the first problem, unless `summarize` can use the arguments."""
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(
            "probabilities must have shape (images, classes), neither 0; "
            f"they have {probabilities.shape}"
        )
    images, classes = probabilities.shape
    if labels.shape != (images,):
        raise ValueError(f"labels must have shape ({images},); they have {labels.shape}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers; they are {labels.dtype}")
    if len(names) != classes:
        raise ValueError(f"there are {len(names)} names for {classes} columns")
    if superclass_of is not None and len(superclass_of) != classes:
        raise ValueError(f"superclass_of has {len(superclass_of)} entries for {classes} columns")
    # Each of these loops raises for the first of its problems.
    for row in np.flatnonzero((labels < 0) | (labels >= classes)):
        raise ValueError(f"label {labels[row]} of image {row} is not in 0..{classes - 1}")
    for row, column in np.argwhere(~(np.isfinite(probabilities) & (probabilities >= 0))):
        raise ValueError(
            f"the probability of image {row}, class {column} is {probabilities[row, column]}; "
            "it must be finite and not negative"
        )
    sums = probabilities.sum(axis=1, dtype=np.float64)
    for row in np.flatnonzero(np.abs(sums - 1) > _SUM_TOLERANCE):
        raise ValueError(f"the probabilities of image {row} sum to {sums[row]:.6g}, not to 1")
