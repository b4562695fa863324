from fifteen.ensembling.weight_distance import weight_distances

import keras
import numpy as np


def network(*weights):
    inputs = keras.Input((2,))
    layer = keras.layers.Dense(1, use_bias=False)
    frozen = keras.layers.Dense(1, trainable=False)
    model = keras.Model(inputs, frozen(layer(inputs)))
    layer.kernel.assign(np.array(weights)[:, None])
    return model


def test_by_hand():
    actual = weight_distances([network(3, 4), network(-4, 3), network(6, 8), network(3, 4)])
    # A right angle at equal length: √2; twice as long: 5 over the mean √(5 · 10).
    a, b = 2**0.5, 5 / 50**0.5
    c = 125**0.5 / 50**0.5
    expected = [[0, a, b, 0], [a, 0, c, a], [b, c, 0, b], [0, a, b, 0]]
    np.testing.assert_allclose(actual, expected, atol=1e-6)
