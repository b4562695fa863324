from report import class_intervals, compare_all, doubtful_labels, share_intervals

import numpy as np
import pytest

LABELS = np.array([0, 1, 2, 0])


def test_every_two_models_are_compared_and_an_ensemble_with_its_last_and_best_member():
    models = {"baseline": {}, "five": {}, "five_sum": {"variant": "five"}}
    models["five_sum"]["member_validation_accuracy"] = [0.5, 0.4]
    answers = {
        "baseline": np.array([[0, 0, 0, 0]]),
        "five": np.array([[0, 1, 0, 0]]),
        "five_sum": np.array([[0, 1, 2, 0], [0, 1, 2, 1], [1, 0, 0, 1]]),
    }
    found = {(c["a"], c["b"]): c["difference"] for c in compare_all(models, LABELS, answers)}
    assert found == {
        ("five", "baseline"): 0.25,
        ("five_sum", "baseline"): 0.5,
        ("five_sum", "five"): 0.25,
        ("five_sum", "five:last_snapshot"): 1.0,
        ("five_sum", "five:best_snapshot"): 0.25,
    }
    models["five_sum"]["member_validation_accuracy"] = [0.4, 0.5]
    names = [c["b"] for c in compare_all(models, LABELS, answers) if c["a"] == "five_sum"]
    assert names == ["baseline", "five", "five:last_snapshot"]


def test_labels_are_doubtful_that_all_models_contradict_alike():
    answers = {
        "a": np.array([0, 2, 1, 1]),
        "b": np.array([0, 2, 0, 1]),
        "c": np.array([0, 2, 1, 1]),
    }
    assert doubtful_labels(LABELS, answers, ["ape", "bee", "cat"]) == [
        {"index": 1, "class": "bee", "answer": "cat"},
        {"index": 3, "class": "ape", "answer": "bee"},
    ]


def test_one_model_does_not_agree_with_anybody():
    assert doubtful_labels(LABELS, {"a": np.array([1, 1, 1, 1])}, ["ape", "bee", "cat"]) == []
    assert doubtful_labels(LABELS, {}, ["ape", "bee", "cat"]) == []


def test_intervals_of_classes_are_wilsons():
    # by hand: (k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n + z²) with z = 1.96
    intervals = class_intervals(np.array([0.3, 0.0]), [10, 100])
    assert intervals == pytest.approx(np.array([[0.1078, 0.6032], [0.0, 0.0370]]), abs=1e-4)


def test_intervals_of_shares():
    # By hand, with z = 1.96: (0.5 + z²/20 ± z·√(0.25/10 + z²/400)) / (1 + z²/10) for 5 of 10.
    found = share_intervals({"accuracy": 0.4, "top5_accuracy": 0.5, "nll": 1.0}, 10)
    assert found == {"top5_accuracy": pytest.approx((0.23659, 0.76341), abs=1e-5)}
