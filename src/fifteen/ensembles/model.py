"""An ensemble as one Keras model that runs all its members in one call."""

from collections.abc import Sequence

import keras
from keras import ops

from fifteen.ensembles.rules import RULES


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
    stacked = ops.stack([member(inputs) for member in members])
    return keras.Model(inputs, RULES[method](stacked), name=f"{method}_of_{len(members)}")


def with_member_outputs(ensemble: keras.Model) -> keras.Model:
    """The same ensemble, giving {"combined": (batch, C), "members": (batch, members, C)}."""
    members = [layer for layer in ensemble.layers if isinstance(layer, keras.Model)]
    outputs = ops.stack([member(ensemble.input) for member in members], axis=1)
    return keras.Model(ensemble.input, {"combined": ensemble.output, "members": outputs})
