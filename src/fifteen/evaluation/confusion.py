"""Confusion matrices: computing, grouping and drawing them, and the most frequent mistakes.

A matrix has the shape (C, C) and holds numbers of images, int64: rows are true classes, columns
predicted ones.
"""

from collections.abc import Sequence

import numpy as np
from sklearn import metrics as sklearn_metrics

# Colours for the square roots 0, 1/3, 2/3 and 1 of a share: white, then steps 4, 7 and 9 of the
# nine-class ColorBrewer schemes Blues and Reds, whose lightness falls evenly.
_HITS = np.array([(255, 255, 255), (158, 202, 225), (33, 113, 181), (8, 48, 107)])
_MISTAKES = np.array([(255, 255, 255), (252, 146, 114), (203, 24, 29), (103, 0, 13)])


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """The confusion matrix of the true and the predicted class ids, (N,), in [0, classes)."""
    return sklearn_metrics.confusion_matrix(labels, predicted, labels=np.arange(classes))


def group_confusion(matrix: np.ndarray, group_of: Sequence[int] | np.ndarray) -> np.ndarray:
    """The confusion matrix of superclasses; `group_of` gives that of each class, from 0."""
    group_of = np.asarray(group_of)
    membership = np.eye(group_of.max() + 1, dtype=matrix.dtype)[group_of]
    return membership.T @ matrix @ membership


def most_confused_pairs(
    matrix: np.ndarray, names: Sequence[str], top: int = 20
) -> list[dict[str, str | int]]:
    """The at most `top` most frequent mistakes, each {"true": name, "predicted": name, "count": n}.

    Equal counts are in the order of the true, then the predicted class id.
    """
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    true, predicted = np.nonzero(mistakes)  # in the order of true, then predicted id
    order = np.argsort(-mistakes[true, predicted], kind="stable")[:top]
    return [
        {"true": names[t], "predicted": names[p], "count": int(mistakes[t, p])}
        for t, p in zip(true[order], predicted[order], strict=True)
    ]


def confusion_image(matrix: np.ndarray, size: int = 600) -> np.ndarray:
    """Draw a confusion matrix as a heat map, without a plotting library.

    A cell shows its share of the row (true class): blue on the diagonal and red elsewhere, darker
    for more, white for none. The colour follows the square root of the share, so that a mistake
    with 1 % of the images is visible.

    Returns:
        (side, side, 3) uint8; the side is the largest multiple of C up to `size`, at least C.
    """
    classes = len(matrix)
    shade = np.sqrt(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1))
    diagonal = np.eye(classes, dtype=bool)[:, :, np.newaxis]
    colours = np.where(diagonal, _ramp(shade, _HITS), _ramp(shade, _MISTAKES))
    cell = max(1, size // classes)
    return np.rint(colours).astype(np.uint8).repeat(cell, axis=0).repeat(cell, axis=1)


def _ramp(values: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Map values in [0, 1], shape (...), to colours between RGB anchors, shape (..., 3)."""
    positions = np.linspace(0, 1, len(anchors))
    return np.stack([np.interp(values, positions, channel) for channel in anchors.T], axis=-1)
