"""What learns is the same computation on every backend of Keras, not on TensorFlow alone."""

import os
import subprocess
import sys

import numpy as np
import pytest

TRAIN = """
import sys

import numpy as np

folder, name = sys.argv[1:]

from fifteen.networks.swift import swift
from fifteen.training.losses import accuracy, cross_entropy
from fifteen.training.muon import Muon
from fifteen.training.schedules import TabulatedSchedule

import keras

assert keras.backend.backend() == name
assert name == "tensorflow" or "tensorflow" not in sys.modules
with np.load(f"{folder}/start.npz") as given:
    images, labels = given["images"], given["labels"]
    weights = [given[f"weight_{i}"] for i in range(len(given.files) - 2)]
keras.utils.set_random_seed(0)  # now and then a channel hardly varies, and rounding is blown up
network = swift(
    5, images.reshape(-1, *images.shape[2:]), width=2, activation="relu", whitening=True,
    identity_init=True, residual=True, logit_scale=0.14,
)
if weights:
    network.set_weights(weights)
else:
    weights = network.get_weights()
    named = {f"weight_{i}": weight for i, weight in enumerate(weights)}
    np.savez(f"{folder}/start.npz", images=images, labels=labels, **named)
rates = TabulatedSchedule(np.array([0.1, 0.05], np.float32))
network.compile(
    Muon(rates, 0.6, 3, 2.0, 0.9, 0.01), cross_entropy(label_smoothing=0.2), metrics=[accuracy]
)
before = network.predict(images[0], verbose=0)
losses = [network.train_on_batch(x, y) for x, y in zip(images, labels)]
after = network.predict(images[0], verbose=0)
np.savez(
    f"{folder}/{name}.npz", losses=np.array(losses), before=before, after=after,
    **{f"weight_{i}": weight for i, weight in enumerate(network.get_weights())},
)
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What two steps come to on each backend, from the same weights and the same batches."""
    folder = tmp_path_factory.mktemp("backends")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 12, 16, 16, 3), dtype=np.uint8)
    labels = rng.integers(0, 5, (2, 12), dtype=np.int32)
    np.savez(folder / "start.npz", images=images, labels=labels)
    actual = {}
    for name in ("tensorflow", "jax"):
        environment = os.environ | {"KERAS_BACKEND": name, "JAX_PLATFORMS": "cpu"}
        command = [sys.executable, "-c", TRAIN, str(folder), name]
        subprocess.run(command, env=environment, check=True, timeout=240, cwd=folder)
        with np.load(folder / f"{name}.npz") as saved:
            actual[name] = dict(saved)
    with np.load(folder / "start.npz") as saved:
        actual["start"] = dict(saved)
    return actual


def test_predictions_agree(trained):
    for when in ("before", "after"):
        one, other = (trained[name][when] for name in ("tensorflow", "jax"))
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    assert np.abs(trained["jax"]["after"] - trained["jax"]["before"]).max() > 0.01


def test_losses_agree(trained):
    one, other = (trained[name]["losses"] for name in ("tensorflow", "jax"))
    assert one.shape == (2, 2)
    np.testing.assert_allclose(one, other, rtol=1e-4)


def test_weights_agree(trained):
    names = [name for name in trained["start"] if name.startswith("weight_")]
    moved = 0
    for name in names:
        start = trained["start"][name]
        one, other = (trained[backend][name] for backend in ("tensorflow", "jax"))
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
        moved += np.abs(one - start).max() > 1e-3
    assert moved >= len(names) - 1  # all but the stem's kernel
