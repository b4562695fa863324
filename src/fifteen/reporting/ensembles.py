"""How several models may share the epochs of one: from measurements to words and figure."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, Literal

from fifteen.reporting.chapters import Chapter, chapters_markdown
from fifteen.reporting.comparisons import Comparison, judged
from fifteen.reporting.style import (
    GREY,
    figure_style,
    new_figure,
    show_grid,
    verdict_keys,
    verdict_look,
)
from fifteen.reporting.tables import (
    NONE,
    each_once,
    machine,
    percent,
    signed_points,
    verdict_phrase,
    verdict_word,
)

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

RULES = ("sum", "logits", "vote", "weighted", "greedy", "average")


@dataclass(frozen=True)
class Row:
    """A design and what it came to; accuracies are shares of 1, means over the seeds.

    Attributes:
        source: the data set.
        variant: that it changes; the first design of a variant is the control of the others.
        design: its name.
        what: it in words.
        epochs: those of all its trainings together.
        members: number of members.
        of_members: the accuracy of each member.
        sum: that of the members by the rule of this name, as the five that follow.
        logits: see `sum`.
        vote: see `sum`.
        weighted: see `sum`.
        greedy: see `sum`.
        average: see `sum`; None where the members have no weights to average.
        of_views: that of the sum over six views of each image.
        nll: the negative log-likelihood of the sum at the best temperature, in nats.
        disagreement: the share of images on which two members differ.
        error_correlation: of two members.
        weight_distance: of two members, see `fifteen.ensembling.weight_distance`.
        control: the accuracy of the control's single model, on the seeds that both have.
        control_nll: its negative log-likelihood at the best temperature.
        difference: of the sum from that.
        low: where the 95 % interval of the difference begins.
        high: where it ends.
        verdict: by whether the interval leaves out 0.
        best_rule: the rule with the highest accuracy, of equal ones the first.
        best_difference: of that rule from `control`, as `difference` is of the sum.
        best_low: where its 95 % interval begins.
        best_high: where it ends.
        seconds: of the trainings, with the seed that took least: other machines, and other work
            beside, only add to it.
        seeds: those it was measured with.
        hardware: that it was measured on, each machine once.
    """

    source: str
    variant: str
    design: str
    what: str
    epochs: int
    members: int
    of_members: tuple[float, ...]
    sum: float
    logits: float
    vote: float
    weighted: float
    greedy: float
    average: float | None
    of_views: float
    nll: float
    disagreement: float
    error_correlation: float
    weight_distance: float
    control: float
    control_nll: float
    difference: float
    low: float
    high: float
    verdict: Literal["better", "worse", "same"]
    best_rule: str
    best_difference: float
    best_low: float
    best_high: float
    seconds: float
    seeds: tuple[int, ...]
    hardware: str


def packed(right: np.ndarray) -> str:
    """Booleans, (N,), as text for JSON."""
    return f"{len(right)}:{base64.b64encode(np.packbits(right).tobytes()).decode('ascii')}"


def unpacked(text: str) -> np.ndarray:
    """What `packed` was given."""
    count, _, encoded = text.partition(":")
    bits = np.unpackbits(np.frombuffer(base64.b64decode(encoded), np.uint8), count=int(count))
    return bits.astype(bool)


def over_seeds(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Accuracy of a minus that of b on the same images, with its 95 % interval.

    Images are the sample, each with its mean over the seeds; the interval is that of a mean of many
    independent numbers. What other seeds would change is in it as far as images show it.

    Args:
        a: (seeds, N), which images are right.
        b: the same for another model.
    """
    difference = a.mean(axis=0) - b.mean(axis=0)
    middle, error = difference.mean(), difference.std(ddof=1) / np.sqrt(len(difference))
    return float(middle), float(middle - 1.96 * error), float(middle + 1.96 * error)


def ensemble_row(
    name: str,
    what: str,
    variant: str,
    results: Mapping[int, Mapping[str, Any]],
    control: Mapping[int, Mapping[str, Any]],
) -> Row:
    """What a design came to.

    Args:
        name: of the design.
        what: it in words.
        variant: that it changes.
        results: its measurements by seed.
        control: those of the control, of which the single model is what the others are compared
            with.

    Raises:
        ValueError: the two have no seed in common.
    """
    common = sorted(set(results) & set(control))
    if not common:
        raise ValueError(f"{name} and its control have no seed in common")
    alone = np.array([unpacked(control[seed]["single"]["right"]) for seed in common])

    def gain(rule: str) -> tuple[float, float, float]:
        together = [unpacked(results[seed]["rules"][rule]["right"]) for seed in common]
        return over_seeds(np.array(together), alone)

    found = list(results.values())
    accuracies = {rule: _mean_accuracy(found, rule) for rule in RULES}
    best_rule = max(RULES, key=lambda rule: accuracies[rule] or 0.0)
    difference, low, high = gain("sum")
    best_difference, best_low, best_high = gain(best_rule)
    return Row(
        source=found[0]["source"],
        variant=variant,
        design=name,
        what=what,
        epochs=found[0]["models"] * found[0]["training"]["epochs"],
        members=found[0]["members"],
        of_members=tuple(np.mean([one["member_accuracy"] for one in found], axis=0).tolist()),
        **accuracies,
        of_views=fmean(one["sum_of_views"]["accuracy"] for one in found),
        nll=fmean(one["rules"]["sum"]["nll"] for one in found),
        **{
            key: fmean(one[key] for one in found)
            for key in ("disagreement", "error_correlation", "weight_distance")
        },
        control=float(alone.mean()),
        control_nll=fmean(control[seed]["single"]["nll"] for seed in common),
        difference=difference,
        low=low,
        high=high,
        verdict=judged(difference, low, high)["verdict"],
        best_rule=best_rule,
        best_difference=best_difference,
        best_low=best_low,
        best_high=best_high,
        seconds=min(one["seconds"] for one in found),
        seeds=tuple(sorted(results)),
        hardware=each_once(machine(one["hardware"]) for one in found),
    )


def best_designs(rows: Sequence[Row]) -> list[str]:
    """The design that gains most, by its best rule, in a sentence for each variant."""
    return [_best_design(of_variant) for of_variant in _by_variant(rows).values()]


def ensembles_chapters(rows: Sequence[Row]) -> list[Chapter]:
    """One for each variant: which design does best, and how all of them do by every rule."""
    header = ["design", "what", "sum − one model, pp", "95 % interval, pp", "verdict: the sum is"]
    header += ["best rule", "it − one model, pp", "95 % interval, pp", "verdict: it is"]
    header += ["members %", *(f"{rule} %" for rule in RULES), "six views %", "NLL"]
    header += ["differ %", "error correlation", "weight distance", "train s", "seeds"]
    return [
        Chapter(
            f"{variant}: one model of the whole budget has {percent(of_variant[0].control)} %, "
            f"NLL {of_variant[0].control_nll:.3f}",
            _sentences(of_variant),
            header,
            [_cells(row) for row in of_variant],
        )
        for variant, of_variant in _by_variant(rows).items()
    ]


def ensembles_markdown(rows: Sequence[Row]) -> str:
    """The chapters, and the note, in Markdown."""
    return chapters_markdown(ensembles_chapters(rows), ensembles_note(rows))


def ensembles_note(rows: Sequence[Row]) -> str:
    """What the numbers rest on."""
    used = each_once(row.hardware for row in rows)
    return (
        f"Means over the seeds, on the validation images, after at most {most_epochs(rows)} epochs "
        "of all members together. One model: that of the first design. The sum, and the rule with "
        "the highest accuracy, are set against it on the same images with the same seeds; where "
        "the interval, which is over the images, leaves out 0, one is better. The best of several "
        "is favoured by being chosen on these images: of several designs with six rules each, one "
        "may pass as better by luck. Members: from "
        "the lowest to the highest; differ: how often two of them disagree. The rules weighted and "
        "greedy are cross-validated: each image by weights fitted on others. NLL: of the sum, in "
        "nats, after calibration by one temperature, fitted on the same images. Trained on "
        f"{used}; seconds are those of the seed that took least."
    )


def most_epochs(rows: Sequence[Row]) -> int:
    """The epochs that the designs may share."""
    return max(row.epochs for row in rows)


@figure_style()
def ensembles_figure(rows: Sequence[Row]) -> Figure:
    """For each design its members, their sum, and the one model of the whole budget.

    Each variant has a panel, and a scale, of its own.

    Args:
        rows: at least one.
    """
    variants = _by_variant(rows)
    heights = [1.6 + len(of_variant) for of_variant in variants.values()]
    figure = new_figure(7.2, 0.5 + 0.36 * sum(heights))
    panels = figure.subplots(len(variants), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, (variant, of_variant) in zip(panels, variants.items(), strict=True):
        _draw_designs(axes, of_variant)
        axes.set_title(variant, loc="left", parse_math=False)
    panels[-1].set_xlabel("validation accuracy (%)")
    keys = [
        Line2D([], [], linestyle="none", marker="|", color=GREY, markersize=9, label="members"),
        Line2D([], [], color="#222222", linewidth=1, label="one model of the whole budget"),
        *verdict_keys((row.verdict for row in rows), "their sum: "),
    ]
    figure.legend(handles=keys, loc="outside upper left", ncols=len(keys))
    return figure


def _draw_designs(axes: Axes, rows: Sequence[Row]) -> None:
    for y, row in enumerate(rows):
        members = [100 * accuracy for accuracy in row.of_members]
        axes.plot(members, [y] * len(members), "|", color=GREY, markersize=9)
        axes.plot([100 * row.control] * 2, [y - 0.4, y + 0.4], color="#222222", linewidth=1)
        middle, low, high = (
            100 * (row.control + part) for part in (row.difference, row.low, row.high)
        )
        look = verdict_look(row.verdict)
        axes.plot([low, high], [y, y], color=look["color"], linewidth=1.8)
        axes.plot(middle, y, linestyle="none", markersize=6, **look)
        axes.text(
            1.01,
            y,
            f"{signed_points(row.difference)} pp",
            va="center",
            transform=axes.get_yaxis_transform(),
        )
    axes.set_yticks(range(len(rows)), [row.what for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.05)
    show_grid(axes, "x")


def _mean_accuracy(found: Sequence[Mapping[str, Any]], rule: str) -> float | None:
    if rule not in found[0]["rules"]:
        return None
    return fmean(one["rules"][rule]["accuracy"] for one in found)


def _by_variant(rows: Sequence[Row]) -> dict[str, list[Row]]:
    variants: dict[str, list[Row]] = {}
    for row in rows:
        variants.setdefault(row.variant, []).append(row)
    return variants


_OTHERS = {
    "better": "Others that by their best rule are better than one model",
    "same": "Others that by their best rule are not distinguishable from one model",
    "worse": "Others that by their best rule are worse than one model",
}


def _best(rows: Sequence[Row]) -> Row:
    return max(rows, key=lambda row: row.best_difference)


def _by_best_rule(row: Row) -> Comparison:
    """A design's best rule against one model."""
    return judged(row.best_difference, row.best_low, row.best_high)


def _best_design(rows: Sequence[Row]) -> str:
    """In a sentence, which of the designs for one variant does best."""
    best, whole = _best(rows), "one model of the whole budget"
    rule = f" by their best rule, {best.best_rule}," if best.best_rule != "sum" else ""
    by_sum = judged(best.difference, best.low, best.high)
    also = f"; their sum is {verdict_phrase(by_sum, 'it')}" if rule else ""
    return (
        f"Where several models share the {most_epochs(rows)} epochs of {best.variant}, "
        f"{best.design} ({best.what}) does best on the validation images: its {best.members} "
        f"members are{rule} {verdict_phrase(_by_best_rule(best), whole)}{also}."
    )


def _sentences(rows: Sequence[Row]) -> list[str]:
    """The design that gains most, by its best rule, and the verdict on the others."""
    best, sentences = _best(rows), [_best_design(rows)]
    for verdict, words in _OTHERS.items():
        others = (row for row in rows if row is not best)
        names = [row.design for row in others if _by_best_rule(row)["verdict"] == verdict]
        if names:
            sentences.append(f"{words}: {', '.join(names)}.")
    return sentences


def _cells(row: Row) -> list[str]:
    rules = (getattr(row, rule) for rule in RULES)
    return [
        row.design,
        row.what,
        signed_points(row.difference),
        f"{signed_points(row.low)} to {signed_points(row.high)}",
        verdict_word(row.verdict),
        row.best_rule,
        signed_points(row.best_difference),
        f"{signed_points(row.best_low)} to {signed_points(row.best_high)}",
        verdict_word(_by_best_rule(row)["verdict"]),
        f"{percent(min(row.of_members))}–{percent(max(row.of_members))}",
        *(NONE if accuracy is None else percent(accuracy) for accuracy in rules),
        percent(row.of_views),
        f"{row.nll:.3f}",
        percent(row.disagreement),
        f"{row.error_correlation:.2f}",
        f"{row.weight_distance:.2f}",
        f"{row.seconds:.0f}",
        ", ".join(map(str, row.seeds)),
    ]
