"""The figures that put models side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from fifteen.reporting.comparisons import relative_to
from fifteen.reporting.style import (
    GREY,
    figure_style,
    new_figure,
    show_grid,
    verdict_keys,
    verdict_look,
)

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

# More classes than this are set in two columns.
_CLASSES_PER_COLUMN = 50
# Inches; on a phone, where it is half as wide as this makes it, a dot plot can still be read.
_DOT_PLOT_WIDTH = 4.5


@figure_style()
def accuracy_figure(
    models: Mapping[str, Mapping[str, Any]],
    original: Mapping[str, float],
    colours: Mapping[str, str],
) -> Figure:
    """Dot plot of test accuracy with its 95 % interval, one row per model.

    Args:
        models: the `models` of `reports/metrics.json`.
        original: accuracies (0 to 1) the original study reported, by model; may be empty.
        colours: see `model_colours`.
    """
    figure = new_figure(_DOT_PLOT_WIDTH, 0.9 + 0.34 * len(models))
    axes = figure.add_subplot()
    for row, (name, model) in enumerate(models.items()):
        test = model["test"]
        low, high = test["accuracy_ci95"]
        accuracy = 100 * test["accuracy"]
        axes.plot([100 * low, 100 * high], [row, row], color=colours[name], linewidth=1.8)
        axes.plot(accuracy, row, "o", color=colours[name], markersize=6)
        axes.text(1.01, row, f"{accuracy:.2f} %", va="center", transform=axes.get_yaxis_transform())
        if name in original:
            axes.plot(
                100 * original[name],
                row + 0.25,  # just below, or a close reproduction hides it
                "D",
                markerfacecolor="white",
                markeredgecolor="#222222",
                markersize=5,
            )
    axes.set_yticks(range(len(models)), list(models), parse_math=False)
    axes.set_ylim(len(models) - 0.5, -0.5)
    axes.margins(x=0.06)
    axes.set_xlabel("test accuracy (%)")
    show_grid(axes, "x")
    keys = [Line2D([], [], color=GREY, marker="o", label="this project, 95 % interval")]
    if any(name in models for name in original):
        keys.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="D",
                markerfacecolor="white",
                markeredgecolor="#222222",
                markersize=5,
                label="original study",
            )
        )
    figure.legend(handles=keys, loc="outside upper left", ncols=2)
    return figure


@figure_style()
def differences_figure(comparisons: Sequence[Mapping[str, Any]], reference: str) -> Figure:
    """Difference in test accuracy of each model against one reference, coloured by verdict.

    Args:
        comparisons: the `comparisons` of `reports/metrics.json`; those without the reference are
            left out, those that name it first are turned round.
        reference: a model's name.

    Raises:
        ValueError: nothing is compared with the reference.
    """
    rows = relative_to(comparisons, reference)
    if not rows:
        raise ValueError(f"nothing is compared with {reference}")
    figure = new_figure(_DOT_PLOT_WIDTH, 0.9 + 0.34 * len(rows))
    axes = figure.add_subplot()
    axes.axvline(0, color="#222222", linewidth=0.8)
    for row, comparison in enumerate(rows):
        look = verdict_look(comparison["verdict"])
        low, high = comparison["ci95"]
        difference = 100 * comparison["difference"]
        axes.plot([100 * low, 100 * high], [row, row], color=look["color"], linewidth=1.8)
        axes.plot(difference, row, linestyle="none", markersize=6, **look)
        axes.text(
            1.01,
            row,
            f"{difference:+.2f} pp".replace("-", "−"),
            va="center",
            transform=axes.get_yaxis_transform(),
        )
    axes.set_yticks(range(len(rows)), [row["a"] for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.06)
    axes.set_xlabel(
        f"test accuracy minus that of {reference} (percentage points)", parse_math=False
    )
    show_grid(axes, "x")
    keys = verdict_keys(comparison["verdict"] for comparison in rows)
    figure.legend(handles=keys, loc="outside upper left", ncols=3)
    return figure


@figure_style()
def per_class_figure(
    per_class: Mapping[str, np.ndarray], names: Sequence[str], colours: Mapping[str, str]
) -> Figure:
    """Test accuracy of every class under every model, classes sorted by the first model.

    Args:
        per_class: for each model, (C,) accuracies from 0 to 1.
        names: the C class names.
        colours: see `model_colours`.
    """
    table = 100 * np.array([per_class[model] for model in per_class])  # (models, C)
    order = np.argsort(-table[0], kind="stable")
    blocks = np.array_split(order, -(-len(order) // _CLASSES_PER_COLUMN))

    figure = new_figure(8.4, 1.1 + 0.165 * len(blocks[0]))
    all_axes = figure.subplots(1, len(blocks), sharex=True, squeeze=False)[0]
    for axes, block in zip(all_axes, blocks, strict=True):
        rows = np.arange(len(block))
        values = table[:, block]
        axes.hlines(rows, values.min(axis=0), values.max(axis=0), color="#cccccc", linewidth=1)
        for model, accuracies in zip(per_class, values, strict=True):
            axes.plot(accuracies, rows, "o", color=colours[model], markersize=3.6, label=model)
        axes.set_yticks(rows, [names[index] for index in block], fontsize=6.5, parse_math=False)
        axes.set_ylim(len(block) - 0.4, -0.6)
        axes.set_xlim(-2, 102)
        axes.set_xlabel("test accuracy of the class (%)")
        axes.spines[:].set_visible(False)
        show_grid(axes, "both")
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=6)
    return figure


@figure_style()
def curves_figure(
    histories: Mapping[str, Mapping[str, np.ndarray]], colours: Mapping[str, str]
) -> Figure:
    """Accuracy and loss after every epoch, training on the left, validation on the right.

    Each row shares its scale, so the height between the two panels is the generalisation gap.

    Args:
        histories: for each model the columns of its `history.csv`.
        colours: see `model_colours`.
    """
    figure = new_figure(8.4, 5.6)
    grid = figure.subplots(2, 2, sharex=True, sharey="row")
    for row, (quantity, scale, label) in enumerate(
        [("accuracy", 100, "accuracy (%)"), ("loss", 1, "loss")]
    ):
        for column, (part, title) in enumerate([("train", "training"), ("val", "validation")]):
            axes = grid[row, column]
            for name, history in histories.items():
                axes.plot(
                    history["epoch"],
                    scale * history[f"{part}_{quantity}"],
                    color=colours[name],
                    marker="o",
                    markersize=2.5,
                    linewidth=1.4,
                    label=name,
                )
            axes.set_title(f"{title} {quantity}")
            axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, steps=[1, 3, 5, 10]))
            show_grid(axes, "y")
        grid[row, 0].set_ylabel(label)
        _label_line_ends(grid[row, 1], 0.055)
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    return figure


def _label_line_ends(axes: Axes, gap: float) -> None:
    """Writes each line's label beside its last point, moved apart where they would overlap."""
    bottom, top = axes.get_ylim()
    lines = axes.get_lines()
    ends = np.array([(line.get_ydata()[-1] - bottom) / (top - bottom) for line in lines])
    for line, end, height in zip(lines, ends, spread(ends, gap), strict=True):
        axes.annotate(
            line.get_label(),
            xy=(1.0, end),
            xytext=(1.06, height),
            xycoords="axes fraction",
            textcoords="axes fraction",
            va="center",
            color=line.get_color(),
            annotation_clip=False,
            parse_math=False,
            arrowprops={
                "arrowstyle": "-",
                "color": line.get_color(),
                "linewidth": 0.6,
                "relpos": (0, 0.5),  # to the text's left edge, not into it
                "shrinkA": 1,
                "shrinkB": 0,
            },
        )
    axes.set_ylim(bottom, top)


def spread(positions: np.ndarray, gap: float) -> np.ndarray:
    """Moves positions on a line as little as needed for neighbours to be `gap` apart.

    Least squares under order constraints: with ``gap`` taken out this is isotonic regression, done
    by pooling neighbours that would touch into one block around their mean.

    Args:
        positions: (N,) wanted positions.
        gap: the least distance.

    Returns:
        (N,) positions in the same order as given.
    """
    order = np.argsort(positions, kind="stable")
    offsets = gap * np.arange(len(order))
    blocks: list[list[float]] = []
    for value in positions[order] - offsets:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    moved = np.concatenate([np.full(len(block), np.mean(block)) for block in blocks]) + offsets
    result = np.empty(len(order))
    result[order] = moved
    return result


@figure_style()
def learning_rate_figure(
    rates: Mapping[str, tuple[np.ndarray, np.ndarray, int]], colours: Mapping[str, str]
) -> Figure:
    """The learning rate of every training step, one panel per model over a shared epoch axis.

    The scale starts at 0 and is each panel's own: schedules go down to exactly 0, which a
    logarithm has no place for, and different optimizers live at different heights.

    Args:
        rates: for each model (S,) steps from 0, (S,) learning rates, and the steps of one epoch.
        colours: see `model_colours`.
    """
    columns = min(3, len(rates)) if len(rates) != 4 else 2
    rows = -(-len(rates) // columns)
    figure = new_figure(8.4, 0.5 + 1.45 * rows)
    grid = figure.subplots(rows, columns, sharex=True, squeeze=False)
    longest = max(len(steps) / per_epoch for steps, _, per_epoch in rates.values())
    for axes, (name, (steps, values, steps_per_epoch)) in zip(
        grid.flat, rates.items(), strict=False
    ):
        epochs = np.asarray(steps) / steps_per_epoch
        axes.plot(epochs, values, color=colours[name], linewidth=1.4, drawstyle="steps-post")
        axes.fill_between(epochs, values, step="post", color=colours[name], alpha=0.12, linewidth=0)
        axes.set_title(name, loc="left", parse_math=False)
        peak = float(np.max(values))
        axes.set_ylim(0, 1.1 * peak)
        axes.set_yticks([0, peak / 2, peak], ["0", f"{peak / 2:.3g}", f"{peak:.3g}"])
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.set_xlim(0, longest)
        axes.tick_params(labelbottom=True)
        show_grid(axes, "y")
    for axes in grid.flat[len(rates) :]:
        axes.remove()
    figure.supxlabel("epoch", fontsize=8)
    figure.supylabel("learning rate", fontsize=8)
    return figure
