from fifteen.networks.refined import refined

import keras
import numpy as np
import pytest


@pytest.fixture(scope="module")
def network():
    return refined(100)


def test_the_original_s_layers_in_their_order(network):
    actual = [
        (type(layer).__name__, layer.output.shape[1:])
        for layer in network.layers
        if not isinstance(layer, keras.layers.InputLayer)
    ]
    expected = []
    size, channels = 32, 3
    for filters in (32, 64, 128):
        expected += [
            ("BatchNormalization", (size, size, channels)),
            ("ReLU", (size, size, channels)),
            ("Conv2D", (size, size, filters)),
            ("MaxPooling2D", (size // 2, size // 2, filters)),
            ("Dropout", (size // 2, size // 2, filters)),
        ]
        size, channels = size // 2, filters
    assert actual == [
        *expected,
        ("Flatten", (4 * 4 * 128,)),
        ("Dense", (512,)),
        ("Dropout", (512,)),
        ("Dense", (100,)),
        ("Softmax", (100,)),
    ]


def test_details(network):
    convolutions = [x for x in network.layers if isinstance(x, keras.layers.Conv2D)]
    assert [x.kernel_size for x in convolutions] == [(5, 5), (3, 3), (3, 3)]
    dropouts = [x.rate for x in network.layers if isinstance(x, keras.layers.Dropout)]
    assert dropouts == [0.2, 0.3, 0.4, 0.5]
    hidden, last = [x for x in network.layers if isinstance(x, keras.layers.Dense)]
    assert hidden.activation is keras.activations.relu
    assert last.activation is keras.activations.linear


def test_parameters_by_hand(network):
    convolutions = (25 * 3 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128
    dense = (4 * 4 * 128 + 1) * 512 + 513 * 100
    normalisations = 4 * (3 + 32 + 64)
    assert network.count_params() == convolutions + dense + normalisations
    trainable = sum(int(np.prod(v.shape)) for v in network.trainable_variables)
    assert trainable == convolutions + dense + normalisations // 2
