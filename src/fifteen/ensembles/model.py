"""An ensemble as one Keras model that runs all its members in one call."""

from collections.abc import Sequence

from fifteen.ensembles.rules import RULES

import keras
import numpy as np
from keras import ops

MEMBERS = "member_probabilities"


def build_ensemble(members: Sequence[keras.Model], method: str) -> keras.Model:
    """Combine `members`, models from raw images to probabilities, by the rule `method`.

    The rule is part of the graph as plain Keras operations: the saved model loads without any
    code of this project.

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
    return keras.Model(inputs, RULES[method](probabilities), name=f"{method}_of_{len(members)}")


def predict_with_members(
    ensemble: keras.Model, images: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What the ensemble answers, (N, C), and what each member does, (N, members, C)."""
    outputs = [ensemble.output, ensemble.get_layer(MEMBERS).output]
    combined, members = keras.Model(ensemble.input, outputs).predict(
        images, batch_size=500, verbose=0
    )
    return combined, members
