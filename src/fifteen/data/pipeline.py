"""The tf.data input pipeline: batches of raw uint8 images, shuffled anew in every epoch."""

from fifteen.config import Augmentation
from fifteen.data.arrays import Part

import tensorflow as tf


def training_batches(
    part: Part, batch_size: int, seed: int, epochs: range, augmentation: Augmentation
) -> tf.data.Dataset:
    """All batches of `epochs` in a row, each epoch a full shuffle of the part.

    The order of an epoch and its augmentation depend on `seed` and the epoch's number alone, so a
    training that is resumed sees what an uninterrupted one would have seen.

    Returns:
        Pairs of (batch, 32, 32, 3) uint8 images and (batch,) int32 labels, `len(epochs)` times
        ceil(N / batch_size) of them; the last batch of an epoch may be smaller.
    """
    images, labels = tf.constant(part.images), tf.constant(part.labels)

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        positions = tf.range(len(part.labels))
        order = tf.random.experimental.stateless_shuffle(positions, seed=[seed, epoch])
        batches = tf.data.Dataset.from_tensor_slices(order).batch(batch_size)
        return batches.enumerate().map(lambda batch, at: (epoch, batch, at))

    def load(epoch: tf.Tensor, batch: tf.Tensor, at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_batch = tf.random.fold_in(tf.stack([tf.cast(seed, tf.int64), epoch]), batch)
        return augment(tf.gather(images, at), augmentation, of_batch), tf.gather(labels, at)

    batches = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(epoch_order)
    return batches.map(load).prefetch(4)


def evaluation_batches(part: Part, batch_size: int = 500) -> tf.data.Dataset:
    """The part once, in its order, in the form of `training_batches`."""
    arrays = (tf.constant(part.images), tf.constant(part.labels))
    return tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size).prefetch(2)


def augment(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Random flips and crops, each image its own, of a whole batch at once.

    A crop of c pixels is that of He et al. (2016, arXiv:1512.03385, section 4.2) with reflected
    instead of black edges: padded by c on each side, then cut at one of (2c + 1)² places.

    Args:
        images: (batch, height, width, channels), of any type.
        augmentation: which changes.
        seed: (2,), whole; decides the changes.

    Returns:
        Images of the same shape and type.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    if augmentation.flip:
        draw = tf.random.stateless_uniform([batch, 1, 1, 1], tf.random.fold_in(seed, 0))
        images = tf.where(draw < 0.5, images, tf.reverse(images, axis=[2]))
    if augmentation.crop:
        pad = augmentation.crop
        images = tf.pad(images, [[0, 0], [pad, pad], [pad, pad], [0, 0]], mode="REFLECT")
        corners = tf.random.stateless_uniform(
            [2, batch, 1], tf.random.fold_in(seed, 1), 0, 2 * pad + 1, tf.int32
        )
        images = tf.gather(images, corners[0] + tf.range(height), axis=1, batch_dims=1)
        images = tf.gather(images, corners[1] + tf.range(width), axis=2, batch_dims=1)
    return images
