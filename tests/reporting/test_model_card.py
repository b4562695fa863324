import typing

from fifteen.params.sections import Data, Split
from fifteen.reporting.model_card import LICENCES, model_card

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
INTERVALS = {"top5_accuracy": (0.7414, 0.7584), "superclass_accuracy": (0.5904, 0.6096)}
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
    def make(name, intervals=INTERVALS, **changes):
        metrics["models"][name] |= MORE | changes
        metrics["models"]["snapshot"]["seed"] = 42
        return model_card(metrics, DATA, SPLIT, name, intervals)

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


def test_what_a_data_set_lacks_is_left_out(metrics, card):
    metrics["source"] = "digits"
    metrics["models"]["snapshot"]["test"]["confused_pairs"] = []
    text = card("snapshot", {"top5_accuracy": (0.7, 0.8)})
    assert "superclass" not in text
    assert "frequent mistakes" not in text
    assert "CC BY 4.0" in text


def test_every_data_set_has_a_note_on_its_licence():
    assert set(LICENCES) == set(typing.get_args(Data.model_fields["source"].annotation))
