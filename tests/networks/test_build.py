from typing import get_args

from fifteen.networks.build import NETWORKS, build_network
from fifteen.params.sections import Baseline, Convnet, Network, Refined, Swift

import keras
import numpy as np
import pytest

CONFIGS = {
    "baseline": Baseline(name="baseline"),
    "convnet": Convnet(name="convnet", normalize_input=True, conv_activation="leaky_relu"),
    "refined": Refined(name="refined"),
    "swift": Swift(name="swift", width=2),
}
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
POLICIES = ["float32", "mixed_bfloat16"]


@pytest.fixture(scope="module", params=[(n, p) for n in sorted(CONFIGS) for p in POLICIES])
def network(request):
    """Each network in each precision."""
    name, policy = request.param
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    keras.utils.set_random_seed(1)
    try:
        return build_network(CONFIGS[name], 7, IMAGES)
    finally:
        keras.config.set_dtype_policy(kept)


@pytest.fixture(scope="module")
def images():
    return IMAGES


def test_params_yaml_can_name_exactly_these():
    union, *_ = get_args(Network)
    names = [get_args(member.model_fields["name"].annotation) for member in get_args(union)]
    assert sorted(names) == [(name,) for name in sorted(CONFIGS)]
    assert set(CONFIGS) == {*NETWORKS, "swift"}


def test_the_settings_reach_the_network():
    config = Convnet(name="convnet", filters_1=5, filters_2=6, dense_units=7, dropout=0.25)
    network = build_network(config, 3, IMAGES)
    shapes = [v.shape for v in network.trainable_variables if len(v.shape) > 1]
    assert shapes == [(3, 3, 3, 5), (3, 3, 5, 6), (6 * 6 * 6, 7), (7, 3)]
    assert [x.rate for x in network.layers if isinstance(x, keras.layers.Dropout)] == [0.25]


def test_swift_is_built_from_the_images():
    one, again, other = (
        build_network(CONFIGS["swift"], 3, images) for images in (IMAGES, IMAGES, IMAGES[:2])
    )
    stems = [network.get_layer("stem").kernel.numpy() for network in (one, again, other)]
    np.testing.assert_array_equal(stems[0], stems[1])
    assert (stems[0] != stems[2]).any()


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_names(name):
    assert build_network(CONFIGS[name], 2, IMAGES).name == name


def test_probabilities_come_out(network, images):
    actual = network.predict(images, verbose=0)
    assert actual.shape == (5, 7)
    assert actual.dtype == np.float32
    assert (actual >= 0).all()
    np.testing.assert_allclose(actual.sum(axis=1), 1, atol=1e-6)


def test_raw_images_of_either_type_go_in(network, images):
    whole, real = (network.predict(images.astype(t), verbose=0) for t in (np.uint8, np.float32))
    np.testing.assert_array_equal(whole, real)
    (actual, expected) = (
        np.asarray(network(images)),
        np.asarray(network(images.astype("float32"))),
    )
    np.testing.assert_array_equal(actual, expected)


def test_the_answer_depends_on_the_image(network, images):
    actual = network.predict(images, verbose=0)
    assert np.ptp(actual, axis=0).max() > 1e-4


def test_weights_are_kept_in_float32(network):
    assert {v.dtype for v in network.trainable_variables} == {"float32"}


def test_the_seed_decides_the_weights():
    built = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        built.append(build_network(CONFIGS["baseline"], 3, IMAGES).get_weights()[0])
    np.testing.assert_array_equal(built[0], built[1])
    assert (built[0] != built[2]).any()


def test_saved_and_loaded_in_safe_mode(network, images, tmp_path):
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), network.predict(images, verbose=0)
    )
