"""An ensemble as one Keras model: all its members in one call, or the average of their weights."""

from collections.abc import Callable, Sequence
from functools import partial

from fifteen.ensembling.rules import RULES, weighted_rule

import keras
import numpy as np
from keras import ops

MEMBERS = "member_probabilities"
STATISTICS_IMAGES = 10_000  # enough for batch normalisation


def build_ensemble(
    members: Sequence[keras.Model], method: str, weights: Sequence[float] | None = None
) -> keras.Model:
    """Combine `members`, models from raw images to probabilities, by the rule `method`.

    The rule is part of the graph as plain Keras operations: the saved model loads without any
    code of this project.

    Args:
        members: at least two, of the same architecture.
        method: a key of `RULES`; or, for a sum with `weights`, what they come from.
        weights: of the members.

    Returns:
        A model from raw images (batch, 32, 32, 3), uint8 or float in 0–255, to the rule's shares
        (batch, classes), float32, whose largest is the answer.

    Raises:
        ValueError: there are fewer than two members.
    """
    if len(members) < 2:
        raise ValueError(f"an ensemble needs at least two members, not {len(members)}")
    inputs = keras.Input(members[0].input_shape[1:], name="images")
    for number, member in enumerate(members, start=1):
        member.name = f"member_{number}"
    stacked = ops.stack([member(inputs) for member in members], axis=1)
    probabilities = keras.layers.Identity(name=MEMBERS)(stacked)
    combine = RULES[method] if weights is None else partial(weighted_rule, weights=weights)
    return keras.Model(inputs, combine(probabilities), name=f"{method}_of_{len(members)}")


def average_weights(members: Sequence[keras.Model], images: np.ndarray) -> keras.Model:
    """One network with the mean of the weights of `members` (Izmailov et al. 2018, SWA, §3.2).

    The statistics of its batch normalisation are those of the first `STATISTICS_IMAGES` images, of
    which a batch of 500 after the other goes through it as in training.

    Args:
        members: networks of the same architecture, from raw images to probabilities.
        images: raw training images, (N, 32, 32, 3).
    """
    network = keras.models.clone_model(members[0])
    values = zip(*(member.get_weights() for member in members), strict=True)
    network.set_weights([np.mean(of_all, axis=0) for of_all in values])
    normalizations = [
        layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    usual = [layer.momentum for layer in normalizations]
    images = images[:STATISTICS_IMAGES]
    batches = np.array_split(images, -(-len(images) // 500)) if normalizations else []
    for number, batch in enumerate(batches):
        for layer in normalizations:
            layer.momentum = number / (number + 1)  # the mean over the batches so far
        network(batch, training=True)
    for layer, momentum in zip(normalizations, usual, strict=True):
        layer.momentum = momentum
    return network


def predictor(model: keras.Model) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """What takes raw images to the model's `probabilities`, (N, C).

    And, of an ensemble, the `member_probabilities`, (N, members, C). TensorFlow traces the model at
    the first call alone.
    """
    outputs = {"probabilities": model.output}
    if MEMBERS in (layer.name for layer in model.layers):
        outputs["member_probabilities"] = model.get_layer(MEMBERS).output
    return partial(keras.Model(model.input, outputs).predict, batch_size=500, verbose=0)
