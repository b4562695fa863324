"""Diversity: how much the members of an ensemble differ, and what the ensemble gains."""

from typing import NamedTuple

import numpy as np

FEW = 10  # number of classes with the lowest, and with the highest accuracy


class Diversity(NamedTuple):
    """The diversity of M members with C classes; shares of images are in [0, 1].

    Attributes:
        disagreement: (M, M), the share of images for which two members have different answers.
        error_correlation: (M, M), the correlation of the errors of two members; 0 for a member
            without errors.
        accuracy_of_last: (M,), of the sum of the last member, the last two, …, all members.
        class_accuracy: (C,), of each class, the mean over the members.
        class_gain: (C,), the accuracy of the ensemble minus `class_accuracy`.
        gain_of_worst: mean gain of the `FEW` classes with the lowest accuracy, half of all at most.
        gain_of_best: mean gain of the `FEW` classes with the highest accuracy.
    """

    disagreement: np.ndarray
    error_correlation: np.ndarray
    accuracy_of_last: np.ndarray
    class_accuracy: np.ndarray
    class_gain: np.ndarray
    gain_of_worst: float
    gain_of_best: float


def diversity(members: np.ndarray, combined: np.ndarray, labels: np.ndarray) -> Diversity:
    """The diversity of `members`, (N, M, C) probabilities, whose ensemble gives `combined`, (N, C).

    `labels` are the true class ids, (N,), each at least once.
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
