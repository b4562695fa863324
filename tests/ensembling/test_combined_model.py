import os
import subprocess
import sys

from fifteen.ensembling.combined_model import average_weights, build_ensemble, predictor
from fifteen.ensembling.rules import RULES

import keras
import numpy as np
import pytest

CLASSES = 4


def member(seed):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
            keras.layers.Dense(CLASSES, kernel_initializer="random_normal"),
            keras.layers.Softmax(dtype="float32"),
        ],
        name="baseline",  # all members come with the same name
    )


@pytest.fixture(scope="module")
def members():
    return [member(seed) for seed in range(5)]


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def stored(members, images):
    """The members' own predictions, (images, members, classes)."""
    return np.stack([m.predict(images, verbose=0) for m in members], axis=1)


@pytest.fixture(scope="module", params=sorted(RULES))
def saved(request, members, stored, tmp_path_factory):
    """An exported ensemble: its rule, the model, its file."""
    path = tmp_path_factory.mktemp("ensemble") / "model.keras"
    ensemble = build_ensemble(members, request.param)
    ensemble.save(path)
    return request.param, ensemble, path


def test_the_members_disagree(stored):
    assert len(np.unique(stored.argmax(axis=-1), axis=1)) > 1


def test_one_call_answers_by_the_rule(saved, stored, images):
    method, ensemble, _ = saved
    actual = ensemble.predict(images, verbose=0)
    expected = np.asarray(RULES[method](stored))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, atol=1e-6)
    np.testing.assert_array_equal(actual.argmax(axis=1), expected.argmax(axis=1))


def test_the_exported_model_breaks_ties_as_the_rule_does():
    def says(*shares):
        start = keras.initializers.Constant(np.log(shares))
        dense = keras.layers.Dense(3, "softmax", kernel_initializer="zeros", bias_initializer=start)
        return keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), dense])

    # Two votes for class 1, two for class 2, which has the larger sum; class 0 has none.
    members = [says(*p) for p in [(0.3, 0.4, 0.3)] * 2 + [(0.1, 0.1, 0.8)] * 2]
    ensemble = build_ensemble(members, "vote")
    (actual,) = ensemble.predict(np.zeros((1, 32, 32, 3), np.uint8), verbose=0)
    assert actual.argmax() == 2
    np.testing.assert_allclose(actual, np.array([0, 2, 2 + 1e-4]) / (4 + 1e-4), atol=1e-6)


def test_what_each_member_says(saved, stored, images):
    method, ensemble, _ = saved
    outputs = predictor(ensemble)(images)
    actual = outputs["member_probabilities"]
    assert actual.shape == (40, 5, CLASSES)
    np.testing.assert_allclose(actual, stored, atol=1e-6)
    np.testing.assert_array_equal(
        outputs["probabilities"].argmax(axis=1), np.asarray(RULES[method](actual)).argmax(axis=1)
    )


def test_a_single_model_has_no_members(members, images, stored):
    outputs = predictor(members[0])(images)
    assert list(outputs) == ["probabilities"]
    np.testing.assert_allclose(outputs["probabilities"], stored[:, 0], atol=1e-6)


def test_weights_are_part_of_the_model(members, images, stored, tmp_path):
    weights = [0.5, 0.0, 0.25, 0.125, 0.125]
    ensemble = build_ensemble(members, "greedy", weights)
    ensemble.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = np.tensordot(stored, weights, axes=(1, 0))
    np.testing.assert_allclose(loaded.predict(images, verbose=0), expected, atol=1e-6)
    assert loaded.name == "greedy_of_5"


def normalized(scale):
    """A network whose only weights are those of a batch normalisation, times and plus `scale`."""
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.BatchNormalization(epsilon=0.0, momentum=0.75),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )
    network.layers[0].set_weights([np.full(3, s, np.float32) for s in (scale, scale, 0, 1)])
    return network


def test_averaged_weights_by_hand(images):
    images = np.concatenate([images, images + np.uint8(7)])[:60]
    network = average_weights([normalized(1.0), normalized(2.0), normalized(6.0)], images)
    layer = network.layers[0]
    gamma, beta, mean, variance = layer.get_weights()
    np.testing.assert_allclose([gamma, beta], np.full((2, 3), 3.0))
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, images.var(axis=(0, 1, 2), dtype=np.float64), rtol=1e-4)
    assert layer.momentum == 0.75


def test_statistics_are_means_over_batches():
    images = np.zeros((1000, 32, 32, 3), np.uint8)
    images[500:] = 100  # two batches, each without variance
    network = average_weights([normalized(1.0)], images)
    *_, mean, variance = network.layers[0].get_weights()
    np.testing.assert_allclose(mean, 50, rtol=1e-5)
    np.testing.assert_allclose(variance, 0, atol=1e-5)


def test_a_part_of_the_images_is_enough_for_statistics(monkeypatch):
    monkeypatch.setattr("fifteen.ensembling.combined_model.STATISTICS_IMAGES", 500)
    images = np.zeros((1000, 32, 32, 3), np.uint8)
    images[500:] = 100
    *_, mean, _ = average_weights([normalized(1.0)], images).layers[0].get_weights()
    np.testing.assert_array_equal(mean, 0)


def test_averaging_without_batch_normalisation(members, images):
    network = average_weights(members, images)
    expected = np.mean([m.get_weights()[0] for m in members], axis=0)
    np.testing.assert_allclose(network.get_weights()[0], expected, rtol=1e-6)


def test_a_loaded_ensemble_is_the_same(saved, images):
    _, ensemble, path = saved
    loaded = keras.models.load_model(path)
    expected = predictor(ensemble)(images)
    for name, actual in predictor(loaded)(images).items():
        np.testing.assert_array_equal(actual, expected[name])


def test_raw_images_of_either_type_go_in(saved, images):
    _, ensemble, _ = saved
    np.testing.assert_array_equal(
        ensemble.predict(images, verbose=0),
        ensemble.predict(images.astype(np.float32), verbose=0),
    )


def test_a_user_needs_keras_alone(members, images, tmp_path):
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for method in RULES:
        ensemble = build_ensemble(members, method)
        ensemble.save(tmp_path / f"{method}.keras")
        expected[method] = ensemble.predict(images, verbose=0)
    program = """
import sys, keras, numpy as np
for method in sys.argv[1:]:
    model = keras.models.load_model(f"{method}.keras", safe_mode=True)
    np.save(f"{method}.npy", model.predict(np.load("images.npy"), verbose=0))
assert not any(name.partition(".")[0] == "fifteen" for name in sys.modules)
"""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", program, *RULES]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    for method in RULES:
        actual = np.load(tmp_path / f"{method}.npy")
        np.testing.assert_allclose(actual, expected[method], atol=1e-6)


def test_size_and_names(saved, members):
    method, ensemble, _ = saved
    assert ensemble.name == f"{method}_of_5"
    assert ensemble.count_params() == sum(m.count_params() for m in members)
    assert ensemble.output_shape == (None, CLASSES)


@pytest.mark.parametrize("method", sorted(RULES))
def test_the_order_of_the_members_does_not_matter(method, members, images):
    actual = build_ensemble(members, method).predict(images, verbose=0)
    turned = build_ensemble(members[::-1], method).predict(images, verbose=0)
    np.testing.assert_allclose(actual, turned, atol=1e-6)
    np.testing.assert_array_equal(actual.argmax(axis=1), turned.argmax(axis=1))
