import typing

from fifteen.params import sections as config
from fifteen.params.sections import Rule, Training
from fifteen.reporting.descriptions import TOGETHER, description, what_is_what

import pytest

TRIANGULAR = {"name": "triangular", "peak": 0.1, "half_cycle_epochs": 5}


def described(**section):
    """The words for a training of 15 epochs."""
    training = Training.model_validate({"network": "baseline"} | section).model_dump()
    return description({"kind": "single", "epochs": 15, "hyperparameters": training})


def test_a_training_in_words():
    training = {
        "network": {"name": "swift", "width": 64},
        "optimizer": "muon",
        "schedule": {"name": "one_cycle", "peak": 0.18, "floor": 0.1, "restarts": [[0.5, 1.0]]},
        "label_smoothing": 0.1,
        "self_distillation": 0.5,
        "augmentation": {"flip": "alternating", "crop": 2, "cutout": 8},
        "averaging": "lookahead",
        "resolution": [[0, 20], [0.5, 32]],
        "batch_size": 1024,
        "patience": 3,
        "monitor": "val_loss",
        "snapshots": [0.5, 1.0],
    }
    assert described(**training) == (
        "nine 3×3 convolutions in three residual groups, the first of 64 filters, behind a "
        "whitening stem; Muon, learning rate from 0 to 0.18 and down to 0.018, with restarts; "
        "images mirrored in every second epoch, shifted by up to 2 pixels, with a cutout of 8 "
        "pixels, of 20, then 32 pixels; label smoothing 0.1, self-distillation (up to "
        "0.5 of a target is the network's own answer); lookahead averaging of the weights; 15 "
        "epochs in batches of 1024; stops after 3 epochs without a better validation loss, keeps "
        "the epoch with the best validation loss and 2 snapshots"
    )


@pytest.mark.parametrize(
    ("section", "words"),
    [
        (
            {"network": {"name": "convnet", "filters_2": 96, "normalize_input": True}},
            "of 32 and 96 filters, a dense layer of 512 units, pixels from −1 to 1",
        ),
        ({"network": "refined"}, "pre-activation convolutions of 32, 64 and 128 filters"),
        (
            {"network": {"name": "swift", "residual": False, "whitening": False}},
            "in three groups, the first of 128 filters, behind a learned stem",
        ),
        (
            {"schedule": {"name": "piecewise", "rate": 0.01, "factors": [[1, 1.0], [7, 0.1]]}},
            "learning rate from 0.01 to 0.001 in steps",
        ),
        (
            {"schedule": TRIANGULAR | {"per": "step"}},
            "learning rate from 0 to 0.1 and back, 5 epochs each way",
        ),
        (
            {"schedule": TRIANGULAR | {"per": "epoch"}},
            "learning rate 0.1 in the first epoch, then from 0 to 0.1 and back, 5 epochs each way",
        ),
        (
            {"schedule": {"name": "cosine", "peak": 0.0032414, "cycles": 5}},
            "learning rate from 0.00324 to 0 along a cosine, 5 times",
        ),
        ({"schedule": {"name": "cosine", "peak": 0.1}}, "to 0 along a cosine; "),
        (
            {"augmentation": {"flip": True, "cutmix": 0.5}},
            "images mirrored at random, 50 % of them",
        ),
        ({"snapshots": 3}, "validation accuracy and 3 snapshots"),
    ],
)
def test_parts_of_a_training_in_words(section, words):
    assert words in described(**section)


def names(union):
    """The names of the sections that one of config.py's unions allows."""
    kinds = typing.get_args(typing.get_args(union)[0])
    return [typing.get_args(kind.model_fields["name"].annotation)[0] for kind in kinds]


SCHEDULES = [
    {"name": "constant", "rate": 0.1},
    {"name": "piecewise", "rate": 0.1, "factors": [[1, 1.0]]},
    {"name": "triangular", "peak": 0.1, "half_cycle_epochs": 5},
    {"name": "cosine", "peak": 0.1},
    {"name": "linear", "peak": 0.1},
    {"name": "one_cycle", "peak": 0.1},
]


def test_every_choice_has_words():
    assert [schedule["name"] for schedule in SCHEDULES] == names(config.Schedule)
    for schedule in SCHEDULES:
        assert "learning rate" in described(schedule=schedule)
    for key in ("network", "optimizer", "averaging"):
        for name in names(getattr(config, key.capitalize())):
            assert described(**{key: name})


def test_every_method_has_words():
    assert set(TOGETHER) == set(typing.get_args(Rule))


def test_what_is_what_has_a_line_on_each_model(metrics):
    header, rows = what_is_what(metrics["models"])
    assert header == ["model", "what it is"]
    assert [row[0] for row in rows] == list(metrics["models"])
    assert rows[2][1] == "the summed probabilities of 5 snapshots of snapshot"


def test_an_ensemble_whose_rule_validation_chose_says_from_what():
    model = {"kind": "ensemble", "method": "weighted", "members": 2, "variant": "swift"}
    model |= {"weights": [0.75, 0.25], "chosen_from": {"sum": 0.77, "weighted": 0.7712}}
    assert description(model) == (
        "the probabilities, summed by weights fitted on the validation images, of 2 snapshots of "
        "swift; weights 0.75, 0.25; the rule that has most of the validation images right, in %: "
        "sum 77.00, weighted 77.12"
    )
