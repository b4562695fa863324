import typing

from fifteen import config
from fifteen.config import Data, Ensemble, Split, Training
from fifteen.evaluation.metrics import wilson_interval
from fifteen.reporting.model_card import (
    LICENCES,
    TOGETHER,
    description,
    model_card,
    share_with_interval,
    what_is_what,
)

import pytest

DATA = {
    "classes": 100,
    "images": {"train": 45000, "validation": 5000, "test": 10000},
    "images_also_in_train": {"validation": 2, "test": 9},
    "images_per_class": [
        {"train": 450, "validation": 48, "test": 100},
        {"train": 449, "validation": 52, "test": 100},
    ],
}
SPLIT = Split(train=[[0, 35], [45, 100]], validation=[[35, 44.5]])
MORE = {
    "network": "swift",
    "images_seen": 675000,
    "temperature": 0.5,
    "seed": 42,
    "run_id": "0123abcd",
    "hardware": {"device": "2 cores of a CPU", "precision": "float32"},
}


@pytest.fixture
def card(metrics):
    def make(name, **changes):
        metrics["models"][name] |= MORE | changes
        metrics["models"]["snapshot"]["seed"] = 42
        return model_card(metrics, DATA, SPLIT, name)

    return make


def test_of_a_single_model(card):
    text = card("snapshot")
    for line in (
        "# Model card: snapshot",
        "- One network, `swift`, of 1,253,284 parameters.",
        "- Its training: 3×3 convolutions of 32 and 64 filters, a dense layer of 512 units; Adam, "
        "constant learning rate 0.001; 15 epochs in batches of 128; keeps the epoch with the best "
        "validation accuracy.",
        "- 15 passes over the training images, of 15 allowed; 675,000 images seen.",
        "| validation accuracy | 51.00 % |",
        "| test accuracy (95 % interval) | 50.00 (49.00–51.00) % |",
        "| the same, calibrated | 2.123 |",
        "| right class among the first five | 75.00 (74.14–75.84) % |",
        "| right superclass | 60.00 (59.04–60.96) % |",
        "- Its most frequent mistakes: otter taken for apple (12).",
        '    "batch_size": 128,',
    ):
        assert line in text.splitlines()
    words = " ".join(text.split())
    for phrase in (
        "Of the 3 models of this run of the pipeline snapshot has the best validation accuracy",
        "Where a model of an older run has that alias and a better validation accuracy, it keeps",
        "The run of snapshot in MLflow is `0123abcd`.",
        "a mistake does harm: 50.00 % of its answers on the test images are wrong",
        "0 to 35 and 45 to 100 % of them, in the order of the source, to learn from, and 35 to "
        "44.5 % to choose by",
        "This cut is not drawn, so that it has no seed, and not stratified: of each class there "
        "are 449–450 training, 48–52 validation and 100 test images.",
        "2 of the validation images and 9 of the test images",
        "probabilities come out too low; their logarithms divided by the temperature 0.500",
        "evaluate_variant@snapshot` at the commit",
        "seed 42",
        "no licence",
    ):
        assert phrase in words


def test_of_an_ensemble(card):
    text = card("snapshot_sum", temperature=1.5)
    assert (
        "- An ensemble, the summed probabilities of 5 snapshots of snapshot, with 1,253,284 "
        "parameters in all.\n- The training of `snapshot`: 3×3 convolutions of 32 and 64 filters"
    ) in text
    assert "probabilities come out too high" in text
    assert "evaluate_ensemble@snapshot_sum`" in text
    assert '"method": "sum"' in text
    assert '"batch_size": 128' in text
    assert "seed 42" in text


def test_of_the_baseline(card):
    assert "`dvc repro evaluate_baseline@baseline`" in card("baseline")


def test_an_interval_is_that_of_the_evaluation():
    low, high = wilson_interval(7671, 10000)
    assert share_with_interval(0.7671, 10000) == f"76.71 ({100 * low:.2f}–{100 * high:.2f})"


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
        "pixels, of 20, then 32 pixels; label smoothing 0.1, self-distillation (at the end "
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
            {"schedule": {"name": "triangular", "peak": 0.1, "half_cycle_epochs": 5}},
            "learning rate from 0 to 0.1 and back, 5 epochs each way",
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
    assert set(TOGETHER) == set(typing.get_args(Ensemble.model_fields["method"].annotation))


def test_what_is_what_has_a_line_on_each_model(metrics):
    header, rows = what_is_what(metrics["models"])
    assert header == ["model", "what it is"]
    assert [row[0] for row in rows] == list(metrics["models"])
    assert rows[2][1] == "the summed probabilities of 5 snapshots of snapshot"


def test_what_a_data_set_lacks_is_left_out(metrics, card):
    metrics["source"] = "digits"
    del metrics["models"]["snapshot"]["test"]["superclass_accuracy"]
    metrics["models"]["snapshot"]["test"]["confused_pairs"] = []
    text = card("snapshot")
    assert "superclass" not in text
    assert "frequent mistakes" not in text
    assert "CC BY 4.0" in text


def test_every_data_set_has_a_note_on_its_licence():
    assert set(LICENCES) == set(typing.get_args(Data.model_fields["source"].annotation))
