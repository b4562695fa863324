"""Targets that a training makes for itself: its own answers of the epoch before."""

from collections.abc import Callable

from fifteen.training.losses import Loss

import keras
import numpy as np
from keras import ops


class SelfDistillation(keras.callbacks.Callback):
    """Progressive self-knowledge distillation (Kim et al. 2021, arXiv:2006.12000, eq. 4 and 5).

    In epoch t (from 0) of T the target of an image is (1 − α)·y + α·p with α = α_T·t/T, where y is
    its label, smoothed or not, and p what the network answered when it saw the image last. (There t
    is from 1, so that the last epoch has α_T itself.)

    The answers are kept by the loss, which TensorFlow's training step lets it do; that of JAX would
    forget them.

    Attributes:
        variables: what a resumed training needs beside the model's own variables.
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
        """Begin without answers, at α = 0.

        Args:
            weight: α_T, in [0, 1).
            of_labels: the loss with the labels alone, a cross-entropy.
            images: number of training images.
            classes: number of classes.
            epochs: T, those of the whole training.
            gather: the rows of all devices that share a batch, from those of one. Each device keeps
                the whole table of answers.
        """
        super().__init__()
        self.weight, self.epochs = weight, epochs
        self.of_labels, self.gather = of_labels, gather
        self.alpha = keras.Variable(0.0, trainable=False)
        self.answers = keras.Variable(np.zeros((images, classes), np.float32), trainable=False)
        self.variables = [self.answers]

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Rely on the answers a little more."""
        self.alpha.assign(self.weight * epoch / self.epochs)

    def loss(
        self, labels: keras.KerasTensor, probabilities: keras.KerasTensor
    ) -> keras.KerasTensor:
        """The cross-entropy with these targets, (batch,), which keeps the answers.

        Cross-entropy is linear in its targets, so that it is that with y and that with p in the
        same shares.

        Args:
            labels: (batch, 2), the class of each image and its number; or classes alone, of images
                that are not learned from and have no answers.
            probabilities: (batch, classes).
        """
        if not _are_numbered(labels):
            return self.of_labels(labels, probabilities)
        labels = ops.cast(labels, "int32")
        of_images = labels[:, 1]
        before = ops.take(self.answers, of_images, axis=0)
        now = ops.stop_gradient(ops.cast(probabilities, "float32"))
        seen, now = self.gather(of_images), self.gather(now)
        self.answers.assign(ops.scatter_update(self.answers, seen[:, None], now))
        with_labels = self.of_labels(labels[:, 0], probabilities)
        with_answers = keras.losses.categorical_crossentropy(before, probabilities)
        return (1 - self.alpha) * with_labels + self.alpha * with_answers


def by_class(metric: Loss) -> Loss:
    """`metric` for labels that may be numbered, under its own name."""

    def of_classes(
        labels: keras.KerasTensor, probabilities: keras.KerasTensor
    ) -> keras.KerasTensor:
        return metric(labels[:, 0] if _are_numbered(labels) else labels, probabilities)

    of_classes.__name__ = metric.__name__
    return of_classes


def _are_numbered(labels: keras.KerasTensor) -> bool:
    return len(labels.shape) == 2 and labels.shape[-1] == 2
