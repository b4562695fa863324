"""Loss and accuracy.

Labels are class ids, (batch,). Of mixed images they are the shares of the classes,
(batch, classes).
"""

from collections.abc import Callable

import keras
from keras import ops

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]


def cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy with the label smoothing ε of Szegedy et al. (2016, arXiv:1512.00567, §7).

    With K classes, the target of the true class is 1 − ε + ε/K, that of each other class ε/K. The
    loss is −(1 − ε) · log p_true − ε · mean over the classes of log p, in nats.

    Returns:
        A function from labels and (batch, classes) probabilities to (batch,) losses.
    """

    def loss(labels: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        shares = _are_shares(labels, probabilities)
        if label_smoothing == 0 and not shares:
            return keras.losses.sparse_categorical_crossentropy(labels, probabilities)
        if not shares:
            whole = ops.cast(ops.reshape(labels, (-1,)), "int32")
            labels = ops.one_hot(whole, probabilities.shape[-1])
        return keras.losses.categorical_crossentropy(
            labels, probabilities, label_smoothing=label_smoothing
        )

    loss.__name__ = "cross_entropy"
    return loss


def accuracy(labels: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
    """1 where the most probable class is the true one (or has the largest share), else 0."""
    if _are_shares(labels, probabilities):
        return keras.metrics.categorical_accuracy(labels, probabilities)
    return keras.metrics.sparse_categorical_accuracy(labels, probabilities)


def _are_shares(labels: keras.KerasTensor, probabilities: keras.KerasTensor) -> bool:
    return len(labels.shape) == 2 and labels.shape[-1] == probabilities.shape[-1]
