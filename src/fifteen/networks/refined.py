"""The original study's second network, built of pre-activation blocks."""

import keras
from keras import layers


def refined(classes: int) -> keras.Model:
    """Three pre-activation blocks (5×5×32, 3×3×64, 3×3×128) with rising dropout, dense 512.

    Args:
        classes: number of classes, at least 2.

    Returns:
        A model from raw images (batch, 32, 32, 3), uint8 or float in 0–255, to probabilities
        (batch, classes) in float32.
    """
    inputs = keras.Input((32, 32, 3), name="images")
    x = inputs
    for filters, kernel, dropout in ((32, 5, 0.2), (64, 3, 0.3), (128, 3, 0.4)):
        x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.Conv2D(filters, kernel, padding="same")(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(512, activation="relu")(x)
    x = layers.Dropout(0.5)(x)
    logits = layers.Dense(classes)(x)
    outputs = layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(inputs, outputs, name="refined")
