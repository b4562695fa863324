"""Trainings that several devices share (`tf.distribute`), each with its share of every batch."""

import math

from fifteen.common.errors import UserError
from fifteen.training.losses import Loss

import keras
import tensorflow as tf
from keras import ops

EVALUATION_BATCH = 500  # images, at most


def number() -> int:
    """The number of devices that share the training in whose scope this is called."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def are_several() -> bool:
    """Whether several devices share the training."""
    return number() > 1


def check_shares(images: int, batch_size: int) -> None:
    """Make sure that the devices can share all batches of an epoch.

    Keras needs a first batch that divides evenly. TensorFlow's convolutions fail on an empty share:
    the first devices fill up before the last one gets any image.

    Raises:
        UserError: they cannot share them.
    """
    devices, first, last = number(), min(batch_size, images), (images - 1) % batch_size + 1
    if first % devices or last <= (devices - 1) * math.ceil(last / devices):
        raise UserError(
            f"{devices} devices cannot share batches of {first} images, the last one of an epoch "
            f"of {last}; choose a batch_size that is a multiple of {devices} and leaves a larger "
            "last batch, or set hardware.strategy to single"
        )


def evaluation_batch_size(images: int) -> int:
    """A batch size for evaluation, up to 500, that all devices can share.

    The first batch divides evenly, and the last one leaves no device without an image.

    Raises:
        UserError: there are too few images.
    """
    devices = number()
    if devices == 1:
        return EVALUATION_BATCH
    for share in range(min(EVALUATION_BATCH, images) // devices, 0, -1):
        last = images % (devices * share)
        if last == 0 or last > (devices - 1) * share:
            return devices * share
    raise UserError(
        f"{devices} devices cannot share {images} validation images; set hardware.strategy to "
        "single"
    )


def _replicas() -> tf.distribute.ReplicaContext | None:
    return tf.distribute.get_replica_context() if are_several() else None


def summed(x: tf.Tensor) -> tf.Tensor:
    """The sum of `x` over all devices; `x` itself outside a step or on one device."""
    replicas = _replicas()
    return replicas.all_reduce(tf.distribute.ReduceOp.SUM, x) if replicas else x


def gathered(x: tf.Tensor) -> tf.Tensor:
    """The rows of all devices, one device after the other, (all rows, …) from (own rows, …)."""
    replicas = _replicas()
    return replicas.all_gather(x, axis=0) if replicas else x


def of_whole_batch(loss: Loss) -> Loss:
    """`loss` with a gradient in which each image counts the same, whichever device has it.

    Keras averages the means of the devices. Where a batch does not divide evenly, that is not the
    mean of the batch. So the gradient of each device is weighted by its share of the batch. The
    reported loss needs no weights.
    """
    if not are_several():
        return loss

    def weighted(labels: keras.KerasTensor, probabilities: keras.KerasTensor) -> keras.KerasTensor:
        losses = loss(labels, probabilities)
        here = ops.cast(ops.shape(losses)[0], losses.dtype)
        even_share = summed(here) / number()
        reported = ops.stop_gradient(losses)
        return reported + (losses - reported) * (here / even_share)

    return weighted
