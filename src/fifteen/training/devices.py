"""What the devices that share a training (`tf.distribute`) tell each other within a step.

Each of them computes on its share of the batch. Alone, and outside a step, there is nobody to ask.
"""

import math

from fifteen.common.errors import UserError
from fifteen.training.losses import Loss

import keras
import tensorflow as tf
from keras import ops


def number() -> int:
    """How many devices share the training whose scope this is."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def are_several() -> bool:
    """Whether more than one device does."""
    return number() > 1


def check_shares(images: int, batch_size: int) -> None:
    """Make sure that the batches of an epoch can be shared among the devices.

    Keras needs a first batch that divides evenly, and TensorFlow's convolutions fail on none. Of a
    batch the first devices get as many images as the largest share has.

    Raises:
        UserError: they cannot.
    """
    devices, first, last = number(), min(batch_size, images), (images - 1) % batch_size + 1
    if first % devices or last <= (devices - 1) * math.ceil(last / devices):
        raise UserError(
            f"{devices} devices cannot share batches of {first} images, the last one of an epoch "
            f"of {last}; choose a batch_size that is a multiple of {devices} and leaves a larger "
            "last batch, or set hardware.strategy to single"
        )


def evaluation_batch_size(images: int, at_most: int = 500) -> int:
    """The size of the batches of an evaluation that all devices can share.

    The first batch divides evenly. The last one fills the shares of the devices in turn, and must
    reach the last of them.

    Raises:
        UserError: there are too few images.
    """
    devices = number()
    if devices == 1:
        return at_most
    for share in range(min(at_most, images) // devices, 0, -1):
        last = images % (devices * share)
        if last == 0 or last > (devices - 1) * share:
            return devices * share
    raise UserError(
        f"{devices} devices cannot share {images} validation images; set hardware.strategy to "
        "single"
    )


def _others() -> tf.distribute.ReplicaContext | None:
    return tf.distribute.get_replica_context() if are_several() else None


def summed(x: tf.Tensor) -> tf.Tensor:
    """The sum of what all devices have, of the same shape on each."""
    others = _others()
    return others.all_reduce(tf.distribute.ReduceOp.SUM, x) if others else x


def gathered(x: tf.Tensor) -> tf.Tensor:
    """What all devices have, one below the other; (of all, ...) of (of this device, ...)."""
    others = _others()
    return others.all_gather(x, axis=0) if others else x


def of_whole_batch(loss: Loss) -> Loss:
    """`loss`, whose gradient then counts each image the same, wherever it is.

    The gradient of Keras is the mean of the devices' own means. Where a batch does not divide
    evenly that is not the mean of the batch, so each device gets the weight of its share; the loss
    that is reported has it already.
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
