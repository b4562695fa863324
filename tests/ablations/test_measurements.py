"""What a measurement records."""

import importlib.util
from pathlib import Path

from fifteen.config import Training
from fifteen.training.history import Epoch

import pytest


@pytest.fixture(scope="module")
def script():
    """ablations/train.py, which is not to be confused with src/train.py."""
    path = Path(__file__).parents[2] / "ablations" / "train.py"
    spec = importlib.util.spec_from_file_location("ablations_train", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HISTORY = [
    Epoch(1, 10.0, train_loss=2.0, train_accuracy=0.4, val_loss=1.5, val_accuracy=0.5),
    Epoch(2, 11.0, train_loss=1.0, train_accuracy=0.6, val_loss=1.2, val_accuracy=0.7),
    Epoch(3, 12.5, train_loss=0.5, train_accuracy=0.9, val_loss=1.1, val_accuracy=0.6),
]


@pytest.mark.parametrize(
    ("monitor", "best"),
    [
        ("val_accuracy", {"best_epoch": 2, "val_accuracy": 0.7, "val_loss": 1.2}),
        ("val_loss", {"best_epoch": 3, "val_accuracy": 0.6, "val_loss": 1.1}),
    ],
)
def test_measured(script, monitor, best):
    config = Training.model_validate({"network": "baseline", "monitor": monitor})
    assert script.measured(HISTORY, config) == best | {
        "epochs": 3,
        "last_val_accuracy": 0.6,
        "last_val_loss": 1.1,
        "train_accuracy": 0.9,
        "seconds": 33.5,
    }
