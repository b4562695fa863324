"""Fitting a training section to the data set that it meets.

A recipe says what it wants; the number of images and what they show decide what is possible. On
CIFAR-100 every section of params.yaml stays as it is.
"""

from fifteen.params.sections import Training

import keras


def adapted(config: Training, images: int, mirrored: bool, min_steps: int) -> Training:
    """`config` as the data allow it.

    - Batches have at most ⌊images / min_steps⌋ images, so that an epoch has at least `min_steps`
      steps: in large batches, few images make too few steps to learn anything. Learning rates stay
      as they are: a smaller batch asks for smaller ones, a shorter training for larger ones, and
      measured, rates scaled by the square root of the batch size were worse (docs/small_data.md).
    - Images are not mirrored where that would change their class.

    Args:
        config: a training section.
        images: number of training images, at least 1.
        mirrored: whether mirrored images keep their class.
        min_steps: least number of steps in an epoch, as far as there are so many images.
    """
    batch_size = min(config.batch_size, max(images // min_steps, 1))
    augmentation = config.augmentation
    if not mirrored:
        augmentation = augmentation.model_copy(update={"flip": False})
    return config.model_copy(update={"batch_size": batch_size, "augmentation": augmentation})


def describe_changes(before: Training, after: Training) -> str:
    """What `adapted` has changed, in words; nothing where it has not."""
    words = []
    if after.batch_size != before.batch_size:
        words.append(
            f"batches of {after.batch_size:,} images instead of {before.batch_size:,}, so that an "
            "epoch has budget.min_steps_per_epoch steps"
        )
    if after.augmentation.flip != before.augmentation.flip:
        words.append("no mirrored images, as they would be of another class")
    return "; ".join(words)


def limit_momentum(network: keras.Model, steps_per_epoch: int) -> None:
    """Let the running statistics of batch normalisation keep up with a short training.

    With the momentum m they weigh the last 1 / (1 − m) steps. That is at most a third of an epoch:
    m ≤ 1 − 3 / steps. Keras's default of 0.99 for a training of 300 steps would judge the network
    by statistics of weights that it no longer has.
    """
    at_most = max(1 - 3 / steps_per_epoch, 0.0)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = min(layer.momentum, at_most)
