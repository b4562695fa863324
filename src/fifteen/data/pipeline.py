"""The tf.data input pipeline: batches of raw uint8 images, shuffled anew in every epoch."""

from fifteen.data.arrays import Part

import tensorflow as tf


def training_batches(part: Part, batch_size: int, seed: int, epochs: range) -> tf.data.Dataset:
    """All batches of `epochs` in a row, each epoch a full shuffle of the part.

    The order of an epoch depends on `seed` and the epoch's number alone, so a training that is
    resumed sees what an uninterrupted one would have seen.

    Returns:
        Pairs of (batch, 32, 32, 3) uint8 images and (batch,) int32 labels, `len(epochs)` times
        ceil(N / batch_size) of them; the last batch of an epoch may be smaller.
    """
    images, labels = tf.constant(part.images), tf.constant(part.labels)

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        positions = tf.range(len(part.labels))
        order = tf.random.experimental.stateless_shuffle(positions, seed=[seed, epoch])
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    batches = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(epoch_order)
    return batches.map(lambda at: (tf.gather(images, at), tf.gather(labels, at))).prefetch(4)


def evaluation_batches(part: Part, batch_size: int = 500) -> tf.data.Dataset:
    """The part once, in its order, in the form of `training_batches`."""
    arrays = (tf.constant(part.images), tf.constant(part.labels))
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size).prefetch(2)
