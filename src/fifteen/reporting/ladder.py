"""What each of many changes is worth: from measurements with several seeds to words and figure.

The spread between seeds is estimated from all rungs together. Two or three seeds say next to
nothing on the spread of one rung (with two, a gain of nothing is larger than twice a standard
error of its own in 3 of 10 cases), while the rungs together have more degrees of freedom. This
takes the spread to be about the same on every rung, one with a single seed included. How many they
are decides by how many standard errors a gain has to differ from nothing (Student's t test).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import fmean
from typing import Any, Literal

from fifteen.reporting.chapters import Chapter, chapters_markdown
from fifteen.reporting.style import GREY, PALETTE, figure_style, new_figure, show_grid
from fifteen.reporting.tables import (
    NONE,
    UNPROVEN,
    each_once,
    machine,
    percent,
    signed_points,
    signed_with_error,
)

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

Part = Literal["ladder", "leave_one_out"]
Verdict = Literal["better", "worse", "unsure"]

WALK, LEFT_OUT = "One change after the other", "One thing of {} left out or replaced"

LARGEST = 3  # gains that are named where there is room for few

_COLOURS = {"better": PALETTE[1], "worse": PALETTE[2], "unsure": "#b9b9b9"}
_OPPOSITE = {"better": "worse", "worse": "better"}
_WORDS = {
    "better": "better",
    "worse": "worse",
    "unsure": "not told from noise",
}


@dataclass(frozen=True)
class Measured:
    """A rung and what its trainings came to.

    Attributes:
        name: of the rung.
        part: whether it adds to the rung before it or leaves something of the reference out.
        what: its change in words.
        results: by seed, none where nothing has been measured yet; each with `source`, `training`,
            `val_accuracy` and `last_val_accuracy` (0 to 1), `seconds`, `parameters`, `hardware`,
            `commit` and `modified`.
    """

    name: str
    part: Part
    what: str
    results: Mapping[int, Mapping[str, Any]]


@dataclass(frozen=True)
class Row:
    """A line of the table; accuracies and their differences are shares of 1.

    Attributes:
        source: the data set.
        part: as in `Measured`.
        rung: its name.
        what: its change in words.
        epochs: those a training may take.
        against: what it is compared with, or None.
        gain: mean difference from that rung over the seeds that both have, or None.
        gain_error: the standard error of that; None where the spread is unknown.
        freedom: the degrees of freedom of the spread that it is from.
        threshold: how many standard errors are more than chance; None where the spread is unknown.
        verdict: `unsure` unless the gain is larger than that many.
        accuracy: mean validation accuracy of the best epochs.
        error: the standard error of that; None where the spread is unknown.
        last_accuracy: mean validation accuracy after the last epoch.
        seconds: of the fastest training: other machines, and other work beside, only add to it.
        parameters: of the network.
        seeds: those it was measured with.
        hardware: that it was measured on, each machine once.
        commits: those it was measured with; one that had been changed ends in +.
    """

    source: str
    part: Part
    rung: str
    what: str
    epochs: int
    against: str | None
    gain: float | None
    gain_error: float | None
    freedom: int
    threshold: float | None
    verdict: Verdict
    accuracy: float
    error: float | None
    last_accuracy: float
    seconds: float
    parameters: int
    seeds: tuple[int, ...]
    hardware: str
    commits: tuple[str, ...]


def pooled_deviation(groups: Iterable[Sequence[float]]) -> tuple[float | None, int]:
    """The standard deviation within groups, each around its own mean.

    √(Σ over groups Σ (x − mean)² / Σ (n − 1)), for groups that differ in their means alone.

    Returns:
        It, None where no group has two values, and its degrees of freedom, Σ (n − 1).
    """
    squares, freedom = 0.0, 0
    for group in groups:
        mean = fmean(group)
        squares += sum((value - mean) ** 2 for value in group)
        freedom += len(group) - 1
    return sqrt(squares / freedom) if freedom else None, freedom


def errors_beyond_chance(freedom: int) -> float:
    """How many standard errors, of so many degrees of freedom, chance passes in 1 of 20 cases.

    The 97.5 % quantile of Student's t distribution.
    """
    from scipy import stats  # the report, which has rows alone, need not wait for it

    return float(stats.t.ppf(0.975, freedom))


def ladder_rows(measured: Sequence[Measured], reference: str, called: str) -> list[Row]:
    """The table: the walk in its order, each rung against the one before, then what is left out.

    A rung without results has no row, and the one after it no gain: that would be of two changes.

    Args:
        measured: the rungs of both parts, in their order.
        reference: the name of the rung that those of `leave_one_out` are compared with; where it
            is not among the measured ones they have no gain.
        called: what the reference is called where it is what others are compared with.
    """
    by_name = {rung.name: rung for rung in measured}
    walk = [rung for rung in measured if rung.part == "ladder"]
    against = {rung.name: before for before, rung in pairwise(walk)}
    if reference in by_name:
        left_out = [rung.name for rung in measured if rung.part == "leave_one_out"]
        against |= dict.fromkeys(left_out, by_name[reference])
    names = {
        rung.name: called if rung.part == "leave_one_out" else against[rung.name].name
        for rung in measured
        if rung.name in against
    }
    paired = {rung.name: _paired(rung, against.get(rung.name)) for rung in measured}
    spread, _ = pooled_deviation(_accuracies(rung) for rung in measured if rung.results)
    spread_of_gains, freedom = pooled_deviation(gains for gains in paired.values() if gains)
    threshold = errors_beyond_chance(freedom) if freedom else None
    rows = []
    for rung in (rung for rung in measured if rung.results):
        gains, results = paired[rung.name], list(rung.results.values())
        gain = fmean(gains) if gains else None
        gain_error = _standard_error(spread_of_gains, len(gains))
        rows.append(
            Row(
                source=results[0]["source"],
                part=rung.part,
                rung=rung.name,
                what=rung.what,
                epochs=results[0]["training"]["epochs"],
                against=names[rung.name] if gains else None,
                gain=gain,
                gain_error=gain_error,
                freedom=freedom,
                threshold=threshold,
                verdict=_verdict(gain, gain_error, threshold),
                accuracy=fmean(_accuracies(rung)),
                error=_standard_error(spread, len(results)),
                last_accuracy=fmean(result["last_val_accuracy"] for result in results),
                seconds=min(result["seconds"] for result in results),
                parameters=results[0]["parameters"],
                seeds=tuple(sorted(rung.results)),
                hardware=each_once(machine(result["hardware"]) for result in results),
                commits=tuple(dict.fromkeys(map(_commit, results))),
            )
        )
    return rows


def ladder_chapters(rows: Sequence[Row]) -> list[Chapter]:
    """The walk, and what was left out, where there is something of them."""
    walk, left_out = _parts(rows)
    chapters = []
    if walk:
        first, last = walk[0], walk[-1]
        whole = (
            f"From {first.rung} to {last.rung} the validation accuracy goes from "
            f"{percent(first.accuracy)} to {percent(last.accuracy)} %."
        )
        sentences = [whole, *_verdicts(walk[1:], "the one before", "better", "gain")]
        heads = ("change, on top of the one before", "gain, pp (± standard error)")
        chapters.append(_chapter(WALK, sentences if walk[1:] else [], heads, walk))
    if left_out:
        reference = _reference(left_out)
        sentences = _verdicts(left_out, reference, "worse", "loss")
        heads = (f"in place of what {reference} has", "change, pp (± standard error)")
        chapters.append(_chapter(LEFT_OUT.format(reference), sentences, heads, left_out))
    return chapters


def largest_gains(rows: Sequence[Row]) -> list[str]:
    """What brings most on the walk, in a sentence; none where nothing was walked.

    Gains that may be noise are left out, unless none can be judged.
    """
    walk, _ = _parts(rows)
    if len(walk) < 2:
        return []
    changed = walk[1:]
    judged = any(row.gain_error is not None for row in changed)
    gains = [row for row in changed if (row.verdict == "better" if judged else (row.gain or 0) > 0)]
    first, last = walk[0], walk[-1]
    changes = "one change" if len(changed) == 1 else f"{len(changed)} changes"
    way = (
        f"{changes} on the way from {first.rung} to {last.rung}, which have "
        f"{percent(first.accuracy)} and {percent(last.accuracy)} % of the validation images right"
    )
    if not gains:
        return [f"None of the {way}, brings a gain that can be told from noise."]
    largest = sorted(gains, key=lambda row: -row.gain)[:LARGEST]
    named = "; ".join(
        f"{row.what} ({_gain(row) if judged else signed_points(row.gain)} pp)" for row in largest
    )
    chance = "" if judged else " How much of that is chance is not known, as none has two seeds."
    return [f"Of the {way}, these bring most: {named}.{chance}"]


def ladder_markdown(rows: Sequence[Row]) -> str:
    """Both parts, and the note, in Markdown."""
    return chapters_markdown(ladder_chapters(rows), ladder_note(rows))


def ladder_note(rows: Sequence[Row]) -> str:
    """What the numbers rest on."""
    commits = list(dict.fromkeys(commit for row in rows for commit in row.commits))
    used = each_once(row.hardware for row in rows)
    threshold = rows[0].threshold
    judged = (
        f"Better and worse mean by more than {threshold:.2f} times that error, Student's t for its "
        f"{rows[0].freedom} degrees of freedom; of twenty changes that do nothing, about one would "
        "pass by luck."
        if threshold
        else "Nothing is judged, as no rungs have two in common."
    )
    changed = " (+: with changes)" if any(commit.endswith("+") for commit in commits) else ""
    return (
        "Means over seeds of the best epoch's validation accuracy; gains are over the seeds alone "
        "that both rungs have, so that they need not be the difference of the means. ± is one "
        f"standard error, from the spread between seeds of all rungs together. {judged} All rungs "
        "are judged by the same validation images, and the errors do not say how others would "
        f"judge. Trained on {used}. Seconds are those of a rung's fastest training; those of "
        "different machines, or of one that had other work to do, do not compare. Commits: "
        f"{', '.join(commits)}{changed}."
    )


@figure_style()
def ladder_figure(rows: Sequence[Row]) -> Figure:
    """The walk above, what is left out below, coloured by what can be told from noise.

    Above, a bar goes from the accuracy of one rung to that of the next, and the dot, with a
    standard error to either side, is the rung. Below, bars are differences from the reference,
    again with a standard error.

    Args:
        rows: of one part or both, at least one.
    """
    walk, left_out = _parts(rows)
    parts = [part for part in (walk, left_out) if part]
    heights = [1.6 + len(part) for part in parts]
    figure = new_figure(8.4, 0.5 + 0.25 * sum(heights))
    panels = figure.subplots(len(parts), 1, height_ratios=heights, squeeze=False)[:, 0]
    panels = dict(zip([part[0].part for part in parts], panels, strict=True))
    if walk:
        _draw_walk(panels["ladder"], walk)
    if left_out:
        _draw_left_out(panels["leave_one_out"], left_out)
    drawn = {row.verdict for row in rows if row.gain is not None}
    judged = any(row.gain_error is not None for row in rows)
    words = _WORDS if judged else {"unsure": "not judged"}
    keys = [Patch(color=_COLOURS[v], label=words[v]) for v in _COLOURS if v in drawn]
    whisker = Line2D([], [], color="#222222", linewidth=1, label="± one standard error")
    figure.legend(handles=[*keys, whisker], loc="outside upper left", ncols=len(keys) + 1)
    return figure


def _draw_walk(axes: Axes, rows: Sequence[Row]) -> None:
    axes.use_sticky_edges = False  # or the first and the last dot would be cut
    for y, row in enumerate(rows):
        accuracy = 100 * row.accuracy
        if row.gain is not None:
            before = 100 * rows[y - 1].accuracy
            axes.barh(y, accuracy - before, left=before, height=0.62, color=_COLOURS[row.verdict])
            axes.plot([before, before], [y - 1, y], color=GREY, linewidth=0.6)
        axes.plot(accuracy, y, "o", color="#222222", markersize=3.5)
        _whisker(axes, accuracy, y, row.error)
        _beside(axes, y, percent(row.accuracy), _gain_text(row), f"{row.seconds:.0f} s")
    _finish(axes, rows, ("%", "gain, pp", "time"))
    axes.set_xlabel("validation accuracy (%)")
    axes.set_title(WALK, loc="left")


def _draw_left_out(axes: Axes, rows: Sequence[Row]) -> None:
    axes.axvline(0, color="#222222", linewidth=0.8)
    for y, row in enumerate(rows):
        if row.gain is not None:
            axes.barh(y, 100 * row.gain, height=0.62, color=_COLOURS[row.verdict])
            _whisker(axes, 100 * row.gain, y, row.gain_error)
        _beside(axes, y, percent(row.accuracy), _gain_text(row), f"{row.seconds:.0f} s")
    reference = _reference(rows)
    _finish(axes, rows, ("%", "change, pp", "time"))
    axes.set_xlabel(f"validation accuracy minus that of {reference} (pp)", parse_math=False)
    axes.set_title(LEFT_OUT.format(reference), loc="left", parse_math=False)


def _whisker(axes: Axes, x: float, y: float, error: float | None) -> None:
    if error is not None:
        axes.plot([x - 100 * error, x + 100 * error], [y, y], color="#222222", linewidth=1)


# Where the columns end, in points right of the axes: accuracy, gain with its error, seconds.
_COLUMNS = (36, 114, 148)


def _beside(axes: Axes, y: float, *texts: str) -> None:
    edge = axes.get_yaxis_transform()
    for x, text in zip(_COLUMNS, texts, strict=True):
        axes.annotate(
            text,
            (1, y),
            (x, 0),
            xycoords=edge,
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7.5,
            annotation_clip=False,
        )


def _finish(axes: Axes, rows: Sequence[Row], heads: tuple[str, str, str]) -> None:
    axes.set_yticks(range(len(rows)), [row.what for row in rows], parse_math=False)
    axes.tick_params(axis="y", length=0)
    _beside(axes, -1, *heads)
    axes.set_ylim(len(rows) - 0.5, -0.6)
    axes.margins(x=0.04)
    show_grid(axes, "x")


def _paired(rung: Measured, other: Measured | None) -> list[float]:
    """The differences from another rung, of the seeds that both have."""
    if other is None:
        return []
    common = sorted(set(rung.results) & set(other.results))
    return [rung.results[s]["val_accuracy"] - other.results[s]["val_accuracy"] for s in common]


def _accuracies(rung: Measured) -> list[float]:
    return [result["val_accuracy"] for result in rung.results.values()]


def _standard_error(spread: float | None, count: int) -> float | None:
    return None if spread is None or count == 0 else spread / sqrt(count)


def _commit(result: Mapping[str, Any]) -> str:
    return (result["commit"] or "unknown")[:8] + ("+" if result["modified"] else "")


def _parts(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    return (
        [row for row in rows if row.part == "ladder"],
        [row for row in rows if row.part == "leave_one_out"],
    )


def _reference(left_out: Sequence[Row]) -> str:
    return next((row.against for row in left_out if row.against), "the reference")


def _verdict(gain: float | None, error: float | None, threshold: float | None) -> Verdict:
    if gain is None or error is None or abs(gain) <= threshold * error:
        return "unsure"
    return "better" if gain > 0 else "worse"


def _verdicts(rows: Sequence[Row], than: str, sought: Verdict, noun: str) -> list[str]:
    """The largest difference of the sort that is sought, the others that are real, then the rest.

    Args:
        rows: what is judged; may be empty.
        than: the words for what they are compared with.
        sought: `better` or `worse`.
        noun: the word for a difference of that sort.
    """
    real = sorted((row for row in rows if row.verdict != "unsure"), key=lambda r: -abs(r.gain))
    found = [row for row in real if row.verdict == sought]
    others = [row for row in real if row.verdict != sought]
    unproven = [row for row in rows if row.verdict == "unsure" and row.gain_error is not None]
    unjudged = [row for row in rows if row.gain_error is None]
    sentences = []
    if found:
        first = found[0]
        sentences.append(
            f"The largest {noun} beyond noise: {first.rung} ({first.what}), {_gain(first)} pp."
        )
    elif real or unproven:
        sentences.append(f"No {noun} can be told from noise.")
    for words, of_verdict in ((f"also {sought}", found[1:]), (_OPPOSITE[sought], others)):
        if of_verdict:
            named = ", ".join(f"{row.rung} ({_gain(row)})" for row in of_verdict)
            sentences.append(f"{words.capitalize()} than {than}: {named}.")
    if unproven:
        sentences.append(f"{UNPROVEN.capitalize()}: {', '.join(row.rung for row in unproven)}.")
    if unjudged:
        names = ", ".join(row.rung for row in unjudged)
        sentences.append(
            f"Not judged, for want of a seed in common with {than}, or of a second one: {names}."
        )
    return sentences


def _chapter(
    title: str, sentences: list[str], heads: tuple[str, str], rows: Sequence[Row]
) -> Chapter:
    header = ["rung", *heads, "verdict", "validation accuracy %", "after the last epoch %"]
    header += ["parameters", "train s", "seeds"]
    return Chapter(
        title,
        sentences,
        header,
        [
            [
                row.rung,
                row.what,
                _gain(row),
                _verdict_cell(row),
                f"{percent(row.accuracy)} ± {NONE if row.error is None else percent(row.error)}",
                percent(row.last_accuracy),
                f"{row.parameters:,}",
                f"{row.seconds:.0f}",
                ", ".join(map(str, row.seeds)),
            ]
            for row in rows
        ],
    )


def _gain(row: Row) -> str:
    """`+1.20 ± 0.31`, with a dash for an unknown error, or one alone where there is no gain."""
    if row.gain is None:
        return NONE
    if row.gain_error is None:
        return f"{signed_points(row.gain)} ± {NONE}"
    return signed_with_error(row.gain, row.gain_error)


def _verdict_cell(row: Row) -> str:
    if row.gain is None:
        return NONE
    if row.gain_error is None:
        return "not judged"
    return UNPROVEN if row.verdict == "unsure" else row.verdict


def _gain_text(row: Row) -> str:
    """The gain, in brackets where it may be noise."""
    unproven = row.gain_error is not None and row.verdict == "unsure"
    return f"({_gain(row)})" if unproven else _gain(row)
