"""Combination rules: from the probabilities of several members to those of the ensemble.

They are written in `keras.ops`, so they work on stored predictions and inside the exported model.
`members` are always probabilities of shape (images, members, classes).
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

VOTE_WINNER_BONUS = 1e-4  # in votes; makes the winner of a tie the largest share


def sum_rule(members: keras.KerasTensor) -> keras.KerasTensor:
    """The mean of the probabilities, (images, classes) (Huang et al. 2017, section 3)."""
    return ops.mean(members, axis=1)


def logit_rule(members: keras.KerasTensor) -> keras.KerasTensor:
    """The softmax of the mean logits, (images, classes): the normalised geometric mean.

    Logarithms of the probabilities, clipped at 1e-7, stand for the logits: a constant for each
    member does not change the result.
    """
    logits = ops.log(ops.maximum(members, keras.config.epsilon()))
    return ops.softmax(ops.mean(logits, axis=1), axis=-1)


def weighted_rule(
    members: keras.KerasTensor, weights: Sequence[float] | np.ndarray
) -> keras.KerasTensor:
    """The weighted sum of the probabilities, (images, classes)."""
    return sum(weight * members[:, i] for i, weight in enumerate(weights) if weight)


def votes(members: keras.KerasTensor) -> keras.KerasTensor:
    """The number of members that vote for each class, (images, classes).

    A member votes for its most probable class, the lowest index of several.
    """
    choices = ops.one_hot(ops.argmax(members, axis=-1), members.shape[-1], dtype="float32")
    return ops.sum(choices, axis=1)


def vote_rule(members: keras.KerasTensor) -> keras.KerasTensor:
    """Majority vote: each class's share of the votes, (images, classes), summing to one.

    A tie goes to the tied class with the largest summed probability, then to the lowest index. The
    winner gets a ten-thousandth of a vote more, so that the largest share is always the answer.
    """
    counts = votes(members)
    leading = ops.equal(counts, ops.max(counts, axis=-1, keepdims=True))  # symbols know no ==
    summed = ops.where(leading, ops.sum(members, axis=1), -1.0)
    winner = ops.one_hot(ops.argmax(summed, axis=-1), members.shape[-1], dtype="float32")
    return (counts + VOTE_WINNER_BONUS * winner) / (members.shape[1] + VOTE_WINNER_BONUS)


def tie_rate(members: keras.KerasTensor) -> float:
    """The share of images for which several classes have the most votes."""
    counts = votes(members)
    leading = ops.equal(counts, ops.max(counts, axis=-1, keepdims=True))
    tied = ops.sum(ops.cast(leading, "int32"), axis=-1) > 1
    return float(ops.mean(ops.cast(tied, "float32")))


RULES: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "sum": sum_rule,
    "logits": logit_rule,
    "vote": vote_rule,
}
