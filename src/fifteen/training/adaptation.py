"""Adapting a training section to the data set.

A recipe says what it wants; the data decide what is possible. On CIFAR-100 no section of
params.yaml is changed.
"""

from fifteen.params.sections import Training

import keras


def adapted(config: Training, images: int, mirrored: bool, min_steps: int) -> Training:
    """`config` with the batch size and the augmentation that the data allow.

    - A batch has at most ⌊images / min_steps⌋ images, so that an epoch has at least `min_steps`
      steps. With fewer steps a network learns next to nothing. Learning rates stay as they are:
      rates scaled by the square root of the batch size were measured, and were worse
      (benchmarks/small_data.py).
    - Images are not mirrored where that would change their class.

    Args:
        config: a training section.
        images: number of training images, at least 1.
        mirrored: whether mirrored images keep their class.
        min_steps: least number of steps in an epoch; fewer where there are fewer images.
    """
    batch_size = min(config.batch_size, max(images // min_steps, 1))
    augmentation = config.augmentation
    if not mirrored:
        augmentation = augmentation.model_copy(update={"flip": False})
    return config.model_copy(update={"batch_size": batch_size, "augmentation": augmentation})


def describe_changes(before: Training, after: Training) -> str:
    """What `adapted` has changed, for the log; empty where nothing was."""
    words = []
    if after.batch_size != before.batch_size:
        words.append(
            f"batches of {after.batch_size:,} images instead of {before.batch_size:,}, so that an "
            "epoch has budget.min_steps_per_epoch steps"
        )
    if after.augmentation.flip != before.augmentation.flip:
        words.append("no mirrored images, as mirroring changes the class")
    return "; ".join(words)


def limit_momentum(network: keras.Model, steps_per_epoch: int) -> None:
    """Lower the momentum of batch normalisation to at most 1 − 3 / steps_per_epoch, in place.

    Running statistics with the momentum m average over about 1 / (1 − m) steps, so at most a third
    of an epoch. In a training of 300 steps, Keras's default of 0.99 would average over weights that
    the network no longer has.
    """
    at_most = max(1 - 3 / steps_per_epoch, 0.0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, at_most)
