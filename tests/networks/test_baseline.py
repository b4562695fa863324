from fifteen.networks.baseline import baseline

import keras
import numpy as np
import pytest


@pytest.fixture(scope="module")
def network():
    return baseline(100, normalize_input=False)


def test_the_original_s_number_of_parameters(network):
    assert network.count_params() == 1_253_284
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == 1_252_068


def test_parameters_with_ten_classes(network):
    assert (
        baseline(10, normalize_input=False).count_params() == 1_253_284 - 90 * 513
    )  # the last layer's weights and bias


def test_the_original_s_layers_in_their_order(network):
    actual = [
        (type(layer).__name__, layer.output.shape[1:])
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    assert actual == [
        ("Conv2D", (30, 30, 32)),
        ("BatchNormalization", (30, 30, 32)),
        ("ReLU", (30, 30, 32)),
        ("MaxPooling2D", (15, 15, 32)),
        ("Conv2D", (13, 13, 64)),
        ("BatchNormalization", (13, 13, 64)),
        ("ReLU", (13, 13, 64)),
        ("MaxPooling2D", (6, 6, 64)),
        ("Flatten", (2304,)),
        ("Dense", (512,)),
        ("BatchNormalization", (512,)),
        ("ReLU", (512,)),
        ("Dropout", (512,)),
        ("Dense", (100,)),
        ("Softmax", (100,)),
    ]


def test_dropout_and_kernels(network):
    (dropout,) = [x for x in network.layers if isinstance(x, keras.layers.Dropout)]
    assert dropout.rate == 0.5
    kernels = [x.kernel_size for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert kernels == [(3, 3), (3, 3)]
    dense = [x for x in network.layers if isinstance(x, keras.layers.Dense)]
    assert all(layer.activation is keras.activations.linear for layer in dense)


def test_input_is_normalised_if_asked_for():
    plain, normal = (baseline(3, normalize_input=choice) for choice in (False, True))
    normal.set_weights(plain.get_weights())
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(normal(images), plain(images / 127.5 - 1), atol=1e-5)
