from pathlib import Path

from fifteen.data.batches import steps_per_epoch
from fifteen.networks.build import build_network
from fifteen.params.reading import load_params
from fifteen.params.sections import Training
from fifteen.training.adaptation import adapted, describe_changes, limit_momentum

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
PARAMS = load_params(ROOT / "params.yaml")
CONVNET = Training(network={"name": "convnet"})
TRAININGS = {"baseline": PARAMS.baseline, "convnet": CONVNET, **PARAMS.variants}


def training(batch_size, flip=False):
    return Training(
        network={"name": "baseline"},
        optimizer={"name": "adam"},
        schedule={"name": "constant", "rate": 0.001},
        augmentation={"flip": flip, "crop": 2},
        batch_size=batch_size,
    )


@pytest.mark.parametrize("name", TRAININGS)
def test_on_cifar100_every_section_stays_as_it_is(name):
    config = TRAININGS[name]
    assert adapted(config, 45_000, True, PARAMS.budget.min_steps_per_epoch) == config
    assert describe_changes(config, config) == ""


@pytest.mark.parametrize(
    ("images", "batch_size", "min_steps", "expected"),
    [
        (1347, 1024, 20, 67),  # 1347 / 20 = 67.35
        (1347, 64, 20, 64),
        (2500, 128, 20, 125),
        (10_000, 1024, 20, 500),
        (15, 128, 20, 1),  # fewer images than steps
        (1347, 1024, 1, 1024),
    ],
)
def test_batch_size(images, batch_size, min_steps, expected):
    assert adapted(training(batch_size), images, True, min_steps).batch_size == expected


@given(st.integers(1, 100_000), st.integers(1, 2000), st.integers(1, 100))
def test_an_epoch_has_enough_steps_where_there_are_as_many_images(images, batch_size, min_steps):
    config = adapted(training(batch_size), images, True, min_steps)
    assert config.batch_size <= batch_size
    assert steps_per_epoch(images, config.batch_size) >= min(min_steps, images)


@pytest.mark.parametrize("flip", [True, "alternating"])
def test_images_are_mirrored_only_where_they_keep_their_class(flip):
    config = training(64, flip)
    kept, without = (adapted(config, 10_000, mirrored, 20) for mirrored in (True, False))
    assert kept == config
    assert without.augmentation.flip is False
    assert without.augmentation.crop == 2
    assert "mirrored" in describe_changes(config, without)


def test_the_changes_in_words():
    config = training(1024)
    words = describe_changes(config, adapted(config, 1347, True, 20))
    assert words.startswith("batches of 67 images instead of 1,024")


def momenta(network):
    """Of each layer of batch normalisation."""
    return [x.momentum for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]


@pytest.mark.parametrize("name", ["baseline", "refined", "convnet", "swift_tiny"])
def test_on_cifar100_the_momentum_stays_as_it_is(name):
    config = TRAININGS[name]
    network = build_network(config.network, 100, np.zeros((40, 32, 32, 3), np.uint8) + 7)
    before = momenta(network)
    limit_momentum(network, steps_per_epoch(45_000, config.batch_size))
    assert momenta(network) == before
    assert len(before) > 1


@pytest.mark.parametrize(("steps", "expected"), [(30, 0.9), (12, 0.75), (3, 0.0), (1, 0.0)])
def test_the_momentum_of_a_short_training(steps, expected):
    network = build_network(PARAMS.baseline.network, 10, np.zeros((1, 32, 32, 3), np.uint8))
    limit_momentum(network, steps)
    assert momenta(network) == pytest.approx([expected] * 3)
