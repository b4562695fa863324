"""The weak CNN from which the original study starts."""

import keras
from keras import layers


def baseline(classes: int, *, normalize_input: bool) -> keras.Model:
    """Two valid 3×3 convolutions of 32 and 64 filters, one dense layer of 512, batch-normalised.

    1,253,284 parameters for 100 classes, 1,252,068 of them trainable.

    Args:
        classes: number of classes, at least 2.
        normalize_input: whether pixels are scaled to [-1, 1] first.

    Returns:
        A model from raw images (batch, 32, 32, 3), uint8 or float in 0–255, to probabilities
        (batch, classes) in float32.
    """
    inputs = keras.Input((32, 32, 3), name="images")
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs) if normalize_input else inputs
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3)(x)
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512)(x)
    x = layers.BatchNormalization()(x)
    x = layers.ReLU()(x)
    x = layers.Dropout(0.5)(x)
    logits = layers.Dense(classes)(x)
    outputs = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(inputs, outputs, name="baseline")
