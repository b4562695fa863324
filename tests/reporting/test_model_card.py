import typing

from fifteen.config import Data
from fifteen.reporting.model_card import LICENCES, model_card

import pytest

DATA = {"classes": 100, "images_also_in_train": {"validation": 2, "test": 9}}
MORE = {
    "network": "swift",
    "images_seen": 675000,
    "temperature": 0.5,
    "seed": 42,
    "hardware": {"device": "2 cores of a CPU", "precision": "float32"},
    "hyperparameters": {"batch_size": 128, "network": {"width": 64}},
}


@pytest.fixture
def card(metrics):
    def make(name, **changes):
        metrics["models"][name] |= MORE | changes
        metrics["models"]["snapshot"] |= {"seed": 42, "hyperparameters": MORE["hyperparameters"]}
        return model_card(metrics, DATA, name)

    return make


def test_of_a_single_model(card):
    text = card("snapshot")
    for line in (
        "# Model card: snapshot",
        "- One network, `swift`, of 1,253,284 parameters.",
        "- 15 passes over the training images, of 15 allowed; 675,000 images seen.",
        "| accuracy (95 % interval) | 50.00 (49.00–51.00) % |",
        "| the same, calibrated | 2.123 |",
        "| right superclass | 60.00 % |",
        "- Its most frequent mistakes: otter taken for apple (12).",
        '    "batch_size": 128,',
    ):
        assert line in text.splitlines()
    assert (
        "probabilities come out too low; their logarithms divided by the temperature 0.500" in text
    )
    assert "2 of the validation images and 9 of the test images" in text
    assert "evaluate_variant@snapshot` at the commit" in text
    assert "seed 42" in text
    assert "no licence" in text


def test_of_an_ensemble(card):
    text = card("snapshot_sum", temperature=1.5)
    assert "An ensemble, the sum of 5 snapshots of `snapshot`, with 1,253,284 parameters" in text
    assert "probabilities come out too high" in text
    assert "evaluate_ensemble@snapshot_sum`" in text
    assert '"method": "sum"' in text
    assert '"batch_size": 128' in text
    assert "seed 42" in text


def test_of_the_baseline(card):
    assert "`dvc repro evaluate_baseline@baseline`" in card("baseline")


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
