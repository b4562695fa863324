"""Self-distillation: targets from the network's own answers in the epoch before."""

from collections.abc import Callable

from fifteen.training.losses import Loss

import keras
import numpy as np
from keras import ops


class SelfDistillation(keras.callbacks.Callback):
    """Progressive self-knowledge distillation (Kim et al. 2021, arXiv:2006.12000, eq. 4 and 5).

    In epoch t (from 0) of T the target of an image is (1 − α)·y + α·p with α = α_T·t/T. Here y is
    its label, smoothed or not, and p the network's probabilities when it last saw the image. (The
    paper counts t from 1, so that its last epoch has α_T itself.)

    The loss stores the answers. This works in TensorFlow's training step, but not in JAX's.

    Attributes:
        variables: what a resumed training needs besides the model's own variables.
    """

    def __init__(
        self,
        weight: float,
        of_labels: Loss,
        images: int,
        classes: int,
        epochs: int,
        gather: Callable[[keras.KerasTensor], keras.KerasTensor] = lambda x: x,
    ) -> None:
        """Start without answers, at α = 0.

        Args:
            weight: α_T, in [0, 1).
            of_labels: the cross-entropy with the labels alone.
            images: number of training images.
            classes: number of classes.
            epochs: T, the epochs of the whole training.
            gather: collects the rows of all devices that share a batch. Each device keeps the whole
                table of answers.
        """
        super().__init__()
        self.weight, self.epochs = weight, epochs
        self.of_labels, self.gather = of_labels, gather
        self.alpha = keras.Variable(0.0, trainable=False)
        self.answers = keras.Variable(np.zeros((images, classes), np.float32), trainable=False)
        self.variables = [self.answers]

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Raise α, the weight of the answers."""
        self.alpha.assign(self.weight * epoch / self.epochs)

    def loss(
        self, labels: keras.KerasTensor, probabilities: keras.KerasTensor
    ) -> keras.KerasTensor:
        """The cross-entropy with the mixed targets, (batch,); stores the new answers.

        Cross-entropy is linear in its targets, so it is (1 − α) of the one with y and α of the one
        with p.

        Args:
            labels: (batch, 2), the class id and the position of each training image; or (batch,)
                class ids of validation images, which have no answers.
            probabilities: (batch, classes).
        """
        if not _have_positions(labels):
            return self.of_labels(labels, probabilities)
        labels = ops.cast(labels, "int32")
        positions = labels[:, 1]
        before = ops.take(self.answers, positions, axis=0)
        now = ops.stop_gradient(ops.cast(probabilities, "float32"))
        seen, now = self.gather(positions), self.gather(now)
        self.answers.assign(ops.scatter_update(self.answers, seen[:, None], now))
        with_labels = self.of_labels(labels[:, 0], probabilities)
        with_answers = keras.losses.categorical_crossentropy(before, probabilities)
        return (1 - self.alpha) * with_labels + self.alpha * with_answers


def by_class(metric: Loss) -> Loss:
    """`metric`, under its own name, for labels that may have the images' positions beside them."""

    def of_classes(
        labels: keras.KerasTensor, probabilities: keras.KerasTensor
    ) -> keras.KerasTensor:
        return metric(labels[:, 0] if _have_positions(labels) else labels, probabilities)

    of_classes.__name__ = metric.__name__
    return of_classes


def _have_positions(labels: keras.KerasTensor) -> bool:
    return len(labels.shape) == 2 and labels.shape[-1] == 2
