"""The figures of a hyperparameter search: its trials, its hyperparameters and what they matter."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import log
from typing import Any

from fifteen.reporting.search_tables import (
    Search,
    Trial,
    furthest_trials,
    importance_text,
    is_completed,
    signed,
    value_text,
    winning_trial,
)
from fifteen.reporting.style import GREY, PALETTE, figure_style, new_figure, show_grid

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

# Viridis turned round: the best is darkest. Its lightness alone tells the order, with and without
# colour blindness; its palest end would vanish on white.
_COLOURS = matplotlib.colormaps["viridis_r"]
_PALEST = 0.12

_WINNER = PALETTE[2]
_FAILED = "#b5b5b5"
_MARKERS = "osD^vPX"  # for the numbers of epochs, fewest first

# Where a line passes that does not use a hyperparameter, or has no accuracy; axes go from 0 to 1.
_NOT_USED = -0.16
# How far lines with the same choice are spread around it.
_CHOICE_SPREAD = 0.05


@figure_style()
def parallel_figure(search: Search) -> Figure:
    """Parallel coordinates: a line per configuration through its values to its accuracy.

    Each configuration is shown by its longest completed trial; the marker at the end says how many
    epochs that was. One without a result is grey and ends below the last axis.

    Args:
        search: the content of `search.json`, of at least one trial.
    """
    winner = winning_trial(search)
    trials = _worst_first(
        winner if _is_configuration_of(winner, trial) else trial
        for trial in furthest_trials(search)
    )
    dimensions = search["dimensions"]
    figure = new_figure(2.2 + 0.58 * len(dimensions), 4.6)
    axes = figure.add_subplot()

    accuracies = [100 * trial["val_accuracy"] for trial in trials if is_completed(trial)]
    low, high = _bounds(accuracies)
    colour = _colour_scale(accuracies)
    xs = np.arange(len(dimensions) + 1)
    budgets = sorted({trial["epochs"] for trial in trials if is_completed(trial)})
    heights = np.array([_heights(dimension, trials) for dimension in dimensions])  # (D, trials)
    for trial, line in zip(trials, heights.reshape(len(dimensions), -1).T, strict=True):
        done, won = is_completed(trial), trial is winner
        end = (100 * trial["val_accuracy"] - low) / (high - low) if done else _NOT_USED
        axes.plot(
            xs,
            [*line, end],
            color=_WINNER if won else colour(trial),
            linewidth=2.4 if won else 1.0,
            linestyle="-" if done else ":",
            marker=_MARKERS[budgets.index(trial["epochs"]) % len(_MARKERS)] if done else "x",
            markersize=6 if won else 4,
            markevery=[len(dimensions)],
            zorder=4 if won else 3 if done else 2,
            clip_on=False,
        )
        if won:
            name = f"trial {trial['trial']}\n{100 * trial['val_accuracy']:.2f} %"
            _name_winner(axes, name, xs[-1], end, points=8)

    names = [dimension["name"] for dimension in dimensions]
    _draw_vertical_axes(axes, [_ticks(dimension) for dimension in dimensions], low, high)
    axes.set_xticks(xs, [*map(_wrapped, names), "validation\naccuracy (%)"], parse_math=False)
    axes.tick_params(axis="x", length=0, labeltop=True, labelbottom=False, pad=6)
    for label in axes.get_xticklabels():
        label.set(rotation=40, ha="left", va="bottom", rotation_mode="anchor", fontsize=7)
    figure.legend(handles=_parallel_keys(trials, budgets), loc="outside lower center", ncols=5)
    return figure


def _draw_vertical_axes(
    axes: Axes, ticks: Sequence[Sequence[tuple[float, str]]], low: float, high: float
) -> None:
    """An upright line with tick labels for each dimension, and one for `low` to `high` percent."""
    levels = MaxNLocator(5).tick_values(low, high)
    last = [
        ((level - low) / (high - low), f"{level:g}")
        for level in levels
        if low - 1e-9 <= level <= high + 1e-9
    ]
    for x, marks in enumerate([*ticks, last]):
        axes.plot([x, x], [-0.04, 1.04], color="#555555", linewidth=0.8, zorder=1)
        for height, text in marks:
            axes.plot(x, height, "_", color="#555555", markersize=5, zorder=1)
            axes.annotate(
                text,
                (x, height),
                (-4, 0),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=6.5,
                zorder=5,
                parse_math=False,
                bbox={"facecolor": "white", "alpha": 0.85, "linewidth": 0, "pad": 0.6},
            )
    axes.axhline(_NOT_USED, color="#cccccc", linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    axes.annotate(
        "not used",
        (0, _NOT_USED),
        (-4, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=6.5,
        color=GREY,
    )
    axes.set_xlim(-0.7, len(ticks) + 0.15)
    axes.set_ylim(_NOT_USED - 0.06, 1.06)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _parallel_keys(trials: Sequence[Trial], budgets: Sequence[int]) -> list[Line2D]:
    keys = [
        Line2D(
            [],
            [],
            color=GREY,
            linestyle="none",
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=4,
            label=_epochs(budget),
        )
        for index, budget in enumerate(budgets)
    ]
    if not all(is_completed(trial) for trial in trials):
        keys.append(Line2D([], [], color=_FAILED, linestyle=":", marker="x", label="no result"))
    return keys


@figure_style()
def importance_figure(importances: Mapping[str, Any]) -> Figure:
    """Dot plot of each hyperparameter's importance with its standard error, greatest on top.

    Hollow and grey: not distinguishable from noise. A hyperparameter that too few configurations
    use is named without a dot.

    Args:
        importances: the fields of `fifteen.evaluation.importance.Importances`.
    """
    by_name = importances["by_name"]
    order = sorted(by_name, key=lambda name: _negative_increase(by_name[name]))
    figure = new_figure(7.2, 1.0 + 0.27 * len(order))
    axes = figure.add_subplot()
    axes.axvline(0, color="#222222", linewidth=0.8)
    for row, name in enumerate(order):
        importance = by_name[name]
        increase, error = importance["increase"], importance["standard_error"]
        estimated = increase is not None
        colour = PALETTE[1] if importance["distinguishable"] else GREY
        if estimated:
            axes.plot([increase - error, increase + error], [row, row], color=colour, linewidth=1.8)
            face = colour if importance["distinguishable"] else "white"
            axes.plot(increase, row, "o", color=colour, markerfacecolor=face, markersize=6)
        axes.text(
            1.01,
            row,
            f"{importance_text(importance)} pp" if estimated else "used too seldom",
            va="center",
            color="#222222" if importance["distinguishable"] else GREY,
            transform=axes.get_yaxis_transform(),
        )
    axes.set_yticks(range(len(order)), order, parse_math=False)
    axes.set_ylim(len(order) - 0.5, -0.5)
    axes.margins(x=0.06)
    axes.set_xlabel("increase of the mean absolute error when shuffled (percentage points)")
    show_grid(axes, "x")
    looks = {
        True: Line2D([], [], color=PALETTE[1], marker="o", label="matters"),
        False: Line2D(
            [],
            [],
            color=GREY,
            marker="o",
            markerfacecolor="white",
            label="not distinguishable from noise",
        ),
    }
    present = {importance["distinguishable"] for importance in by_name.values()}
    figure.legend(
        handles=[look for verdict, look in looks.items() if verdict in present],
        loc="outside upper left",
        ncols=2,
        title=f"± 1 standard error; R² on held-out configurations {signed(importances['r2'])}",
        alignment="left",
        title_fontsize=7.5,
    )
    return figure


def _negative_increase(importance: Mapping[str, Any]) -> float:
    return float("inf") if importance["increase"] is None else -importance["increase"]


@figure_style()
def trial_curves_figure(search: Search) -> Figure:
    """Validation accuracy of every configuration, epoch by epoch, as far as it was trained.

    Full dots are where a configuration was stopped, hollow ones where it was promoted.

    Args:
        search: the content of `search.json`, of at least one trial.
    """
    trials = _worst_first(furthest_trials(search))
    winner = winning_trial(search)
    colour = _colour_scale([100 * t["val_accuracy"] for t in trials if is_completed(t)])
    figure = new_figure(7.2, 4.2)
    axes = figure.add_subplot()
    budgets = sorted({trial["epochs"] for trial in search["trials"]})
    for budget in budgets:
        axes.axvline(budget, color="#cfcfcf", linewidth=0.8, linestyle=(0, (2, 3)), zorder=0)
    for trial in trials:
        values = 100 * np.array(trial["accuracies"], dtype=float)  # (epochs,)
        if not len(values):
            continue
        done, won = is_completed(trial), _is_configuration_of(winner, trial)
        look = {"color": _WINNER if won else colour(trial), "zorder": 4 if won else 3}
        axes.plot(
            np.arange(1, len(values) + 1),
            values,
            linewidth=2.4 if won else 1.1,
            linestyle="-" if done else ":",
            **look,
        )
        axes.plot(len(values), values[-1], "o" if done else "x", markersize=6 if won else 4, **look)
        promotions = [
            len(other["accuracies"])
            for other in search["trials"]
            if other["configuration"] == trial["configuration"]
            and 0 < len(other["accuracies"]) < len(values)
        ]
        axes.plot(
            promotions,
            values[np.array(promotions, dtype=int) - 1],
            "o",
            markerfacecolor="white",
            markersize=6 if won else 4,
            **look,
        )
        if won:
            end = len(winner["accuracies"])
            _name_winner(axes, f"trial {winner['trial']}", end, values[end - 1], points=7)
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation accuracy (%)")
    axes.set_xlim(0.7, budgets[-1] + 0.3)
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))
    show_grid(axes, "y")
    grey = {"color": GREY, "linestyle": "none", "marker": "o", "markersize": 4}
    keys = [
        Line2D([], [], label="stopped", **grey),
        Line2D([], [], label="promoted", markerfacecolor="white", **grey),
    ]
    if not all(is_completed(trial) for trial in trials):
        keys.append(Line2D([], [], color=_FAILED, linestyle=":", marker="x", label="failed"))
    figure.legend(handles=keys, loc="outside upper left", ncols=3)
    return figure


def _name_winner(axes: Axes, name: str, x: float, y: float, points: int) -> None:
    """Write `name` in the winner's colour, so many points to the right of its last mark."""
    axes.annotate(
        name,
        (x, y),
        (points, 0),
        textcoords="offset points",
        va="center",
        color=_WINNER,
        weight="bold",
        annotation_clip=False,
    )


def _is_configuration_of(winner: Trial | None, trial: Trial) -> bool:
    """Whether a trial is the winner, or trained the same configuration for other epochs."""
    return winner is not None and trial["configuration"] == winner["configuration"]


def _worst_first(trials: Iterable[Trial]) -> list[Trial]:
    """Trials in the order to draw them in: the best end on top."""
    return sorted(trials, key=lambda t: t["val_accuracy"] if is_completed(t) else -1.0)


def _bounds(values: Sequence[float]) -> tuple[float, float]:
    """An interval of some width around all values (in percent)."""
    low, high = (min(values), max(values)) if values else (0.0, 100.0)
    return (low, high) if high > low else (low - 1, high + 1)


def _colour_scale(accuracies: Sequence[float]) -> Callable[[Trial], Any]:
    """Gives a trial its colour on the scale of all `accuracies` (in percent)."""
    scale = Normalize(*_bounds(accuracies))

    def colour(trial: Trial) -> Any:  # noqa: ANN401 - any of matplotlib's colours
        if not is_completed(trial):
            return _FAILED
        return _COLOURS(_PALEST + (1 - _PALEST) * scale(100 * trial["val_accuracy"]))

    return colour


def _heights(dimension: Mapping[str, Any], trials: Sequence[Trial]) -> np.ndarray:
    """(T,) heights of the trials on the axis of one dimension; `_NOT_USED` without a value.

    Trials with the same choice are spread a little around it, in their order.
    """
    values = [trial["hyperparameters"].get(dimension["name"]) for trial in trials]
    heights = np.array([_NOT_USED if v is None else _position(dimension, v) for v in values])
    if "values" in dimension:
        for height in {*heights} - {_NOT_USED}:
            same = np.flatnonzero(heights == height)
            if len(same) > 1:
                heights[same] += np.linspace(-_CHOICE_SPREAD, _CHOICE_SPREAD, len(same))
    return heights


def _position(dimension: Mapping[str, Any], value: Any) -> float:  # noqa: ANN401 - any value
    """The height of a value on its axis, from 0 to 1; the first choice is at the bottom."""
    if "values" in dimension:
        last = len(dimension["values"]) - 1
        return dimension["values"].index(value) / last if last else 0.5
    scale = log if dimension["sampling"] == "log" else float
    low, high = scale(dimension["low"]), scale(dimension["high"])
    return (scale(value) - low) / (high - low)


def _ticks(dimension: Mapping[str, Any]) -> list[tuple[float, str]]:
    """Heights and labels: all choices, or both ends of a range and, if linear, its middle.

    A `log` range has the powers of ten between its ends instead of the middle.
    """
    if "values" in dimension:
        values = dimension["values"]
    elif dimension["sampling"] == "log":
        low, high = dimension["low"], dimension["high"]
        powers = [10.0**n for n in range(int(np.ceil(np.log10(low))), int(np.log10(high)) + 1)]
        values = [low, *(p for p in powers if 1.5 * low < p < high / 1.5), high]
    else:
        low, high = dimension["low"], dimension["high"]
        values = [low, (low + high) / 2, high]
    return [(_position(dimension, value), value_text(value)) for value in values]


def _wrapped(name: str) -> str:
    """A dotted name on two lines, cut after its last dot."""
    section, dot, last = name.rpartition(".")
    return f"{section}{dot}\n{last}" if section else last


def _epochs(count: int) -> str:
    return f"{count} epoch" if count == 1 else f"{count} epochs"
