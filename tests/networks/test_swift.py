import subprocess
import sys
from math import erf

from fifteen.networks import swift as module
from fifteen.networks.swift import identity_kernel, standardization, swift, whitening_kernel
from fifteen.params.sections import Training

import keras
import numpy as np
import pytest
from pydantic import ValidationError

SETTINGS = {
    "width": 4,
    "activation": "silu",
    "whitening": True,
    "identity_init": True,
    "residual": True,
    "logit_scale": 0.14,
}


def smooth_images(number, size=32, seed=0):
    """Noise over random gradients and colours, so that neighbours are correlated as in photos."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size][..., np.newaxis] / size
    slopes = rng.uniform(-80, 80, (2, number, 1, 1, 3))
    actual = rng.uniform(60, 200, (number, 1, 1, 3)) + slopes[0] * rows + slopes[1] * columns
    return np.clip(actual + rng.normal(0, 20, actual.shape), 0, 255).astype(np.uint8)


IMAGES = smooth_images(60)
SMALLEST = 9  # the stem makes 8 of it, and the groups 4, 2 and 1


def build(classes=5, images=IMAGES, seed=0, **changes):
    keras.utils.set_random_seed(seed)
    return swift(classes, images, **SETTINGS | changes)


def within(network, layer):
    """A model from images to what comes out of a layer."""
    return keras.Model(network.input, layer.output)


def convolutions(network):
    """The nine convolutions after the stem, in order."""
    actual = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    assert actual[0].name == "stem"
    return actual[1:]


@pytest.fixture
def bfloat16():
    kept = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy(kept)


def parameters_by_hand(classes, filters):
    total, before = 2 * 2 * 3 * 24 + 24, 24
    for width in filters:
        total += 9 * (before * width + 2 * width * width)
        total += 3 * 3 * width  # an offset, and a moving mean and variance
        before = width
    return total + before * classes


@pytest.mark.parametrize(
    ("classes", "width", "filters"),
    [
        (100, 128, [128, 384, 576]),
        (100, 64, [64, 192, 288]),
        (5, 4, [4, 12, 18]),
        (5, 3, [3, 9, 13]),
    ],
)
def test_parameters_by_hand(classes, width, filters):
    network = build(classes, width=width)
    assert network.count_params() == parameters_by_hand(classes, filters)
    before = [24, *filters]
    assert [layer.kernel.shape for layer in convolutions(network)] == [
        (3, 3, *channels)
        for i in range(3)
        for channels in ((before[i], filters[i]), *[(filters[i], filters[i])] * 2)
    ]


def test_layers_in_their_order():
    kinds = [type(layer).__name__ for layer in build().layers]
    pair = ["Conv2D", "BatchNormalization", "Activation"]
    group = ["Conv2D", "MaxPooling2D", "BatchNormalization", "Activation", *pair, *pair, "Add"]
    ends = ["GlobalAveragePooling2D", "GlobalMaxPooling2D"]
    assert kinds[:4] == ["InputLayer", "Rescaling", "Conv2D", "Activation"]
    assert kinds[4:-6] == group * 3
    assert sorted(kinds[-6:-4]) == ends
    assert kinds[-4:] == ["Add", "Dense", "Rescaling", "Softmax"]


@pytest.mark.parametrize("size", [9, 20, 24, 32, 33, 48])
def test_probabilities_come_out_of_images_of_any_size(size):
    images = smooth_images(4, size)
    actual = build().predict(images, verbose=0)
    assert (actual.shape, actual.dtype) == ((4, 5), np.float32)
    assert (actual > 0).all()
    np.testing.assert_allclose(actual.sum(axis=1), 1, atol=1e-6)
    assert np.ptp(actual, axis=0).max() > 1e-4  # they differ between images


def test_the_smallest_images():
    """What `resolution` allows must be what the network can take, as its docstring has it."""
    with pytest.raises(ValidationError, match=f"{SMALLEST} to 224"):
        Training(network="swift", resolution=[[0, SMALLEST - 1]])
    Training(network="swift", resolution=[[0, SMALLEST]])
    assert f"from {SMALLEST}×{SMALLEST}" in swift.__doc__
    actual = build().predict(smooth_images(4, SMALLEST), verbose=0)
    assert np.isfinite(actual).all()
    assert np.ptp(actual, axis=0).max() > 1e-4


def test_sizes_need_not_be_equal():
    actual = build().predict(IMAGES[:3, :20, :27], verbose=0)
    np.testing.assert_allclose(actual.sum(axis=1), 1, atol=1e-6)


def test_raw_images_of_either_type_go_in():
    network = build()
    whole, real = (network.predict(IMAGES[:5].astype(t), verbose=0) for t in (np.uint8, np.float32))
    np.testing.assert_array_equal(whole, real)


def stem_outputs(network, images):
    """(patches, 24): what the stem makes of every patch."""
    return within(network, network.get_layer("stem"))(images).numpy().reshape(-1, 24)


def test_the_stem_whitens_the_patches_of_training_images():
    actual = stem_outputs(build(), IMAGES).astype(np.float64)
    first, second = actual[:, :12], actual[:, 12:]
    np.testing.assert_allclose(second, -first, atol=1e-4)
    covariance = np.cov(first, rowvar=False)
    # Noise of 20 keeps every eigenvalue far from the epsilon, and so the variances near to 1.
    np.testing.assert_allclose(covariance, np.eye(12), atol=0.03)


def patches_of_two_rows():
    """One channel, patches of (a, a, b, b), with a and b independent and of variance 1."""
    rows = np.random.default_rng(0).choice([-1.0, 1.0], (20_000, 2, 1, 1))
    return np.repeat(rows, 2, axis=2).astype(np.float32)


def test_the_whitening_kernel_by_hand():
    # The eigenvalues are 2, 2, 0 and 0. The directions of the last two are copies of another one.
    kernel = whitening_kernel(patches_of_two_rows())
    assert (kernel.shape, kernel.dtype) == ((2, 2, 1, 8), np.float32)
    actual = kernel.reshape(4, 8).astype(np.float64)
    np.testing.assert_array_equal(actual[:, 4:], -actual[:, :4])
    np.testing.assert_allclose(np.linalg.norm(actual[:, :4], axis=0), 1 / np.sqrt(2), rtol=0.02)
    directions, counts = np.unique(actual[:, :4], axis=1, return_counts=True)
    assert sorted(counts) == [1, 3]
    np.testing.assert_allclose(directions.T @ directions, np.eye(2) / 2, atol=0.01)


def test_weak_directions_are_whitened_by_hand():
    # With a tenth of something else in the first pixel one eigenvalue is 0.005, far from none.
    images = patches_of_two_rows()
    images[:, 0, 0] += 0.1 * np.random.default_rng(1).choice([-1.0, 1.0], (20_000, 1))
    actual = whitening_kernel(images).reshape(4, 8)[:, :4]
    lengths = np.linalg.norm(actual.astype(np.float64), axis=0)
    assert np.sum(np.abs(lengths * np.sqrt(0.005 + 5e-4) - 1) < 0.02) == 1


def test_grey_images_have_no_dead_channels():
    grey = np.repeat(smooth_images(60)[..., :1], 3, axis=-1)
    variances = stem_outputs(build(images=grey), grey).astype(np.float64).var(axis=0)
    np.testing.assert_allclose(variances, 1, atol=0.03)


def test_the_stem_is_fixed_but_its_bias_is_learned():
    network = build()
    stem = network.get_layer("stem")
    trainable = {id(v) for v in network.trainable_variables}
    assert id(stem.kernel) not in trainable
    assert id(stem.bias) in trainable
    before = [stem.kernel.numpy(), stem.bias.numpy()]
    network.compile("sgd", "sparse_categorical_crossentropy")
    network.train_on_batch(IMAGES[:20], np.arange(20) % 5)
    np.testing.assert_array_equal(stem.kernel.numpy(), before[0])
    assert (stem.bias.numpy() != before[1]).any()


def test_without_whitening_the_stem_is_learned():
    network = build(whitening=False)
    stem = network.get_layer("stem")
    assert id(stem.kernel) in {id(v) for v in network.trainable_variables}
    covariance = np.cov(stem_outputs(network, IMAGES)[:, :12], rowvar=False)
    assert np.abs(covariance - np.eye(12)).max() > 0.5
    assert network.count_params() == build().count_params()


def test_the_stem_looks_at_the_first_images_alone(monkeypatch):
    monkeypatch.setattr(module, "STEM_IMAGES", 20)
    others = np.concatenate([IMAGES[:20], 255 - IMAGES[20:]])
    one, other = build(), build(images=others)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one(IMAGES[:5]), other(IMAGES[:5]))
    first = build(images=np.concatenate([255 - IMAGES[:10], IMAGES[10:]]))
    assert (first.get_layer("stem").kernel.numpy() != one.get_layer("stem").kernel.numpy()).any()


def test_standardization_by_hand():
    images = np.zeros((2, 1, 2, 3), np.float32)
    images[..., 0] = [[[10, 30]], [[10, 30]]]  # mean 20, deviation 10
    images[..., 1] = [[[0, 0]], [[200, 200]]]  # mean 100, deviation 100
    images[..., 2] = 7  # constant
    scale, offset = standardization(images)
    np.testing.assert_allclose(scale, [0.1, 0.01, 1], rtol=1e-6)
    np.testing.assert_allclose(offset, [-2, -1, -7], rtol=1e-6)


def test_standardised_channels():
    network = build()
    actual = within(network, network.get_layer("standardized"))(IMAGES).numpy()
    np.testing.assert_allclose(actual.mean(axis=(0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(actual.std(axis=(0, 1, 2)), 1, rtol=1e-4)


@pytest.mark.parametrize("channel", [None, 1], ids=["all channels", "one channel"])
def test_images_of_one_colour_are_no_trouble(channel):
    images = IMAGES.copy()
    images[..., slice(None) if channel is None else channel] = 90
    network = build(images=images)
    for weights in network.get_weights():
        assert np.isfinite(weights).all()
    assert np.isfinite(network.predict(images[:5], verbose=0)).all()


@pytest.mark.parametrize("index", range(9))
def test_a_convolution_begins_as_the_identity(index):
    layer = convolutions(build())[index]
    channels, filters = layer.kernel.shape[2:]
    x = np.random.default_rng(0).normal(size=(2, 5, 6, channels)).astype(np.float32)
    same = min(channels, filters)
    actual = layer(x).numpy()
    np.testing.assert_allclose(actual[..., :same], x[..., :same], atol=1e-6)
    if filters > channels:  # the rest is as He et al. (2015)
        rest = layer.kernel.numpy()[..., same:]
        error = 5 / np.sqrt(2 * rest.size)  # of a deviation, five standard ones
        assert rest.std() == pytest.approx(np.sqrt(2 / rest[..., 0].size), rel=error)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 3), (5, 3)])
@pytest.mark.parametrize(("channels", "filters"), [(3, 3), (2, 5), (5, 2)])
def test_identity_kernel(height, width, channels, filters):
    random = np.random.default_rng(0).normal(size=(height, width, channels, filters))
    kept = random.copy()
    actual = identity_kernel(random)
    np.testing.assert_array_equal(random, kept)  # not changed in place
    same = min(channels, filters)
    np.testing.assert_array_equal(actual[..., same:], random[..., same:])
    assert actual[..., :same].sum() == np.count_nonzero(actual[..., :same]) == same
    x = np.random.default_rng(1).normal(size=(1, 6, 5, channels))
    y = keras.ops.convert_to_numpy(keras.ops.conv(x, actual, padding="same"))
    np.testing.assert_allclose(y[..., :same], x[..., :same], atol=1e-12)


def test_without_identity_init_convolutions_are_random():
    for layer in convolutions(build(identity_init=False)):
        kernel = layer.kernel.numpy()
        assert np.count_nonzero(kernel) == kernel.size
        error = 5 / np.sqrt(2 * kernel.size)  # of a deviation, five standard ones
        assert kernel.std() == pytest.approx(np.sqrt(2 / kernel[..., 0].size), rel=error)


def test_without_residuals_a_pair_takes_the_place_of_its_input():
    with_them, without = build(), build(residual=False)
    for a, b in zip(with_them.get_weights(), without.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    kinds = [type(layer).__name__ for layer in without.layers]
    assert kinds.count("Add") == 1  # that of the two poolings
    sums = [layer for layer in with_them.layers if isinstance(layer, keras.layers.Add)][:3]
    x, y = (within(with_them, layer)(IMAGES[:3]).numpy() for layer in _operands(sums[0]))
    np.testing.assert_allclose(within(with_them, sums[0])(IMAGES[:3]).numpy(), x + y, atol=1e-6)
    group = convolutions(without)[3]  # the next group's first, which takes y itself
    actual = keras.Model(without.input, group.input)(IMAGES[:3]).numpy()
    np.testing.assert_allclose(actual, y, atol=1e-5)


def _operands(layer):
    return [tensor._keras_history.operation for tensor in layer.input]


@pytest.mark.parametrize("scale", [0.14, 0.5, 1.0])
def test_logits_are_scaled(scale):
    network = build(logit_scale=scale)
    logits = within(network, network.get_layer("logits"))(IMAGES[:5]).numpy().astype(np.float64)
    odds = np.exp(scale * logits)
    actual = network(IMAGES[:5]).numpy()
    np.testing.assert_allclose(actual, odds / odds.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("relu", lambda x: np.maximum(x, 0)),
        ("silu", lambda x: x / (1 + np.exp(-x))),
        ("gelu", lambda x: x / 2 * (1 + np.vectorize(erf)(x / np.sqrt(2)))),
    ],
)
def test_the_activation_is_used_throughout(name, function):
    network = build(activation=name)
    actual = [layer for layer in network.layers if isinstance(layer, keras.layers.Activation)]
    assert len(actual) == 10
    for layer in actual:
        x = np.linspace(-3, 3, 13, dtype=np.float32)
        np.testing.assert_allclose(layer(x), function(x), atol=1e-5)


def test_every_image_s_answer_is_its_own():
    network = build()
    together = network.predict(IMAGES[:6], verbose=0)
    alone = np.concatenate([network.predict(IMAGES[i : i + 1], verbose=0) for i in range(6)])
    np.testing.assert_allclose(alone, together, atol=1e-5)


def test_the_seed_decides_the_weights():
    one, again, other = (build(seed=seed).get_weights() for seed in (1, 1, 2))
    for a, b in zip(one, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(one, other, strict=True))


def test_bfloat16_is_near_float32(bfloat16):
    mixed = build()
    keras.config.set_dtype_policy("float32")
    exact = build()
    assert {v.dtype for v in mixed.variables} == {"float32"}
    for a, b in zip(exact.get_weights(), mixed.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    actual, expected = (n.predict(IMAGES[:20], verbose=0) for n in (mixed, exact))
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(actual, expected, atol=0.06)
    assert np.abs(actual - expected).mean() < 0.01
    assert np.abs(actual - expected).max() > 0  # it did compute in another precision


ELSEWHERE = """
import sys
import keras
import numpy as np

sys.modules["fifteen"] = None  # whoever imports it fails
folder = sys.argv[1]
model = keras.models.load_model(f"{folder}/model.keras", safe_mode=True)
np.save(f"{folder}/found.npy", model.predict(np.load(f"{folder}/images.npy"), verbose=0))
"""


def test_a_saved_model_loads_without_this_project(tmp_path):
    network = build()
    network.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", IMAGES[:5])
    subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE, str(tmp_path)],
        cwd=tmp_path,
        check=True,
        timeout=120,
    )
    expected = network.predict(IMAGES[:5], verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-6)
