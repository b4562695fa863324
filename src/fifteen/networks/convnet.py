"""The CNN whose hyperparameters the original study searched."""

import keras
from keras import layers


def convnet(
    classes: int,
    *,
    filters_1: int,
    filters_2: int,
    conv_activation: str,
    conv_slope: float,
    dense_units: int,
    dense_activation: str,
    dense_slope: float,
    dropout: float,
    normalize_input: bool,
) -> keras.Model:
    """Two valid 3×3 convolutions and one hidden dense layer, each normalised after its activation.

    Args:
        classes: number of classes, at least 2.
        filters_1: filters of the first convolution; its activation is ReLU.
        filters_2: filters of the second convolution.
        conv_activation: of the second convolution: `relu`, `leaky_relu` or `tanh`.
        conv_slope: the slope of `leaky_relu` below zero; unused by the others.
        dense_units: units of the hidden dense layer.
        dense_activation: of the hidden dense layer, one of the same three.
        dense_slope: like `conv_slope`.
        dropout: share of the hidden units dropped in training, in [0, 1).
        normalize_input: whether pixels are scaled to [-1, 1] first.

    Returns:
        A model from raw images (batch, 32, 32, 3), uint8 or float in 0–255, to probabilities
        (batch, classes) in float32.
    """
    inputs = keras.Input((32, 32, 3), name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs) if normalize_input else inputs
    for filters, activation, slope in (
        (filters_1, "relu", 0.0),
        (filters_2, conv_activation, conv_slope),
    ):
        x = layers.Conv2D(filters, 3)(x)
        x = _activation(activation, slope)(x)
        x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(dense_units)(x)
    x = _activation(dense_activation, dense_slope)(x)
    x = layers.BatchNormalization()(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(classes)(x)
    outputs = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(inputs, outputs, name="convnet")


def _activation(name: str, slope: float) -> layers.Layer:
    match name:
        case "relu":
            return layers.ReLU()
        case "leaky_relu":
            return layers.LeakyReLU(slope)
        case "tanh":
            return layers.Activation("tanh")
    raise ValueError(f"no activation is called {name!r}")
