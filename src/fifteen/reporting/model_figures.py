"""The pictures of one model: where it confuses classes and what its surest mistakes look like.

Images are (N, height, width, 3) uint8, labels and predictions (N,) class ids, names those of the C
classes by id.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fifteen.reporting.style import figure_style, new_figure

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

MAX_NAMED_CLASSES = 25  # up to so many there is room to name and number every cell
COLUMNS = 6


def confusion_figure(matrix: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """A confusion matrix, each row divided by its sum.

    The colour follows the square root of the share, so that a mistake made once in a hundred
    images is still visible beside a diagonal of 60 %. `matrix` has (C, C) counts; rows are true
    classes, columns predicted ones.

    Raises:
        ValueError: the matrix is not square or does not match the names.
    """
    matrix, count = np.asarray(matrix), len(names)
    if matrix.shape != (count, count):
        raise ValueError(f"a confusion matrix of shape {matrix.shape} does not fit {count} classes")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)  # no images: a row of zeros
    with figure_style():
        figure = new_figure(6.6, 5.9)
        figure.set_layout_engine("compressed")  # the one that knows square cells
        axes = figure.add_subplot()
        image = axes.imshow(shares, "Blues", PowerNorm(0.5, vmin=0, vmax=1))
        all_named = count <= MAX_NAMED_CLASSES
        for row, column in np.argwhere(shares >= 0.005) if all_named else ():  # the rest reads 0
            share, size = shares[row, column], 7 if count <= 12 else 5.5
            colour = "white" if share > 0.35 else "#333333"
            where: dict[str, Any] = {"ha": "center", "va": "center"}
            axes.text(column, row, f"{100 * share:.0f}", fontsize=size, color=colour, **where)
        ticks, note = range(0, count, 1 if all_named else 5), "" if all_named else " (every fifth)"
        shown = [names[tick] for tick in ticks]
        axes.set_xticks(ticks, shown, rotation=90, fontsize=6.5, parse_math=False)
        axes.set_yticks(ticks, shown, fontsize=6.5, parse_math=False)
        axes.spines[:].set_visible(False)
        axes.set(xlabel=f"predicted class{note}", ylabel=f"true class{note}")
        axes.set_title(title, parse_math=False)
        bar = figure.colorbar(
            image, ax=axes, ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 1], fraction=0.04, pad=0.02
        )
        bar.ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
        bar.set_label("share of the true class's images (square-root scale)")
    return figure


def mistakes_figure(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    count: int = 24,
) -> Figure:
    """The at most `count` mistakes that the model, with its (N, C) probabilities, was surest of."""
    predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]
    titles = [
        f"{names[labels[index]]} →\n{names[predicted[index]]} ({confidence[index]:.2f})"
        for index in shown
    ]
    rows = [
        list(range(row, min(row + COLUMNS, len(shown)))) for row in range(0, len(shown), COLUMNS)
    ]
    some = "Most confident mistakes: true → predicted (probability)"
    return _grid(
        some if rows else "No test image is misclassified",
        [[(images[shown[place]], titles[place]) for place in row] for row in rows],
    )


def confused_pairs_figure(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    pairs: Sequence[Mapping[str, Any]],
    count: int = 6,
) -> Figure:
    """The first images of the at most `count` pairs of classes that are confused most.

    `pairs` have a `true` and a `predicted` name and a `count`, the most frequent first.
    """
    number = {name: index for index, name in enumerate(names)}
    rows = []
    for pair in pairs[:count]:
        of_pair = (labels == number[pair["true"]]) & (predicted == number[pair["predicted"]])
        title = f"{pair['true']} →\n{pair['predicted']} ({pair['count']})"
        first = np.flatnonzero(of_pair)[:COLUMNS]
        rows.append([(images[index], "" if at else title) for at, index in enumerate(first)])
    some = "Classes confused most: true → predicted (images)"
    return _grid(some if rows else "No two classes are confused", rows)


def _grid(title: str, rows: Sequence[Sequence[tuple[np.ndarray, str]]]) -> Figure:
    """Images with titles, in rows of at most `COLUMNS`."""
    with figure_style():
        figure = new_figure(1.3 * COLUMNS, 1.5 * max(1, len(rows)) + 0.3)
        figure.suptitle(title, fontsize=9)
        for row, shown in enumerate(rows):
            for column, (image, text) in enumerate(shown):
                axes = figure.add_subplot(len(rows), COLUMNS, row * COLUMNS + column + 1)
                axes.imshow(image, interpolation="nearest")
                axes.set_axis_off()
                axes.set_title(text, fontsize=6.5, parse_math=False)
    return figure
