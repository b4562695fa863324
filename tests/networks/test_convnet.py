from fifteen.networks.convnet import convnet

import keras
import numpy as np
import pytest

SETTINGS = {
    "filters_1": 4,
    "filters_2": 5,
    "conv_activation": "relu",
    "conv_slope": 0.2,
    "dense_units": 6,
    "dense_activation": "relu",
    "dense_slope": 0.2,
    "dropout": 0.5,
    "normalize_input": False,
}


def build(classes=3, seed=0, **changes):
    keras.utils.set_random_seed(seed)
    return convnet(classes, **SETTINGS | changes)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("filters_1", "filters_2", "dense_units", "classes"), [(32, 64, 512, 100), (4, 5, 6, 3)]
)
def test_parameters_by_hand(filters_1, filters_2, dense_units, classes):
    convolutions = (9 * 3 + 1) * filters_1 + (9 * filters_1 + 1) * filters_2
    dense = (6 * 6 * filters_2 + 1) * dense_units + (dense_units + 1) * classes
    normalisations = 4 * (filters_1 + filters_2 + dense_units)
    network = build(classes, filters_1=filters_1, filters_2=filters_2, dense_units=dense_units)
    assert network.count_params() == convolutions + dense + normalisations
    trainable = sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    assert trainable == convolutions + dense + normalisations // 2


def test_with_the_baseline_s_sizes_it_has_as_many_parameters_as_the_baseline():
    # The baseline's layers, but each activation comes before its normalisation.
    assert build(100, filters_1=32, filters_2=64, dense_units=512).count_params() == 1_253_284


def test_layers_in_their_order():
    network = build(conv_activation="leaky_relu", dense_activation="tanh", normalize_input=True)
    actual = [
        (type(layer).__name__, layer.output.shape[1:])
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    assert actual == [
        ("Rescaling", (32, 32, 3)),
        ("Conv2D", (30, 30, 4)),
        ("ReLU", (30, 30, 4)),
        ("BatchNormalization", (30, 30, 4)),
        ("MaxPooling2D", (15, 15, 4)),
        ("Conv2D", (13, 13, 5)),
        ("LeakyReLU", (13, 13, 5)),
        ("BatchNormalization", (13, 13, 5)),
        ("MaxPooling2D", (6, 6, 5)),
        ("Flatten", (180,)),
        ("Dense", (6,)),
        ("Activation", (6,)),
        ("BatchNormalization", (6,)),
        ("Dropout", (6,)),
        ("Dense", (3,)),
        ("Softmax", (3,)),
    ]


@pytest.mark.parametrize("normalize_input", [False, True])
def test_raw_images_go_in_and_probabilities_come_out(images, normalize_input):
    network = build(normalize_input=normalize_input)
    actual = network.predict(images, verbose=0)
    assert (actual.shape, actual.dtype) == ((5, 3), np.float32)
    assert (actual >= 0).all()
    np.testing.assert_allclose(actual.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(network.predict(images.astype("float32"), verbose=0), actual)


def test_normalised_pixels_are_from_minus_one_to_one(images):
    normalised, plain = build(normalize_input=True), build()
    for one, other in zip(normalised.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    scaled = np.interp(images, [0, 255], [-1, 1]).astype(np.float32)
    actual, expected = normalised(images).numpy(), plain(scaled).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    assert np.abs(actual - plain(images).numpy()).max() > 1e-3  # it does make a difference


def hidden(network, layer, images):
    """What comes into and out of the last layer of a type."""
    (actual,) = [x for x in network.layers if type(x) is layer][-1:]
    both = keras.Model(network.input, [actual.input, actual.output])(images)
    return [tensor.numpy() for tensor in both]


@pytest.mark.parametrize("slope", [0.0, 0.125, 0.5])
@pytest.mark.parametrize("where", ["conv", "dense"])
def test_leaky_slopes(images, where, slope):
    network = build(**{f"{where}_activation": "leaky_relu", f"{where}_slope": slope})
    before, after = hidden(network, keras.layers.LeakyReLU, images)
    assert before.ndim == (4 if where == "conv" else 2)
    assert before.min() < 0 < before.max()
    np.testing.assert_allclose(after, np.where(before > 0, before, slope * before), rtol=1e-6)


@pytest.mark.parametrize("where", ["conv", "dense"])
def test_tanh(images, where):
    network = build(normalize_input=True, **{f"{where}_activation": "tanh"})
    before, after = hidden(network, keras.layers.Activation, images)
    assert before.ndim == (4 if where == "conv" else 2)
    np.testing.assert_allclose(after, np.tanh(before), atol=1e-5)


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_the_slope_is_read_by_leaky_relu_alone(images, activation):
    one, other = (
        build(conv_activation=activation, dense_activation=activation, conv_slope=s, dense_slope=s)
        for s in (0.1, 0.9)
    )
    np.testing.assert_array_equal(one(images).numpy(), other(images).numpy())


@pytest.mark.parametrize("rate", [0.0, 0.25])
def test_dropout(rate):
    (actual,) = [x for x in build(dropout=rate).layers if isinstance(x, keras.layers.Dropout)]
    assert actual.rate == rate


@pytest.mark.parametrize("where", ["conv_activation", "dense_activation"])
def test_an_unknown_activation(where):
    with pytest.raises(ValueError, match="no activation is called 'gelu'"):
        build(**{where: "gelu"})
