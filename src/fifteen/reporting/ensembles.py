"""How several models may share the epochs of one: from measurements to table and figure."""

import base64
import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from fifteen.reporting.style import GREY, PALETTE, figure_style, new_figure, show_grid
from fifteen.reporting.tables import NONE, percent, signed_points

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

RULES = ("sum", "logits", "vote", "weighted", "greedy", "average")


@dataclass(frozen=True)
class Row:
    """A design and what it came to; accuracies are shares of 1, means over the seeds.

    Attributes:
        name: of the design.
        what: it in words.
        variant: that it changes; the first design of a variant is the control of the others.
        seeds: those it was measured with.
        members: number of members.
        of_members: the accuracy of each member.
        single: that of the best single model on the way.
        rules: that of each rule; what has no such rule is left out.
        of_views: that of the sum over six views of each image.
        disagreement: the share of images on which two members differ.
        control: the single model of the control, on the seeds that both have; None for itself.
        difference: of the sum from that, with its 95 % interval.
        verdict: `better`, `worse` or `same`, by whether the interval leaves out 0.
        seconds: of the trainings.
    """

    name: str
    what: str
    variant: str
    seeds: tuple[int, ...]
    members: int
    of_members: tuple[float, ...]
    single: float
    rules: Mapping[str, float]
    of_views: float
    disagreement: float
    control: float
    difference: tuple[float, float, float]
    verdict: str
    seconds: float


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
        control: those of the control, of which the single model is what the sum is compared with.

    Raises:
        ValueError: the two have no seed in common.
    """
    common = sorted(set(results) & set(control))
    if not common:
        raise ValueError(f"{name} and its control have no seed in common")
    together = np.array([unpacked(results[seed]["rules"]["sum"]["right"]) for seed in common])
    alone = np.array([unpacked(control[seed]["single"]["right"]) for seed in common])
    difference, low, high = over_seeds(together, alone)
    found = list(results.values())
    return Row(
        name=name,
        what=what,
        variant=variant,
        seeds=tuple(sorted(results)),
        members=found[0]["members"],
        of_members=tuple(np.mean([one["member_accuracy"] for one in found], axis=0).tolist()),
        single=fmean(one["single"]["accuracy"] for one in found),
        rules={
            rule: fmean(one["rules"][rule]["accuracy"] for one in found)
            for rule in RULES
            if rule in found[0]["rules"]
        },
        of_views=fmean(one["sum_of_views"]["accuracy"] for one in found),
        disagreement=fmean(one["disagreement"] for one in found),
        control=float(alone.mean()),
        difference=(difference, low, high),
        verdict="better" if low > 0 else "worse" if high < 0 else "same",
        seconds=fmean(one["seconds"] for one in found),
    )


def ensembles_markdown(rows: Sequence[Row]) -> str:
    """The table, one part for each variant."""
    parts = []
    for variant in dict.fromkeys(row.variant for row in rows):
        of_variant = [row for row in rows if row.variant == variant]
        lines = [
            ["design", "what", "members %", *RULES, "six views", "differ %"],
            [":--", ":--", "--:", *["--:"] * len(RULES), "--:", "--:"],
        ]
        lines[0] += ["sum − one model, pp (95 % interval)", "s", "seeds"]
        lines[1] += ["--:", "--:", ":--"]
        for row in of_variant:
            low, high = min(row.of_members), max(row.of_members)
            lines.append(
                [
                    row.name,
                    row.what.replace("|", "\\|"),
                    f"{percent(low)}–{percent(high)}",
                    *(percent(row.rules[r]) if r in row.rules else NONE for r in RULES),
                    percent(row.of_views),
                    percent(row.disagreement),
                    _difference(row),
                    f"{row.seconds:.0f}",
                    ", ".join(map(str, row.seeds)),
                ]
            )
        first = of_variant[0]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(
            f"### {variant}\n\nOne model of the whole budget: {percent(first.single)} %.\n\n{table}"
        )
    return "\n\n".join([*parts, _NOTE]) + "\n"


def ensembles_csv(rows: Iterable[Row]) -> str:
    """All numbers, one line per design."""
    text = io.StringIO()
    lines = [_csv_line(row) for row in rows]
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


@figure_style()
def ensembles_figure(rows: Sequence[Row]) -> Figure:
    """For each design its members, their sum, and the one model of the whole budget."""
    figure = new_figure(7.2, 1.1 + 0.42 * len(rows))
    axes = figure.add_subplot()
    for y, row in enumerate(rows):
        axes.plot(
            [100 * accuracy for accuracy in row.of_members],
            [y] * len(row.of_members),
            "|",
            color=GREY,
            markersize=9,
        )
        axes.plot([100 * row.control] * 2, [y - 0.4, y + 0.4], color="#222222", linewidth=1)
        middle, low, high = (100 * (row.control + part) for part in row.difference)
        axes.plot([low, high], [y, y], color=PALETTE[1], linewidth=1.8)
        axes.plot(middle, y, "o", color=PALETTE[1], markersize=6)
    axes.set_yticks(range(len(rows)), [row.what for row in rows], parse_math=False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.margins(x=0.05)
    axes.set_xlabel("validation accuracy (%)")
    show_grid(axes, "x")
    keys = [
        Line2D([], [], linestyle="none", marker="|", color=GREY, markersize=9, label="members"),
        Line2D([], [], color=PALETTE[1], marker="o", label="their sum, 95 % interval"),
        Line2D([], [], color="#222222", linewidth=1, label="one model of the whole budget"),
    ]
    figure.legend(handles=keys, loc="outside upper left", ncols=3)
    return figure


_NOTE = (
    "Means over the seeds, on the validation images. `weighted` and `greedy` are cross-validated: "
    "each image by weights fitted on others. The last columns: the sum against the single model of "
    "the first design, on the same images with the same seeds; an interval that leaves out 0 says "
    "that one is better."
)


def _difference(row: Row) -> str:
    middle, low, high = row.difference
    return f"{signed_points(middle)} ({signed_points(low)} to {signed_points(high)}), {row.verdict}"


def _csv_line(row: Row) -> dict[str, str]:
    difference, low, high = row.difference
    numbers = {
        "lowest_member": min(row.of_members),
        "highest_member": max(row.of_members),
        "single": row.single,
        **{rule: row.rules.get(rule) for rule in RULES},
        "sum_of_views": row.of_views,
        "disagreement": row.disagreement,
        "control": row.control,
        "difference": difference,
        "low": low,
        "high": high,
        "seconds": row.seconds,
    }
    words = {
        "design": row.name,
        "variant": row.variant,
        "seeds": " ".join(map(str, row.seeds)),
        "members": str(row.members),
        "verdict": row.verdict,
    }
    return words | {key: "" if n is None else f"{n:.6g}" for key, n in numbers.items()}
