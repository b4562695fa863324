"""Figures of the members of an ensemble: how different they are, what they are worth together."""

from collections.abc import Mapping
from typing import Any

from fifteen.reporting.style import GREY, PALETTE, figure_style, new_figure, show_grid

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_LABELLED = 12  # members; with more of them the numbers do not fit into the squares


@figure_style()
def matrices_figure(matrices: Mapping[str, np.ndarray]) -> Figure:
    """One square of numbers per matrix that compares each member with each other.

    Args:
        matrices: (M, M) each, by what they show.
    """
    figure = new_figure(3.0 * len(matrices), 3.6)
    for axes, (title, matrix) in zip(
        figure.subplots(1, len(matrices), squeeze=False)[0], matrices.items(), strict=True
    ):
        _draw_matrix(axes, title, matrix)
    return figure


def _draw_matrix(axes: Axes, title: str, matrix: np.ndarray) -> None:
    members = len(matrix)
    shown = np.where(np.eye(members, dtype=bool), np.nan, matrix)  # with itself it says nothing
    low, high = np.nanmin(shown), np.nanmax(shown)
    axes.imshow(shown, cmap="Blues", vmin=low - (high - low) / 4, vmax=high + 1e-9)
    axes.set_title(title)
    axes.set_xticks(range(members), range(1, members + 1))
    axes.set_yticks(range(members), range(1, members + 1))
    axes.tick_params(length=0)
    axes.set_xlabel("member")
    for edge in axes.spines.values():
        edge.set_visible(False)
    if members > _LABELLED:
        return
    dark = low + 0.6 * (high - low)
    for row, column in np.argwhere(np.isfinite(shown)):
        value = shown[row, column]
        colour = "white" if value > dark else "#222222"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7)


@figure_style()
def gains_figure(diversity: Mapping[str, Any]) -> Figure:
    """Accuracy of the last 1, 2, … members together; gain of each class by its accuracy.

    Args:
        diversity: the fields of `fifteen.evaluation.diversity.Diversity`.
    """
    figure = new_figure(7.2, 3.0)
    together, classes = figure.subplots(1, 2)
    count = np.arange(1, len(diversity["accuracy_of_last"]) + 1)
    together.plot(count, 100 * diversity["accuracy_of_last"], "o-", color=PALETTE[1], markersize=4)
    together.set_xlabel("members: the last 1, 2, …")
    together.set_ylabel("test accuracy of their sum (%)")
    together.xaxis.set_major_locator(MaxNLocator(integer=True))
    show_grid(together, "both")

    classes.axhline(0, color="#222222", linewidth=0.8)
    classes.plot(
        100 * diversity["class_accuracy"],
        100 * diversity["class_gain"],
        ".",
        color=GREY,
        markersize=4,
    )
    classes.set_xlabel("accuracy of a class, mean of the members (%)")
    classes.set_ylabel("gain by the ensemble (pp)")
    show_grid(classes, "both")
    return figure
