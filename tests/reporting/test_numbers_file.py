import json

from fifteen.reporting.numbers_file import (
    aliases,
    best_first,
    compare_all,
    compared,
    doubtful_labels,
    validation_accuracies,
)

import numpy as np
import pytest

LABELS = np.array([0, 1, 2, 0])


def test_the_content_is_json_with_the_names_that_others_read(metrics):
    assert json.loads(json.dumps(metrics)) == metrics
    assert metrics["source"] == "cifar100"
    assert metrics["epoch_budget"] == 15
    assert (metrics["train_images"], metrics["test_images"]) == (1500, 300)
    assert list(metrics["models"]) == ["baseline", "swift", "swift_sum"]
    assert compared(metrics, "swift", "baseline")["difference"] == pytest.approx(0.3)
    # all good single models, of which there is one, agree on nothing
    assert metrics["doubtful_labels"] == {"models": ["swift"], "images": []}


def test_a_model_has_its_own_commit_or_that_of_its_run(metrics):
    commits = {name: model.get("commit") for name, model in metrics["models"].items()}
    assert commits == {"baseline": None, "swift": "0123abc", "swift_sum": None}


def test_every_two_models_are_compared_and_an_ensemble_with_its_last_and_best_member():
    models = {"baseline": {}, "five": {}, "five_sum": {"variant": "five"}}
    models["five_sum"]["member_validation_accuracy"] = [0.5, 0.4]
    answers = {
        "baseline": np.array([[0, 0, 0, 0]]),
        "five": np.array([[0, 1, 0, 0]]),
        "five_sum": np.array([[0, 1, 2, 0], [0, 1, 2, 1], [1, 0, 0, 1]]),
    }
    gains = {(c["a"], c["b"]): c["difference"] for c in compare_all(models, LABELS, answers)}
    assert gains == {
        ("five", "baseline"): 0.25,
        ("five_sum", "baseline"): 0.5,
        ("five_sum", "five"): 0.25,
        ("five_sum", "five:last_snapshot"): 1.0,
        ("five_sum", "five:best_snapshot"): 0.25,
    }
    models["five_sum"]["member_validation_accuracy"] = [0.4, 0.5]
    names = [c["b"] for c in compare_all(models, LABELS, answers) if c["a"] == "five_sum"]
    assert names == ["baseline", "five", "five:last_snapshot"]


def test_a_comparison_can_be_asked_for_the_other_way_round(metrics):
    there, back = compared(metrics, "swift", "baseline"), compared(metrics, "baseline", "swift")
    assert (there["verdict"], back["verdict"]) == ("better", "worse")
    assert back["difference"] == -there["difference"]
    assert back["ci95"] == [-bound for bound in reversed(there["ci95"])]
    with pytest.raises(KeyError, match="swift is not compared with another"):
        compared(metrics, "swift", "another")


def test_labels_are_doubtful_that_all_models_contradict_alike():
    answers = [np.array([0, 2, 1, 1]), np.array([0, 2, 0, 1]), np.array([0, 2, 1, 1])]
    assert doubtful_labels(LABELS, answers, ["ape", "bee", "cat"]) == [
        {"index": 1, "class": "bee", "answer": "cat"},
        {"index": 3, "class": "ape", "answer": "bee"},
    ]
    assert doubtful_labels(LABELS, answers[:1], ["ape", "bee", "cat"]) == []


def test_aliases_go_by_validation_and_the_first_of_equal_ones(models):
    assert aliases(models) == {
        "champion": "swift_sum",
        "baseline": "baseline",
        "best-single": "swift",
        "best-ensemble": "swift_sum",
    }
    models["swift"]["validation"]["accuracy"] = 0.76
    assert best_first(models)[0] == "swift"
    assert "best-ensemble" not in aliases({"baseline": models["baseline"]})


def test_dvc_compares_no_test_results(models):
    assert validation_accuracies(models)["swift"] == {"validation": 0.75}
