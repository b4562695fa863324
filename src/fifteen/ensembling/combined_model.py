"""An ensemble as one Keras model: a graph of all members, or the average of their weights."""

from collections.abc import Callable, Sequence
from functools import partial

from fifteen.ensembling.rules import RULES, weighted_rule

import keras
import numpy as np
from keras import ops

MEMBERS = "member_probabilities"
STATISTICS_IMAGES = 10_000  # for the batch normalisation of averaged weights


def build_ensemble(
    members: Sequence[keras.Model], method: str, weights: Sequence[float] | None = None
) -> keras.Model:
    """Combine `members`, models from raw images to probabilities, by the rule `method`.

    The rule is made of plain Keras operations: the saved model loads without this project.

    Args:
        members: at least two, of the same architecture.
        method: a key of `RULES`; with `weights`, a key of `FITS` (in member_weights.py).
        weights: of the members, for a weighted sum.

    Returns:
        A model from raw images (batch, 32, 32, 3), uint8 or float in 0–255, to the probabilities or
        shares of votes (batch, classes), float32.
    """
    inputs = keras.Input(members[0].input_shape[1:], name="images")
    for number, member in enumerate(members, start=1):
        member.name = f"member_{number}"
    stacked = ops.stack([member(inputs) for member in members], axis=1)
    probabilities = keras.layers.Identity(name=MEMBERS)(stacked)
    combine = RULES[method] if weights is None else partial(weighted_rule, weights=weights)
    return keras.Model(inputs, combine(probabilities), name=f"{method}_of_{len(members)}")


def average_weights(members: Sequence[keras.Model], images: np.ndarray) -> keras.Model:
    """One network with the mean of the weights of `members` (SWA; Izmailov et al. 2018, §3.2).

    The statistics of batch normalisation are computed anew, from the first `STATISTICS_IMAGES` of
    the raw training `images`, (N, 32, 32, 3), in batches of about 500.
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
            layer.momentum = number / (number + 1)  # averages all batches so far equally
        network(batch, training=True)
    for layer, momentum in zip(normalizations, usual, strict=True):
        layer.momentum = momentum
    return network


def predictor(model: keras.Model) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """A function from raw images to the model's `probabilities`, (N, C).

    Of an ensemble it also gives the `member_probabilities`, (N, members, C).
    """
    outputs = {"probabilities": model.output}
    if MEMBERS in (layer.name for layer in model.layers):
        outputs["member_probabilities"] = model.get_layer(MEMBERS).output
    return partial(keras.Model(model.input, outputs).predict, batch_size=500, verbose=0)
