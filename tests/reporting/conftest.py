import copy
import json
from types import SimpleNamespace

from fifteen.params.sections import Training
from fifteen.reporting import ensembles, ladder

import numpy as np
import pytest
from PIL import Image

HARDWARE = {"device": "2 cores of a CPU", "precision": "float32"}
# As `evaluate` writes it: every key, those at their defaults too.
TRAINING = Training.model_validate({"network": "baseline", "epochs": 15}).model_dump()


def result(kind, accuracy, validation, **extra):
    """An entry of `models` with round numbers; the interval is one point to either side."""
    return {
        "kind": kind,
        "epochs": 15,
        "parameters": 1253284,
        "train_seconds": 235.6,
        "validation": {"accuracy": validation},
        "temperature": 0.5,
        "hardware": HARDWARE,
        "hyperparameters": copy.deepcopy(TRAINING),
        "test": {
            "accuracy": accuracy,
            "accuracy_ci95": [accuracy - 0.01, accuracy + 0.01],
            "top5_accuracy": 0.75,
            "nll": 2.3456,
            "ece": 0.0789,
            "calibrated_nll": 2.1234,
            "calibrated_ece": 0.0123,
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
            "ensemble",
            0.515,
            0.53,
            method="sum",
            variant="snapshot",
            members=5,
            member_validation_accuracy=[0.3, 0.4, 0.45, 0.51, 0.5],
        ),
    },
    "comparisons": [
        comparison("baseline", "snapshot", -0.0838, "worse", 1e-9),
        comparison("baseline", "snapshot_sum", -0.0988, "worse", 1e-12),
        comparison("snapshot", "snapshot_sum", -0.015, "worse"),
        comparison("snapshot_sum", "snapshot:last_snapshot", 0.012, "better"),
        comparison("snapshot_sum", "snapshot:best_snapshot", 0.002, "same", 0.5),
    ],
    "doubtful_labels": {
        "models": ["snapshot", "another"],
        "images": [
            {"index": 3 * number, "class": "apple", "answer": "otter"} for number in range(12)
        ],
    },
}


@pytest.fixture
def metrics():
    """The content of a small `reports/metrics.json`; a test may change it."""
    return copy.deepcopy(METRICS)


def trial(number, values, accuracies, *, epochs=2, bracket=1, rung=0, parent=None, message=None):
    """An entry of the `trials` of a search.json; `message` makes it a failed one."""
    return {
        "trial": f"{number:04}",
        "configuration": parent or f"{number:04}",
        "status": "failed" if message else "completed",
        "bracket": bracket,
        "rung": rung,
        "epochs": epochs,
        "promoted_from": parent,
        "hyperparameters": values,
        "val_accuracy": None if message else max(accuracies),
        "seconds": 10.4 * len(accuracies),
        "message": message,
        "accuracies": accuracies,
    }


TANH = {"network.conv_activation": "tanh", "schedule.peak": 0.001, "network.normalize_input": True}
LEAKY = {
    "network.conv_activation": "leaky_relu",
    "schedule.peak": 0.0001,
    "network.normalize_input": False,
    "network.conv_slope": 0.15,
}
RELU = {"network.conv_activation": "relu", "schedule.peak": 0.01, "network.normalize_input": True}

# Four configurations in five trials: one was promoted and won, one failed.
SEARCH = {
    "variant": "tuned",
    "objective": "val_accuracy",
    "max_epochs": 4,
    "factor": 3,
    "seed": 42,
    "seconds": 100.0,
    "step_seconds": 150.0,
    "workers": 2,
    "dimensions": [
        {"name": "network.conv_activation", "values": ["relu", "leaky_relu", "tanh"]},
        {"name": "schedule.peak", "low": 0.0001, "high": 0.01, "sampling": "log"},
        {"name": "network.normalize_input", "values": [False, True]},
        {
            "name": "network.conv_slope",
            "low": 0.1,
            "high": 0.3,
            "sampling": "linear",
            "when": {"network.conv_activation": ["leaky_relu"]},
        },
    ],
    "trials": [
        trial(0, TANH, [0.2, 0.3]),
        trial(1, LEAKY, [0.1, 0.2]),
        trial(2, RELU, [], message="the loss became nan in epoch 1"),
        trial(3, TANH, [0.2, 0.3, 0.45, 0.4], epochs=4, rung=1, parent="0000"),
        trial(4, RELU, [0.1, 0.2, 0.3, 0.35], epochs=4, bracket=0),
    ],
    "winner": "0003",
    "taken_back": [
        {
            "name": "network.normalize_input",
            "winner": True,
            "baseline": False,
            "val_accuracy": 0.44,
            "message": None,
            "run_id": "3",
        },
        {
            "name": "schedule",
            "winner": {"name": "cosine", "peak": 0.001, "cycles": 1},
            "baseline": {"name": "constant", "rate": 0.001},
            "val_accuracy": None,
            "message": "the loss became nan",
            "run_id": None,
        },
        {
            "name": "augmentation",
            "winner": {"flip": True, "crop": 2, "cutout": 0},
            "baseline": {"flip": False, "crop": 0, "cutout": 0},
            "val_accuracy": 0.36,
            "message": None,
            "run_id": "4",
        },
    ],
}

IMPORTANCES = {
    "by_name": {
        name: {
            "increase": increase,
            "standard_error": error,
            "configurations": configurations,
            "distinguishable": distinguishable,
        }
        for name, increase, error, configurations, distinguishable in [
            ("network.conv_activation", -0.02, 0.1, 21, False),
            ("schedule.peak", 0.5, 0.2, 21, True),
            ("network.normalize_input", 1.25, 0.25, 21, True),
            ("network.conv_slope", None, None, 3, False),
        ]
    },
    "r2": 0.42,
    "trials": 29,
    "configurations": 21,
}


@pytest.fixture
def search():
    """The content of a small search.json; a test may change it."""
    return copy.deepcopy(SEARCH)


@pytest.fixture
def importances():
    """Importances as they would come of a larger search over the same dimensions."""
    return copy.deepcopy(IMPORTANCES)


def make_diversity():
    """What `report` knows of the difference of three members, for five classes."""
    matrix = np.array([[0, 0.3, 0.4], [0.3, 0, 0.2], [0.4, 0.2, 0]])
    return {
        "disagreement": matrix,
        "error_correlation": 1 - matrix,
        "accuracy_of_last": np.array([0.45, 0.47, 0.46]),
        "class_accuracy": np.array([0.1, 0.3, 0.5, 0.7, 0.9]),
        "class_gain": np.array([-0.01, 0.0, 0.02, 0.05, 0.03]),
        "gain_of_worst": -0.005,
        "gain_of_best": 0.04,
        "weight_distances": matrix / 2,
        "worst_class": "otter",
    }


def make_changes():
    """Rows of a ladder: one step that is real, one thing left out that may be noise."""
    gain = {"gain": 0.11, "gain_error": 0.01, "against": "start", "verdict": "better"}
    loss = {"gain": -0.01, "gain_error": 0.01, "against": "small", "verdict": "unsure"}
    none = {"gain": None, "gain_error": None, "against": None, "verdict": "unsure"}
    return [
        ladder.Row(
            source="cifar100",
            part=part,
            rung=rung,
            what=f"in words: {rung}",
            epochs=15,
            freedom=3,
            threshold=3.18,
            accuracy=accuracy,
            error=0.005,
            last_accuracy=accuracy - 0.01,
            seconds=100.0,
            parameters=1000,
            seeds=(1, 2),
            hardware="2 cores of a CPU, float32",
            commits=("01234567",),
            **compared,
        )
        for part, rung, accuracy, compared in [
            ("ladder", "start", 0.4, none),
            ("ladder", "flips", 0.51, gain),
            ("leave_one_out", "no_flips", 0.5, loss),
        ]
    ]


def make_designs():
    """Rows of two designs that share the epochs of one model; the second is better than it."""
    return [
        ensembles.Row(
            source="cifar100",
            variant="small",
            design=design,
            what=f"in words: {design}",
            epochs=15,
            members=2,
            of_members=(0.4, 0.5),
            control=0.5,
            control_nll=2.0,
            **dict.fromkeys(ensembles.RULES, 0.5 + difference),
            of_views=0.55,
            nll=1.5,
            disagreement=0.25,
            error_correlation=0.5,
            weight_distance=0.75,
            difference=difference,
            low=difference - 0.01,
            high=difference + 0.01,
            verdict=verdict,
            best_rule="sum",
            best_difference=difference,
            best_low=difference - 0.01,
            best_high=difference + 0.01,
            seconds=100.0,
            seeds=(1, 2),
            hardware="2 cores of a CPU, float32",
        )
        for design, difference, verdict in [("cycle", 0.005, "same"), ("five", 0.03, "better")]
    ]


diversity, changes, designs = map(pytest.fixture, (make_diversity, make_changes, make_designs))


@pytest.fixture(scope="session")
def examples():
    """What those above are made of, for what is made once for many tests."""
    return SimpleNamespace(
        metrics=METRICS,
        result=result,
        comparison=comparison,
        search=SEARCH,
        importance=IMPORTANCES["by_name"]["schedule.peak"],
        diversity=make_diversity(),
        changes=make_changes(),
        designs=make_designs(),
    )


@pytest.fixture
def reports(tmp_path, metrics):
    """What the page reads, as `prepare`, `evaluate` and `report` write it."""

    def png(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 3)).save(path)

    for name in (
        *("accuracy", "differences", "learning_rates"),
        *("members_snapshot", "gains_snapshot", "ladder", "designs"),
    ):
        png(tmp_path / "figures" / f"{name}.png")
    for name in metrics["models"]:
        folder = tmp_path / "models" / name
        for picture in ("confusion", "confused_pairs", "mistakes"):
            png(folder / f"{picture}.png")
        rows = [f"{index},class {index},100,0.5" for index in range(100)]
        (folder / "per_class.csv").write_text("\n".join(["class,name,images,accuracy", *rows]))
        confusion = 3 * np.eye(20, dtype=int) + np.eye(20, k=1, dtype=int)
        np.savetxt(folder / "superclass_confusion.csv", confusion, "%d", ",")
    for name in ("contact_sheet", "copies"):
        png(tmp_path / "data" / f"{name}.png")
    summary = {
        "source": metrics["source"],
        "images": {"train": 45000, "validation": 5000, "test": 10000},
        "classes": 100,
        "superclasses": [f"superclass {index}" for index in range(20)],
        "copies_of_training_images": [
            {"part": "test", "index": 7, "class": "apple", "class_in_train": "otter"},
            {"part": "test", "index": 8, "class": "otter", "class_in_train": "otter"},
        ],
        "images_also_in_train": {"validation": 1, "test": 3},
        "images_per_class": [
            {"class": "apple", "train": 450, "validation": 48, "test": 100},
            {"class": "otter", "train": 450, "validation": 52, "test": 100},
        ],
    }
    (tmp_path / "data" / "summary.json").write_text(json.dumps(summary))
    return tmp_path
