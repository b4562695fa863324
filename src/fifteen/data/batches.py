"""The tf.data input pipeline: batches of raw images, shuffled and augmented anew in every epoch."""

import math
from collections.abc import Sequence

from fifteen.data.arrays import Part
from fifteen.params.sections import Augmentation, Training

import tensorflow as tf

GREY = 128  # of what cutout hides


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Batches in one pass over the images; the last one may be smaller."""
    return math.ceil(images / batch_size)


def training_batches(
    part: Part,
    config: Training,
    seed: int,
    first_epoch: int,
    classes: int,
    total_steps: int,
) -> tf.data.Dataset:
    """All batches of a training from `first_epoch`, each epoch a full shuffle of the part.

    An alternating flip (Jordan 2024, arXiv:2404.00498, §3.6) mirrors half of the images, drawn
    once, in the epochs 0, 2, …, and the other half in the epochs 1, 3, …: with mᵢ for the draw,
    image i in epoch e if mᵢ ⊕ (e odd).

    The order of an epoch and its augmentation depend on `seed` and the epoch's number alone, so a
    training that is resumed sees what an uninterrupted one would have seen.

    Args:
        part: the images to learn from.
        config: its batch size, augmentation, resolution and number of epochs.
        seed: decides the order and the augmentation.
        first_epoch: counted from 0.
        classes: number of classes.
        total_steps: of the whole training, by which the resolution goes.

    Returns:
        Pairs of (batch, height, width, 3) images in 0–255 and their labels, ceil(N / batch_size) of
        them in each epoch; the last batch of an epoch may be smaller. Images are uint8, or float32
        where they were mixed or resized. Labels are (batch,) int32; for self-distillation with
        the numbers of the images beside them, (batch, 2) int32; where images were mixed the
        shares of the classes, (batch, classes) float32.
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
            share = (epoch * steps + batch) / total_steps  # of the steps that are done
            x = resize(x, config.resolution, share)
        return x, y

    batches = tf.data.Dataset.range(first_epoch, config.epochs).flat_map(epoch_order)
    return _without_autotuning(batches.map(load).prefetch(4))


def evaluation_batches(part: Part, batch_size: int = 500) -> tf.data.Dataset:
    """The part once, in its order, as uint8 images and int32 labels."""
    arrays = (tf.constant(part.images), tf.constant(part.labels))
    batches = tf.data.Dataset.from_tensor_slices(arrays).batch(batch_size).prefetch(2)
    return _without_autotuning(batches)


def augment(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Random flips, crops and cutouts, each image its own, of a whole batch at once.

    A crop of c pixels is that of He et al. (2016, arXiv:1512.03385, section 4.2) with reflected
    instead of black edges: padded by c on each side, then cut at one of (2c + 1)² places. A cutout
    (DeVries and Taylor 2017, arXiv:1708.04552, §3.2) hides a square with its centre anywhere.

    Args:
        images: (batch, height, width, channels), of any type.
        augmentation: which changes; an alternating flip needs the epoch, and is made before.
        seed: (2,), whole; decides the changes.

    Returns:
        Images of the same shape and type.
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
        # TensorFlow's reflecting pad takes five times as long as all the rest of this.
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
    """CutMix and mixup: each image with the one as far from the other end of the batch.

    CutMix (Yun et al. 2019, arXiv:1905.04899, eq. 1 and 2) replaces a square of the share 1 − λ of
    the area, λ uniform; what is cut off at the edge of the image counts for the labels. Mixup
    (Zhang et al. 2018, arXiv:1710.09412, eq. 1) takes λ of the one and 1 − λ of the other,
    λ ~ Beta(α, α).

    Args:
        images: (batch, height, width, channels).
        labels: (batch, classes) float32, shares.
        augmentation: the share of images for CutMix, and the α of mixup.
        seed: (2,), whole; decides the mixtures.

    Returns:
        Images of the same shape, float32 after mixup, and labels.
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
    """Images at the resolution of this moment, bilinear with antialiasing.

    Progressive resizing, as of Howard (2018, fast.ai's entry to DAWNBench) and Tan and Le (2021,
    arXiv:2104.00298, §4): small images first, for the time it saves. Of an image x, R·x·Cᵀ, whose
    matrices R and C average neighbours; their number of rows is pₖ where sₖ ≤ t/T < sₖ₊₁.

    Args:
        images: (batch, height, width, 3).
        resolution: [from share of the steps, pixels], in order.
        share: of the steps that are done, in [0, 1).

    Returns:
        (batch, pixels, pixels, 3), float32.
    """
    starts, sizes = zip(*resolution, strict=True)

    def to(pixels: int) -> tf.Tensor:
        if pixels == images.shape[1] == images.shape[2]:
            return tf.cast(images, tf.float32)
        # Resizing is linear in rows and in columns; as two products it takes half the time.
        rows, columns = (_resizing_matrix(pixels, side) for side in images.shape[1:3])
        return tf.einsum("ph,qw,bhwc->bpqc", rows, columns, tf.cast(images, tf.float32))

    now = tf.reduce_sum(tf.cast(share >= tf.constant(starts, share.dtype), tf.int32)) - 1
    resized = tf.switch_case(now, [lambda size=size: to(int(size)) for size in sizes])
    return tf.ensure_shape(resized, [None, None, None, images.shape[3]])


def _resizing_matrix(pixels: int, side: int) -> tf.Tensor:
    """(pixels, side): what each of `side` pixels in a row gives to each of `pixels`."""
    rows = tf.eye(side)[:, :, tf.newaxis]
    return tf.image.resize(rows, [pixels, side], antialias=True)[..., 0]


def _without_autotuning(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Nothing is left to tune, and in the end the iterator would wait for its tuner to wake up.

    TensorFlow's tuner sleeps for 10 ms, then twice as long each time, up to a minute.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)


def _mirror(images: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
    columns = tf.range(images.shape[2])
    columns = tf.where(which[:, tf.newaxis], columns[::-1], columns)
    return tf.gather(images, columns, axis=2, batch_dims=1)


def _reflected(positions: tf.Tensor, length: int) -> tf.Tensor:
    """Positions in a row of `length`; those beyond its ends are mirrored at its first or last."""
    last = length - 1
    return last - tf.abs(last - tf.abs(positions))


def _squares(sides: tf.Tensor, height: int, width: int, seed: tf.Tensor) -> tf.Tensor:
    """(batch, height, width): which pixels lie in a square of the given side, placed anywhere."""
    centres = tf.random.stateless_uniform([2, tf.size(sides), 1], seed)
    half = sides[:, tf.newaxis] / 2
    rows, columns = (
        tf.abs(tf.range(0.5, length) - centre * length) < half
        for length, centre in zip((height, width), tf.unstack(centres), strict=True)
    )
    return rows[:, :, tf.newaxis] & columns[:, tf.newaxis, :]
