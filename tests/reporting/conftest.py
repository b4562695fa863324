"""A small report with round numbers: three models of three classes, a search and three studies."""

import copy
import json

from fifteen.evaluation.packing import packed
from fifteen.params.sections import Training
from fifteen.reporting.numbers_file import numbers_file
from fifteen.reporting.recorded import read_recorded

import numpy as np
import pandas as pd
import pytest
from PIL import Image

HARDWARE = {"device": "2 cores of a CPU", "precision": "float32"}
TRAINING = Training.model_validate({"network": "baseline", "epochs": 15}).model_dump()
CLASSES = ["apple", "bee | <b>", "cup"]
LABELS = np.repeat([0, 1, 2], 100)


def wrong_for(count):
    """Answers to the test images, of which the first `count` of each class are wrong."""
    answers = LABELS.reshape(3, 100).copy()
    answers[:, :count] = (answers[:, :count] + 1) % 3
    return answers.ravel()


ANSWERS = {
    "baseline": np.array([wrong_for(50)]),
    "swift": np.array([wrong_for(20)]),
    "swift_sum": np.array([wrong_for(19), wrong_for(25), wrong_for(20)]),
}


def model(name, kind, validation, **extra):
    accuracy = float((ANSWERS[name][0] == LABELS).mean())
    scores = {"nll": 2.3456, "ece": 0.0789, "calibrated_nll": 2.1234, "calibrated_ece": 0.0123}
    classes = {"best_class": {"id": 0, "name": "apple", "accuracy": 0.875}}
    classes |= {"worst_class": {"id": 1, "name": "bee | <b>", "accuracy": 0.04}}
    pairs = [{"true": "bee | <b>", "predicted": "apple", "count": 12}]
    test = {"accuracy": accuracy, "accuracy_ci95": [accuracy - 0.01, accuracy + 0.02]}
    test |= {"top5_accuracy": 0.75, **scores, **classes, "confused_pairs": pairs}
    trained = {"seed": 42, "network": "baseline", "hyperparameters": copy.deepcopy(TRAINING)}
    trained |= {"epochs": 15, "images_seen": 675000, "parameters": 1253284, "train_seconds": 235.6}
    measured = {"validation": {"accuracy": validation}, "temperature": 0.5, "test": test}
    run = {"run_id": f"run of {name}", "hardware": HARDWARE}
    return {"kind": kind, **trained, **measured, **run, **extra}


@pytest.fixture
def models():
    ensemble = {"method": "sum", "variant": "swift", "members": 2, "train_seconds": 500}
    ensemble |= {"member_validation_accuracy": [0.7, 0.75], "parameters": 2506568}
    return {
        "baseline": model("baseline", "single", 0.5),
        "swift": model("swift", "single", 0.75, parameters=733704),
        "swift_sum": model("swift_sum", "ensemble", 0.76, **ensemble),
    }


@pytest.fixture
def data():
    return {
        "source": "cifar100",
        "images": {"train": 1500, "validation": 3000, "test": 300},
        "classes": 3,
        "superclasses": [],
        "copies_of_training_images": [
            {"part": "test", "index": 7, "class": "apple", "class_in_train": "cup"},
            {"part": "test", "index": 8, "class": "cup", "class_in_train": "cup"},
        ],
        "images_also_in_train": {"validation": 1, "test": 2},
        "images_per_class": [
            {"class": name, "train": 499 + place, "validation": 1000, "test": 100}
            for place, name in enumerate(CLASSES)
        ],
    }


@pytest.fixture
def metrics(models, data):
    """The content of a small `reports/metrics.json`; a test may change it."""
    return numbers_file(models, data, 15, LABELS, ANSWERS, {"run of swift": "0123abc"})


def trial(number, accuracies, *, epochs=2, parent=None, message=None):
    """An entry of the `trials` of a search.json; `message` makes it a failed one."""
    best, status = (None, "failed") if message else (max(accuracies), "completed")
    entry = {"trial": f"{number:04}", "configuration": parent or f"{number:04}", "status": status}
    entry |= {"bracket": 1, "rung": 0, "epochs": epochs, "promoted_from": parent}
    entry |= {"hyperparameters": {"schedule.peak": 0.001}, "accuracies": accuracies}
    return entry | {"val_accuracy": best, "seconds": 10.4 * len(accuracies), "message": message}


def taken_back(name, winner, baseline, accuracy, message=None):
    item = {"name": name, "winner": winner, "baseline": baseline}
    return item | {"val_accuracy": accuracy, "message": message}


@pytest.fixture
def search():
    """Three configurations in four trials: one was promoted and won, one failed."""
    return {
        "variant": "swift",
        "seconds": 100.0,
        "workers": 2,
        "dimensions": [{"name": "schedule.peak", "low": 0.0001, "high": 0.01, "sampling": "log"}],
        "trials": [
            trial(0, [0.2, 0.3]),
            trial(1, [0.1, 0.2]),
            trial(2, [], message="the loss became nan"),
            trial(3, [0.2, 0.3, 0.5, 0.4], epochs=4, parent="0000"),
        ],
        "winner": "0003",
        "taken_back": [
            taken_back("dropout", True, False, 0.49),
            taken_back("schedule", {"name": "cosine"}, {"name": "constant"}, None, "nan"),
            taken_back("augmentation", {"flip": True, "crop": 2}, {"flip": True, "crop": 0}, 0.36),
        ],
    }


def result(study, row, compared_with, seed, accuracy, **extra):
    """A row of the data frame that `study_tables` takes."""
    entry = {"study": study, "row": row, "what": f"in words: {row}", "training": row}
    entry |= {"compared_with": compared_with, "seed": seed, "val_accuracy": accuracy}
    entry |= {"test_accuracy": accuracy - 0.01, "test_tta_accuracy": None, "parameters": 1000}
    entry |= {"seconds": 100.0 + seed, "commit": "abc", "rules": None, "right": None}
    return entry | HARDWARE | extra


def right(count):
    """Which of 100 images are right: the first `count`."""
    return packed(np.arange(100) < count)


@pytest.fixture
def studies():
    """Two walks' steps and one thing left out; two designs; a model and an ensemble of 2 seeds."""
    rows = [("ladder", "start", None, (0.40, 0.42)), ("ladder", "flips", "start", (0.50, 0.53))]
    rows += [("ladder", "wide", "flips", (0.51,)), ("leave_one_out", "wide", None, (0.51,))]
    rows += [("leave_one_out", "no_flip", "wide", (0.41,))]
    rows += [("leave_one_out", "no_crop", "wide", (0.50,))]
    changes = [
        result(study, row, other, seed, accuracy)
        for study, row, other, accuracies in rows
        for seed, accuracy in enumerate(accuracies, start=1)
    ]

    def design(row, compared_with, single, together):
        accuracies = {"single_accuracy": single / 100, "rules": {"sum": together / 100}}
        packs = {"right": {"single": right(single), "sum": right(together)}}
        return result("small", row, compared_with, 1, single / 100, **accuracies, **packs)

    seeds = [
        result("seeds", row, other, seed, accuracy + seed / 100)
        for row, other, accuracy in (("swift", None, 0.7), ("swift_sum", "swift", 0.72))
        for seed in (1, 2)
    ]
    designs = [design("cycle", None, 50, 52), design("five", "cycle", 30, 65)]
    return {
        "changes": pd.DataFrame(changes),
        "designs": pd.DataFrame(designs),
        "seeds": pd.DataFrame(seeds),
    }


@pytest.fixture
def reports(tmp_path, models, data, search):
    """A folder like reports/, as `prepare` and `evaluate` write it."""

    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    folder = tmp_path / "reports"
    for name, of_model in models.items():
        here = folder / "models" / name
        columns = ["label", "answer", "member_1", "member_2"][: 1 + len(ANSWERS[name])]
        rows = np.vstack([LABELS, ANSWERS[name]]).T
        write(here / "metrics.json", json.dumps(of_model))
        write(here / "answers.csv", pd.DataFrame(rows, columns=columns).to_csv(index=False))
        shares = (ANSWERS[name][0] == LABELS).reshape(3, 100).mean(axis=1)
        classes = {"class": range(3), "name": CLASSES, "images": 100, "accuracy": shares}
        write(here / "per_class.csv", pd.DataFrame(classes).to_csv(index=False))
        bins = {"count": [100, 200], "confidence": [0.3, 0.8], "accuracy": [0.4, 0.7]}
        write(here / "calibration.json", json.dumps({"as they come": bins, "calibrated": bins}))
        for picture in ("confusion", "confused_pairs", "mistakes"):
            Image.new("RGB", (4, 3)).save(here / f"{picture}.png")
        if of_model["kind"] == "single":
            history = "epoch,train_accuracy,val_accuracy\n1,0.3,0.4\n2,0.5,0.6\n"
            write(here / "history.csv", history)
            write(here / "learning_rate.csv", "step,learning_rate\n0,0\n1,0.1\n2,0.2\n3,0.1\n")
    write(folder / "models/swift/search.json", json.dumps(search))
    matrix = [[0, 0.3], [0.3, 0]]
    diversity = {"disagreement": matrix, "error_correlation": [[1, 0.7], [0.7, 1]]}
    write(folder / "models/swift_sum/diversity.json", json.dumps(diversity))
    write(folder / "data/summary.json", json.dumps(data))
    for picture in ("contact_sheet", "copies"):
        Image.new("RGB", (4, 3)).save(folder / "data" / f"{picture}.png")
    return folder


@pytest.fixture
def recorded(reports, models):
    return read_recorded(reports, models)
