"""What a training minimises."""

from collections.abc import Callable

import keras
from keras import ops

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy with the label smoothing ε of Szegedy et al. (2016, arXiv:1512.00567, §7).

    With K classes the target of the right class is 1 − ε + ε/K and that of each other class ε/K, so
    the loss is −(1 − ε) · log p_right − ε · mean over the classes of log p, in nats.

    Returns:
        A function of (batch,) whole labels and (batch, classes) probabilities to (batch,) losses.
    """
    if label_smoothing == 0:
        return keras.losses.sparse_categorical_crossentropy

    def smoothed(labels: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        targets = ops.one_hot(
            ops.cast(ops.reshape(labels, (-1,)), "int32"), probabilities.shape[-1]
        )
        return keras.losses.categorical_crossentropy(
            targets, probabilities, label_smoothing=label_smoothing
        )

    return smoothed
