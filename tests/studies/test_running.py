from types import SimpleNamespace

from fifteen.common.errors import UserError
from fifteen.data.arrays import Part
from fifteen.evaluation.packing import unpacked
from fifteen.params.sections import Training
from fifteen.studies import running
from fifteen.training.history import Epoch

import numpy as np
import pytest

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
def test_summary(monitor, best):
    config = Training.model_validate({"network": "baseline", "monitor": monitor})
    assert running._summary(SimpleNamespace(history=HISTORY, config=config)) == best | {
        "epochs": 3,
        "last_val_accuracy": 0.6,
        "last_val_loss": 1.1,
        "train_accuracy": 0.9,
        "seconds": 33.5,
    }


def test_scores_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.2]], np.float32)
    scores = running._scores(probabilities, np.array([0, 0, 1, 1]))
    # Three of four are right, so that 0.75 is the best thing to say.
    assert scores["accuracy"] == 0.75
    assert scores["nll"] == pytest.approx(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)), abs=1e-4)
    assert unpacked(scores["right"]).tolist() == [True, True, True, False]


def test_test_scores_by_hand(monkeypatch):
    """Members that look at one corner each; both images are of class 1."""
    images = np.zeros((2, 4, 4, 1), np.uint8)
    images[0, 0, 0] = images[1, 3, 3] = 1
    part = Part(images, np.array([1, 1]))

    def corner(row, column, confidence):
        def predict(images):
            seen = images[:, row, column, 0] > 0
            share = np.where(seen, confidence, 1 - confidence)
            return np.stack([1 - share, share], axis=1)

        return predict

    first, last = corner(0, 0, 0.9), corner(3, 3, 0.6)
    monkeypatch.setattr(running, "read_part", lambda folder, name: part)
    monkeypatch.setattr(running, "_predict", lambda network: network)
    scores = running._test_scores(first, [first, last], mirrored=False)
    assert (scores["accuracy"], unpacked(scores["right"]).tolist()) == (0.5, [True, False])
    assert set(scores["rules"]) == {"sum", "logits", "vote"}
    # Image 0: (0.9 + 0.4) / 2, image 1: (0.1 + 0.6) / 2.
    assert unpacked(scores["rules"]["sum"]["right"]).tolist() == [True, False]
    assert running._test_scores(first, [], mirrored=False)["rules"] == {}


@pytest.fixture
def measured(monkeypatch, study):
    """What is trained and written, in place of doing it."""
    done = []

    def measure(row, seed):
        done.append((row.name, seed))
        return {"val_accuracy": 0.5}, []

    monkeypatch.setattr(running, "measure", measure)
    monkeypatch.setattr(running, "write_result", lambda result: "a file")
    monkeypatch.setattr(running, "read_classes", lambda folder: SimpleNamespace(source="cifar100"))
    return done


def test_rows_with_the_same_training_are_trained_once(measured, study, params, monkeypatch):
    monkeypatch.setattr(running, "load_params", lambda: params)
    made = study(
        {
            "alone": {"change": {"snapshots": 2}},
            "together": {"change": {"snapshots": 2}, "rule": "sum"},
            "other": {},
        },
    )
    running.run_all([(row, seed) for seed in (1, 2) for row in made.rows])
    assert measured == [("alone", 1), ("other", 1), ("alone", 2), ("other", 2)]


def test_data_of_another_source(measured, study, params, monkeypatch):
    other = params.data.model_copy(update={"source": "digits"})
    monkeypatch.setattr(running, "load_params", lambda: params.model_copy(update={"data": other}))
    with pytest.raises(UserError, match=r"data/trainval is of cifar100, params\.yaml of digits"):
        running.run_all([(study({"a": {}}).rows[0], 1)])
    assert measured == []


def test_a_folder_of_work_is_removed(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "state.npz").write_text("")
    running._remove(tmp_path / "work")
    running._remove(tmp_path / "work")
    assert list(tmp_path.iterdir()) == []
