import copy

import pytest

HARDWARE = {"device": "2 cores of a CPU", "precision": "float32"}


def result(kind, accuracy, validation, **extra):
    """An entry of `models` with round numbers; the interval is one point to either side."""
    return {
        "kind": kind,
        "epochs": 15,
        "parameters": 1253284,
        "train_seconds": 235.6,
        "validation": {"accuracy": validation},
        "test": {
            "accuracy": accuracy,
            "accuracy_ci95": [accuracy - 0.01, accuracy + 0.01],
            "top5_accuracy": 0.75,
            "nll": 2.3456,
            "ece": 0.0789,
            "superclass_accuracy": 0.6,
            "best_class": {"id": 0, "name": "apple", "accuracy": 0.875},
            "worst_class": {"id": 1, "name": "otter", "accuracy": 0.04},
            "confused_pairs": [{"true": "otter", "predicted": "apple", "count": 12}],
        },
        **extra,
    }


def comparison(a, b, difference, verdict, p=0.00031):
    return {
        "a": a,
        "b": b,
        "difference": difference,
        "ci95": [difference - 0.006, difference + 0.006],
        "mcnemar_p": p,
        "verdict": verdict,
    }


METRICS = {
    "source": "cifar100",
    "epoch_budget": 15,
    "train_images": 45000,
    "validation_images": 5000,
    "test_images": 10000,
    "hardware": HARDWARE,
    "models": {
        "baseline": result("single", 0.4162, 0.42),
        "snapshot": result("single", 0.5, 0.51),
        "snapshot_sum": result(
            "ensemble", 0.515, 0.53, method="sum", variant="snapshot", members=5
        ),
    },
    "comparisons": [
        comparison("baseline", "snapshot", -0.0838, "worse", 1e-9),
        comparison("baseline", "snapshot_sum", -0.0988, "worse", 1e-12),
        comparison("snapshot", "snapshot_sum", -0.015, "worse"),
        comparison("snapshot_sum", "snapshot:last_snapshot", 0.012, "better"),
        comparison("snapshot_sum", "snapshot:best_snapshot", 0.002, "same", 0.5),
    ],
}


@pytest.fixture
def metrics():
    """The content of a small `reports/metrics.json`; a test may change it."""
    return copy.deepcopy(METRICS)
