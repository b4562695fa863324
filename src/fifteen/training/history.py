"""The history of a training, and the decisions that depend on it.

Early stopping and the choice of the best epoch depend on the history alone, so a resumed training
decides exactly like an uninterrupted one.
"""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from fifteen.params.sections import Monitor

import numpy as np


@dataclass(frozen=True)
class Epoch:
    """One finished epoch.

    Attributes:
        epoch: its number, from 1.
        seconds: wall time of training and validation.
        train_loss: mean of the minimised loss over the epoch, in nats; label smoothing raises it.
        train_accuracy: mean over the epoch, in [0, 1].
        val_loss: cross-entropy on the validation images after the epoch, in nats.
        val_accuracy: accuracy on the validation images after the epoch, in [0, 1].
    """

    epoch: int
    seconds: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float


History = Sequence[Epoch]


def best_epoch(history: History, monitor: Monitor) -> int:
    """The number of the epoch with the best value of `monitor`; the first one on a tie."""
    values = np.array([getattr(row, monitor) for row in history])
    best = np.argmin(values) if monitor == "val_loss" else np.argmax(values)
    return history[int(best)].epoch


def out_of_patience(history: History, monitor: Monitor, patience: int | None) -> bool:
    """Whether the last `patience` epochs brought no new best one; never with None."""
    return patience is not None and history[-1].epoch - best_epoch(history, monitor) >= patience


def write_history(path: Path, history: History) -> None:
    """Write one CSV row per epoch."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Epoch)])
        writer.writeheader()
        writer.writerows(asdict(row) for row in history)
