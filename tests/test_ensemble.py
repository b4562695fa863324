"""What the stage does but for files: tests/pipeline/test_repro.py runs it."""

from ensemble import combine
from fifteen.ensembling.member_weights import FITS

import keras
import numpy as np
import pytest


def network(seed):
    """A linear one, from images to probabilities of three classes."""
    keras.utils.set_random_seed(seed)
    dense = keras.layers.Dense(3, "softmax", kernel_initializer="random_normal")
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), dense]
    return keras.Sequential([keras.Input((32, 32, 3)), *layers])


@pytest.mark.parametrize("rule", FITS)
def test_a_fitted_rule_weighs_the_members_as_it_says(rule):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 32, 32, 3)).astype(np.uint8)
    networks = [network(seed) for seed in range(3)]
    members = np.stack([one.predict(images, verbose=0) for one in networks], axis=1)
    labels = members[:, 1].argmax(axis=-1)  # the second is always right
    model, actual = combine(networks, rule, members, labels)
    np.testing.assert_allclose(actual["weights"], FITS[rule](members, labels))
    assert np.argmax(actual["weights"]) == 1
    expected = np.einsum("nmc,m->nc", members, actual["weights"])
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
