import csv
from types import SimpleNamespace

from fifteen.training.history import Epoch, best_epoch, out_of_patience, write_history

import keras
import numpy as np
import pytest


def history(values, monitor="val_loss"):
    rows = []
    for number, value in enumerate(values, start=1):
        row = {"val_loss": 1.0, "val_accuracy": 0.5, monitor: value}
        rows.append(Epoch(number, 2.0, 1.5, 0.25, **row))
    return rows


@pytest.mark.parametrize(
    ("values", "lowest", "highest"),
    [
        ([0.5], 1, 1),
        ([0.5, 0.4, 0.6], 2, 3),
        ([0.4, 0.6, 0.4, 0.6], 1, 2),  # the first one on a tie
        ([0.5, 0.5, 0.5], 1, 1),
    ],
)
def test_best_epoch(values, lowest, highest):
    assert best_epoch(history(values, "val_loss"), "val_loss") == lowest
    assert best_epoch(history(values, "val_accuracy"), "val_accuracy") == highest


def test_patience_by_hand():
    values = [1.0, 0.9, 0.95, 0.9, 0.91]  # best in epoch 2; epoch 4 only equals it
    stops = [out_of_patience(history(values[:n]), "val_loss", 3) for n in range(1, 6)]
    assert stops == [False, False, False, False, True]


def test_no_patience_never_stops():
    assert not out_of_patience(history([1.0] * 50), "val_loss", None)


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
@pytest.mark.parametrize("patience", [1, 2, 3, 5])
def test_patience_is_that_of_keras(monitor, patience):
    rng = np.random.default_rng(patience)
    for _ in range(40):
        values = rng.integers(0, 8, 15) / 8  # many ties
        early = keras.callbacks.EarlyStopping(
            monitor, patience=patience, mode="min" if monitor == "val_loss" else "max"
        )
        early.set_model(SimpleNamespace(stop_training=False))
        early.on_train_begin()
        for done in range(1, 16):
            early.on_epoch_end(done - 1, {monitor: values[done - 1]})
            ours = out_of_patience(history(values[:done], monitor), monitor, patience)
            assert ours == early.model.stop_training
            if ours:
                assert best_epoch(history(values[:done], monitor), monitor) == early.best_epoch + 1
                break


def test_written_history(tmp_path):
    rows = [Epoch(1, 15.7, 3.5, 0.2, 3.25, 0.1 + 0.2), Epoch(2, 15.5, 3.0, 0.25, 1e-9, 1.0)]
    write_history(tmp_path / "history.csv", rows)
    with (tmp_path / "history.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == [
        "epoch",
        "seconds",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy",
    ]
    for row, expected in zip(read, rows, strict=True):
        assert Epoch(int(row.pop("epoch")), *map(float, row.values())) == expected
