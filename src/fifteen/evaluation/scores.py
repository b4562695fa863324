"""How good are the predictions of one model? All shares and probabilities are in [0, 1]."""

from collections.abc import Sequence
from typing import Any

from fifteen.evaluation.calibration import expected_calibration_error
from fifteen.evaluation.confusion import confusion_matrix, most_confused_pairs
from fifteen.inference.temperature import SMALLEST, with_temperature

import numpy as np
from scipy import stats

_SUM_TOLERANCE = 1e-3  # leaves room for float16 and bfloat16 softmax outputs


def accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Share of images given their true class.

    Args:
        predicted: Predicted class ids, shape (N,), N > 0.
        labels: True class ids, shape (N,).
    """
    return float(np.mean(predicted == labels))


def top_k_accuracy(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of images whose true class is among the k most probable ones.

    Equal probabilities rank by class id, the lowest first, as with argmax: so top-1 accuracy is
    the accuracy of argmax also for vote shares, which are often equal (the ranking inside
    `sklearn.metrics.top_k_accuracy_score` goes the other way).

    Args:
        probabilities: Class probabilities, shape (N, C), N > 0.
        labels: True class ids, shape (N,), in [0, C).
        k: How many classes count; with k >= C every image is right and the result is 1.
    """
    ranked = np.argsort(-probabilities, axis=1, kind="stable")
    return float(np.mean(np.any(ranked[:, :k] == labels[:, np.newaxis], axis=1)))


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -ln(probability of the true class), in nats.

    Probabilities are clipped to [1e-7, 1 - 1e-7] as in Keras's crossentropy losses (which rescale
    the row afterwards: 1e-5 nats apart at most for 100 classes). One image costs 16.1 nats at most,
    and a vote ensemble, which does give zeros, has a finite value.

    Args:
        probabilities: Class probabilities, shape (N, C), N > 0.
        labels: True class ids, shape (N,), in [0, C).
    """
    # float64 first: 1 - 1e-7 is not a float32 number
    of_true_class = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.clip(of_true_class, SMALLEST, 1 - SMALLEST)).mean())


def per_class_accuracy(predicted: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Share of the images of each class that were given this class (its recall).

    Args:
        predicted: Predicted class ids, shape (N,).
        labels: True class ids, shape (N,), in [0, classes).
        classes: Number of classes C.

    Returns:
        Accuracies, shape (C,), float64; NaN for a class without images.
    """
    images = np.bincount(labels, minlength=classes)
    hits = np.bincount(labels, weights=predicted == labels, minlength=classes)
    return np.divide(hits, images, out=np.full(classes, np.nan), where=images > 0)


def superclass_accuracy(
    predicted: np.ndarray, labels: np.ndarray, superclass_of: Sequence[int] | np.ndarray
) -> float:
    """Share of images whose top-1 class belongs to the superclass of their true class.

    Args:
        predicted: Predicted class ids, shape (N,), in [0, C), N > 0.
        labels: True class ids, shape (N,), in [0, C).
        superclass_of: Superclass id of each of the C classes.
    """
    superclass_of = np.asarray(superclass_of)
    return accuracy(superclass_of[predicted], superclass_of[labels])


def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """95 % confidence interval of a proportion: Wilson's score interval (JASA 22, 1927).

    Args:
        successes: Number of successes, in [0, total].
        total: Number of trials, > 0.

    Returns:
        Lower and upper bound.
    """
    interval = stats.binomtest(successes, total).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def summarize(
    probabilities: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    superclass_of: Sequence[int] | np.ndarray | None,
) -> dict[str, Any]:
    """Compute every score of one model's predictions: the "test" block of its metrics.json.

    The predicted class is the most probable one, the lowest id where several are. Of several best
    (or worst) classes the one with the lowest id is named; classes without images are left out.

    Args:
        probabilities: Class probabilities, shape (N, C); rows sum to 1 within 1e-3.
        labels: True class ids, shape (N,), in [0, C).
        names: The C class names.
        superclass_of: Superclass id of each of the C classes, None where there are none.

    Returns:
        Plain floats, integers, strings, lists and dicts, fit for JSON: accuracy, accuracy_ci95
        (Wilson), top5_accuracy, nll (nats), ece (15 bins), superclass_accuracy (only with
        superclasses), best_class, worst_class (each id, name, accuracy) and confused_pairs (the 20
        most frequent mistakes: true, predicted, count).

    Raises:
        ValueError: The arguments do not fit together or are no probabilities and class ids.
    """
    _validate(probabilities, labels, names, superclass_of)
    classes = len(names)
    predicted = probabilities.argmax(axis=1)
    by_class = per_class_accuracy(predicted, labels, classes)

    def describe(class_id: np.intp) -> dict[str, Any]:
        return {
            "id": int(class_id),
            "name": names[class_id],
            "accuracy": float(by_class[class_id]),
        }

    summary = {
        "accuracy": accuracy(predicted, labels),
        "accuracy_ci95": list(wilson_interval(int(np.sum(predicted == labels)), len(labels))),
        "top5_accuracy": top_k_accuracy(probabilities, labels, k=5),
        "nll": negative_log_likelihood(probabilities, labels),
        "ece": expected_calibration_error(probabilities, labels),
    }
    if superclass_of is not None:
        summary["superclass_accuracy"] = superclass_accuracy(predicted, labels, superclass_of)
    return summary | {
        "best_class": describe(np.nanargmax(by_class)),
        "worst_class": describe(np.nanargmin(by_class)),
        "confused_pairs": most_confused_pairs(confusion_matrix(labels, predicted, classes), names),
    }


def calibrated_scores(
    probabilities: np.ndarray, labels: np.ndarray, temperature: float
) -> dict[str, float]:
    """What a temperature makes of the scores that it can change.

    Args:
        probabilities: Class probabilities, shape (N, C), N > 0.
        labels: True class ids, shape (N,), in [0, C).
        temperature: Above 0, fitted on other images.

    Returns:
        calibrated_nll (nats) and calibrated_ece (15 bins).
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
    """Raise ValueError, naming the first offending place, unless `summarize` can use these."""
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(
            f"probabilities must have shape (images, classes), neither 0; "
            f"they have {probabilities.shape}"
        )
    images, classes = probabilities.shape
    if labels.shape != (images,):
        raise ValueError(
            f"labels must have shape ({images},), one for each row of the probabilities; "
            f"they have {labels.shape}"
        )
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"labels must be integers; they are {labels.dtype}")
    if len(names) != classes:
        raise ValueError(f"there are {len(names)} names for {classes} columns of probabilities")
    if superclass_of is not None and len(superclass_of) != classes:
        raise ValueError(
            f"superclass_of has {len(superclass_of)} entries for {classes} columns of probabilities"
        )

    wrong = (labels < 0) | (labels >= classes)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"label {labels[row]} of image {row} is not in 0..{classes - 1}")

    wrong = ~(np.isfinite(probabilities) & (probabilities >= 0))
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"probability of image {row}, class {column} is {probabilities[row, column]}; "
            f"it must be finite and not negative"
        )
    sums = probabilities.sum(axis=1, dtype=np.float64)
    wrong = np.abs(sums - 1) > _SUM_TOLERANCE
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"probabilities of image {row} sum to {sums[row]:.6g}, not to 1")
