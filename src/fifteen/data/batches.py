"""The tf.data input pipeline: batches of raw images, shuffled and augmented in every epoch."""

import math
from collections.abc import Sequence

from fifteen.common import engines  # noqa: F401 - before anything that imports TensorFlow
from fifteen.data.arrays import Part
from fifteen.params.sections import Augmentation, Training

import tensorflow as tf

GREY = 128  # value of the pixels that cutout hides


def steps_per_epoch(images: int, batch_size: int) -> int:
    """The number of batches in one pass over the images; the last one may be smaller."""
    return math.ceil(images / batch_size)


def epochs_of(config: Training, images: int, total_steps: int) -> int:
    """The number of epochs of a training; if `config` gives none, as many as `total_steps` make."""
    return config.epochs or total_steps // steps_per_epoch(images, config.batch_size)


def training_batches(
    part: Part, config: Training, seed: int, first_epoch: int, classes: int, total_steps: int
) -> tf.data.Dataset:
    """All batches of a training from `first_epoch` on; every epoch shuffles all images.

    The order and the augmentation of an epoch depend on `seed` and the epoch alone, so a resumed
    training gets the same batches as an uninterrupted one. The alternating flip (Jordan 2024,
    arXiv:2404.00498, §3.6) mirrors a random half of the images in the epochs 0, 2, …, and the other
    half in the epochs 1, 3, …

    Args:
        part: the training images.
        config: the training section.
        seed: decides the order and the augmentation.
        first_epoch: counted from 0.
        classes: number of classes.
        total_steps: of the whole training; its shares decide the resolution.

    Returns:
        Pairs of images and labels. Images are (batch, height, width, 3) in 0–255, uint8, or float32
        where they are mixed or resized. Labels are (batch,) int32; for self-distillation (batch, 2)
        int32 with the images' positions in the part; for mixed images the shares of the classes,
        (batch, classes) float32.
    """
    images, labels = tf.constant(part.images), tf.constant(part.labels)
    mirrored_first = tf.random.stateless_uniform([len(part.labels)], [seed, 0]) < 0.5
    steps = steps_per_epoch(len(part.labels), config.batch_size)
    change = config.augmentation

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        positions = tf.range(len(part.labels))
        order = tf.random.experimental.stateless_shuffle(positions, seed=[seed, epoch])
        batches = tf.data.Dataset.from_tensor_slices(order).batch(config.batch_size)
        return batches.enumerate().map(lambda batch, at: (epoch, batch, at))

    def load(epoch: tf.Tensor, batch: tf.Tensor, at: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_batch = tf.random.fold_in(tf.stack([tf.cast(seed, tf.int64), epoch]), batch)
        x, y = tf.gather(images, at), tf.gather(labels, at)
        if change.flip == "alternating":
            x = _mirror(x, tf.gather(mirrored_first, at) ^ (epoch % 2 == 1))
        x = augment(x, change, of_batch)
        if change.cutmix or change.mixup:
            x, y = mix(x, tf.one_hot(y, classes), change, of_batch)
        if config.self_distillation:
            y = tf.stack([y, at], axis=1)
        if config.resolution:
            share = (epoch * steps + batch) / total_steps  # of the steps that have been made
            x = resize(x, config.resolution, share)
        return x, y

    epochs = epochs_of(config, len(part.labels), total_steps)
    batches = tf.data.Dataset.range(first_epoch, epochs).flat_map(epoch_order)
    return _without_autotuning(batches.map(load).prefetch(4))


def evaluation_batches(part: Part, batch_size: int = 500) -> tf.data.Dataset:
    """One pass over the part in its order, as uint8 images and int32 labels."""
    arrays = (tf.constant(part.images), tf.constant(part.labels))
    batches = tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size).prefetch(2)
    return _without_autotuning(batches)


def augment(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Randomly flip, crop and cut out, independently for each image of a batch.

    A crop by c pixels (He et al. 2016, arXiv:1512.03385, §4.2, here with reflected edges) pads each
    side by c, then cuts at one of (2c + 1)² places. A cutout (DeVries and Taylor 2017,
    arXiv:1708.04552, §3.2) hides a square whose centre may lie anywhere.

    `images` are (batch, height, width, channels), of any type, which is kept; `seed` is (2,)
    integers. The alternating flip is made elsewhere, as it needs the epoch.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    if augmentation.flip is True:
        draw = tf.random.stateless_uniform([batch], tf.random.fold_in(seed, 0))
        images = _mirror(images, draw >= 0.5)
    if augmentation.crop:
        pad = augmentation.crop
        corners = tf.random.stateless_uniform(
            [2, batch, 1], tf.random.fold_in(seed, 1), 0, 2 * pad + 1, tf.int32
        )
        # Gathering is much faster than TensorFlow's reflecting pad.
        rows, columns = (
            _reflected(corner + tf.range(-pad, length - pad), length)
            for corner, length in zip(tf.unstack(corners), (height, width), strict=True)
        )
        images = tf.gather(images, rows, axis=1, batch_dims=1)
        images = tf.gather(images, columns, axis=2, batch_dims=1)
    if augmentation.cutout:
        sides = tf.fill([batch], float(augmentation.cutout))
        hidden = _squares(sides, height, width, tf.random.fold_in(seed, 2))
        images = tf.where(hidden[..., tf.newaxis], tf.cast(GREY, images.dtype), images)
    return images


def mix(
    images: tf.Tensor, labels: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """CutMix and mixup: mix image i of a batch with image i of the reversed batch.

    CutMix (Yun et al. 2019, arXiv:1905.04899, eq. 1 and 2) replaces a square of the share 1 − λ of
    the area, λ uniform. The labels are mixed by the area inside the image. Mixup (Zhang et al.
    2018, arXiv:1710.09412, eq. 1) takes λ of one image and 1 − λ of the other, λ ~ Beta(α, α).

    `images` are (batch, height, width, channels), float32 after mixup; `labels` are the shares of
    the classes, (batch, classes) float32; `seed` is (2,) integers.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    if augmentation.cutmix:
        draws = tf.random.stateless_uniform([2, batch], tf.random.fold_in(seed, 3))
        area = tf.where(draws[0] < augmentation.cutmix, draws[1], 0.0)
        sides = tf.sqrt(area * float(height * width))
        other = _squares(sides, height, width, tf.random.fold_in(seed, 4))
        share = tf.reduce_mean(tf.cast(other, tf.float32), axis=[1, 2])[:, tf.newaxis]
        images = tf.where(other[..., tf.newaxis], tf.reverse(images, axis=[0]), images)
        labels = labels * (1 - share) + tf.reverse(labels, axis=[0]) * share
    if augmentation.mixup:
        alpha = augmentation.mixup
        draws = tf.random.stateless_gamma([batch, 2], tf.random.fold_in(seed, 5), alpha)
        share = tf.math.divide_no_nan(draws[:, 0], tf.reduce_sum(draws, axis=1))
        images, labels = (
            x * s + tf.reverse(x, axis=[0]) * (1 - s)
            for x, s in (
                (tf.cast(images, tf.float32), tf.reshape(share, [-1, 1, 1, 1])),
                (labels, tf.reshape(share, [-1, 1])),
            )
        )
    return images, labels


def resize(images: tf.Tensor, resolution: Sequence[Sequence[float]], share: tf.Tensor) -> tf.Tensor:
    """Resize images to the resolution of the current step, bilinearly with antialiasing.

    Progressive resizing (Howard 2018, fast.ai's entry to DAWNBench; Tan and Le 2021,
    arXiv:2104.00298, §4) trains on small images first, which saves time.

    Args:
        images: (batch, height, width, 3); those that are returned are float32.
        resolution: [from share of the steps, pixels], in order.
        share: of the steps that have been made, in [0, 1).
    """
    starts, sizes = zip(*resolution, strict=True)

    def to(pixels: int) -> tf.Tensor:
        if pixels == images.shape[1] == images.shape[2]:
            return tf.cast(images, tf.float32)
        # Resizing is linear: R·x·Cᵀ. As two matrix products it takes half the time.
        rows, columns = (_resizing_matrix(pixels, side) for side in images.shape[1:3])
        return tf.einsum("ph,qw,bhwc->bpqc", rows, columns, tf.cast(images, tf.float32))

    now = tf.reduce_sum(tf.cast(share >= tf.constant(starts, share.dtype), tf.int32)) - 1
    resized = tf.switch_case(now, [lambda size=size: to(int(size)) for size in sizes])
    return tf.ensure_shape(resized, [None, None, None, images.shape[3]])


def _resizing_matrix(pixels: int, side: int) -> tf.Tensor:
    """The matrix (pixels, side) that resizes a row of `side` pixels to `pixels`."""
    rows = tf.eye(side)[:, :, tf.newaxis]
    return tf.image.resize(rows, [pixels, side], antialias=True)[..., 0]


def _without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """`dataset` without TensorFlow's autotuner, which sleeps up to a minute at the end."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _mirror(images: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
    """`images` with those mirrored left to right where `which`, (batch,) booleans, is true."""
    columns = tf.range(images.shape[2])
    columns = tf.where(which[:, tf.newaxis], columns[::-1], columns)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def _reflected(positions: tf.Tensor, length: int) -> tf.Tensor:
    """Positions in a row of `length`; those beyond its ends are reflected at the end pixels."""
    last = length - 1
    return last - tf.abs(last - tf.abs(positions))


def _squares(sides: tf.Tensor, height: int, width: int, seed: tf.Tensor) -> tf.Tensor:
    """Which pixels, (batch, height, width), lie in a square with a random centre, one per image."""
    centres = tf.random.stateless_uniform([2, tf.size(sides), 1], seed)
    half = sides[:, tf.newaxis] / 2
    rows, columns = (
        tf.abs(tf.range(0.5, length) - centre * length) < half
        for length, centre in zip((height, width), tf.unstack(centres), strict=True)
    )
    return rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :]
