"""Combination rules: from the probabilities of several members to one answer.

Written in `keras.ops`, so that one definition serves stored predictions and the exported model.
Everywhere `members` has the shape (images, members, classes) and holds probabilities.
"""

from collections.abc import Callable, Sequence

import keras
from keras import ops

VOTE_WINNER_BONUS = 1e-4  # votes; only decides between classes with equally many


def sum_rule(members: keras.KerasTensor) -> keras.KerasTensor:
    """Sum the probabilities; divided by the number of members they are probabilities again.

    The class with the largest sum is the answer (Huang et al. 2017, section 3). Shape (images,
    classes).
    """
    return ops.mean(members, axis=1)


def logit_rule(members: keras.KerasTensor) -> keras.KerasTensor:
    """Sum the logits; a softmax of their mean, of shape (images, classes).

    The logarithms of the probabilities, of at least 1e-7, take the place of the logits, from which
    they differ by a constant for each member: the result is the normalised geometric mean.
    """
    logits = ops.log(ops.maximum(members, keras.config.epsilon()))
    return ops.softmax(ops.mean(logits, axis=1), axis=-1)


def weighted_rule(members: keras.KerasTensor, weights: Sequence[float]) -> keras.KerasTensor:
    """Sum the probabilities, each member's times its weight; shape (images, classes)."""
    return sum(weight * members[:, i] for i, weight in enumerate(weights) if weight)


def votes(members: keras.KerasTensor) -> keras.KerasTensor:
    """How many members give each class the highest probability, of shape (images, classes).

    Where a member has several such classes, it votes for the lowest index.
    """
    choices = ops.one_hot(ops.argmax(members, axis=-1), members.shape[-1], dtype="float32")
    return ops.sum(choices, axis=1)


def vote_rule(members: keras.KerasTensor) -> keras.KerasTensor:
    """Majority vote: each class's share of the votes, of shape (images, classes).

    A tie goes to the tied class with the largest summed probability, then to the lowest index.
    That winner's share is raised by a ten-thousandth of a vote, so that the largest share is
    always the rule's answer; apart from that the shares are exact, and they sum to one.
    """
    counts = votes(members)
    leading = ops.equal(counts, ops.max(counts, axis=-1, keepdims=True))  # symbols know no ==
    summed = ops.where(leading, ops.sum(members, axis=1), -1.0)
    winner = ops.one_hot(ops.argmax(summed, axis=-1), members.shape[-1], dtype="float32")
    return (counts + VOTE_WINNER_BONUS * winner) / (members.shape[1] + VOTE_WINNER_BONUS)


def tie_rate(members: keras.KerasTensor) -> float:
    """The share of images for which two or more classes lead the vote."""
    counts = votes(members)
    leading = ops.equal(counts, ops.max(counts, axis=-1, keepdims=True))
    tied = ops.sum(ops.cast(leading, "int32"), axis=-1) > 1
    return float(ops.mean(ops.cast(tied, "float32")))


RULES: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "sum": sum_rule,
    "logits": logit_rule,
    "vote": vote_rule,
}
