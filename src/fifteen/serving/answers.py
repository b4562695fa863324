"""Predictions as plain data and as text."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LONGEST_NAME = 50  # characters of a file's name in the table


def ranked(probabilities: np.ndarray, classes: Sequence[str], top: int) -> list[dict[str, Any]]:
    """The `top` most probable `classes` of one picture, each with `class` and `probability`."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    return [{"class": classes[i], "probability": float(probabilities[i])} for i in order]


def answers_text(answers: Sequence[Mapping[str, Any]]) -> str:
    """A table with one line per class; the first line of each picture has its name.

    Each answer has a `picture`, its name, and its `classes` from `ranked`. Others are left out.
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
