"""The figures of one model: where it confuses classes and what its surest mistakes look like."""

from collections.abc import Mapping, Sequence
from typing import Any

from fifteen.reporting.style import figure_style, new_figure

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

# Up to this many classes there is room to name and number every cell.
MAX_NAMED_CLASSES = 25


@figure_style()
def confusion_figure(matrix: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Draws a confusion matrix, each row divided by its sum.

    The colour follows the square root of the share, so that a mistake made once in a hundred
    images is still visible beside a diagonal of 60 %.

    Args:
        matrix: (C, C) counts; rows are true classes, columns predicted ones.
        names: the C class names.
        title: the line above the matrix.

    Raises:
        ValueError: the matrix is not square or does not match the names.
    """
    matrix = np.asarray(matrix)
    count = len(names)
    if matrix.shape != (count, count):
        raise ValueError(f"a confusion matrix of shape {matrix.shape} does not fit {count} classes")
    totals = matrix.sum(axis=1, keepdims=True)
    shares = matrix / np.maximum(totals, 1)  # a class without images keeps a row of zeros

    figure = new_figure(6.6, 5.9)
    figure.set_layout_engine("compressed")  # the one that knows square cells
    axes = figure.add_subplot()
    image = axes.imshow(
        shares, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1), interpolation="nearest"
    )
    if count <= MAX_NAMED_CLASSES:
        ticks, note = np.arange(count), ""
        for row, column in np.argwhere(shares >= 0.005):  # the rest would read 0
            share = shares[row, column]
            axes.text(
                column,
                row,
                f"{100 * share:.0f}",
                ha="center",
                va="center",
                fontsize=7 if count <= 12 else 5.5,
                color="white" if share > 0.35 else "#333333",
            )
    else:
        ticks, note = np.arange(0, count, 5), " (every fifth is named)"
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
    bar.outline.set_visible(False)
    bar.set_label("share of the true class's images (square-root scale)")
    return figure


@figure_style()
def mistakes_figure(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    count: int = 24,
) -> Figure:
    """Shows the mistakes the model was surest of, surest first.

    Args:
        images: (N, height, width, 3) uint8.
        labels: (N,) true classes.
        probabilities: (N, C) class probabilities.
        names: the C class names.
        count: at most so many images are shown; fewer where fewer mistakes were made.
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    shown = wrong[np.argsort(-confidence[wrong], kind="stable")][:count]

    columns = 6
    rows = max(1, -(-len(shown) // columns))
    figure = new_figure(1.3 * columns, 1.5 * rows + 0.3)
    if len(shown) == 0:
        figure.suptitle("No test image is misclassified")
        return figure
    figure.suptitle("Most confident mistakes: true → predicted (probability)", fontsize=9)
    for place, index in enumerate(shown, start=1):
        title = f"{names[labels[index]]} →\n{names[predicted[index]]} ({confidence[index]:.2f})"
        _show(figure.add_subplot(rows, columns, place), images[index], title)
    return figure


@figure_style()
def confused_pairs_figure(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    names: Sequence[str],
    pairs: Sequence[Mapping[str, Any]],
    count: int = 6,
    examples: int = 6,
) -> Figure:
    """Shows images of the classes that are confused most, a row for each pair.

    Args:
        images: (N, height, width, 3) uint8.
        labels: (N,) true classes.
        predicted: (N,) predicted classes.
        names: the C class names.
        pairs: `true` and `predicted` name and `count`, the most frequent first.
        count: at most so many pairs are shown.
        examples: at most so many images of each, the first ones.
    """
    figure = new_figure(1.1 * examples, 1.25 * max(1, len(pairs[:count])) + 0.3)
    if not pairs:
        figure.suptitle("No two classes are confused")
        return figure
    figure.suptitle("Classes confused most: true → predicted (images)", fontsize=9)
    number = {name: index for index, name in enumerate(names)}
    for row, pair in enumerate(pairs[:count]):
        true, taken_for = number[pair["true"]], number[pair["predicted"]]
        shown = np.flatnonzero((labels == true) & (predicted == taken_for))[:examples]
        for column, index in enumerate(shown):
            axes = figure.add_subplot(len(pairs[:count]), examples, row * examples + column + 1)
            _show(axes, images[index], "")
            if column == 0:
                axes.set_title(
                    f"{pair['true']} → {pair['predicted']} ({pair['count']})",
                    loc="left",
                    fontsize=7,
                    parse_math=False,
                )
    return figure


def _show(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, fontsize=6.5, parse_math=False)
