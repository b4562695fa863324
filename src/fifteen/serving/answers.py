"""A model's answers, as a table and as plain data."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LONGEST_NAME = 50  # characters of a file's name in the table


def ranked(probabilities: np.ndarray, classes: Sequence[str], top: int) -> list[dict[str, Any]]:
    """The `top` most probable classes of one picture, each `class` and `probability`.

    Args:
        probabilities: (classes,).
        classes: their names.
        top: how many; all there are, if there are fewer.
    """
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [{"class": classes[i], "probability": float(probabilities[i])} for i in order]


def answers_text(answers: Sequence[Mapping[str, Any]]) -> str:
    """One line for each answer, the picture's name in the first of its lines.

    Args:
        answers: each a `picture` with its `classes`, as `ranked` gives them.
    """
    shown = [answer for answer in answers if "classes" in answer]
    names = [_shortened(answer["picture"]) for answer in shown]
    wide = max((len(entry["class"]) for a in shown for entry in a["classes"]), default=0)
    left = max(map(len, names), default=0)
    lines = []
    for name, answer in zip(names, shown, strict=True):
        for i, entry in enumerate(answer["classes"]):
            lines.append(
                f"{'' if i else name:{left}}  {entry['class']:{wide}}  {entry['probability']:7.2%}"
            )
    return "\n".join(lines)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"…{name[-LONGEST_NAME + 1 :]}"
