"""How different the members of an ensemble are, and what the ensemble makes of it."""

from typing import NamedTuple

import numpy as np

FEW = 10  # classes that count as the worst known, and as the best known


class Diversity(NamedTuple):
    """What `diversity` finds; shares are of the images, in [0, 1].

    Attributes:
        disagreement: (M, M), the share for which two members have different answers.
        error_correlation: (M, M), of the errors of two members; 0 with one that makes none.
        accuracy_of_last: (M,), of the last member alone, of the last two together, … of all.
        class_accuracy: (C,), the mean over the members for the images of each class.
        class_gain: (C,), how much higher that of the ensemble is.
        gain_of_worst: the mean gain of the classes that the members know worst, at most ten.
        gain_of_best: that of those they know best.
    """

    disagreement: np.ndarray
    error_correlation: np.ndarray
    accuracy_of_last: np.ndarray
    class_accuracy: np.ndarray
    class_gain: np.ndarray
    gain_of_worst: float
    gain_of_best: float


def diversity(members: np.ndarray, combined: np.ndarray, labels: np.ndarray) -> Diversity:
    """Compare the members of an ensemble with each other and with the ensemble.

    Args:
        members: (N, M, C), the probabilities that each member gives.
        combined: (N, C), the shares that the ensemble gives.
        labels: (N,), true class ids, each at least once.
    """
    answers = members.argmax(axis=-1)
    wrong = answers != labels[:, None]
    last = np.cumsum(members[:, ::-1], axis=1, dtype=np.float64).argmax(axis=-1)
    of_class = np.eye(members.shape[-1])[labels]  # (N, C)
    counts = of_class.sum(axis=0)
    of_members = of_class.T @ (~wrong).mean(axis=1) / counts
    of_ensemble = of_class.T @ (combined.argmax(axis=-1) == labels) / counts
    gain, order = of_ensemble - of_members, np.argsort(of_members, kind="stable")
    few = min(FEW, len(order) // 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.corrcoef(wrong, rowvar=False)
    return Diversity(
        disagreement=(answers[:, :, None] != answers[:, None, :]).mean(axis=0),
        error_correlation=np.nan_to_num(correlation),
        accuracy_of_last=(last == labels[:, None]).mean(axis=0),
        class_accuracy=of_members,
        class_gain=gain,
        gain_of_worst=float(gain[order[:few]].mean()),
        gain_of_best=float(gain[order[-few:]].mean()),
    )
