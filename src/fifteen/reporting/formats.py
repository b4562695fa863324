"""Numbers as text: each is formatted once, at the end, and never read back."""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from markupsafe import Markup
from pandas.api.types import is_numeric_dtype
from tabulate import tabulate

NONE = "–"


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    head: str  # what stands above it
    key: str  # the column of the data frame that it shows and is sorted by
    show: Callable[..., str] = str  # from the value, and those of `also`, to text
    also: tuple[str, ...] = ()  # further columns of the data frame that `show` needs
    best: Literal["max", "min"] | None = None  # whether the highest or lowest value is marked


class Table:
    """A data frame, and those of some columns of which it has values."""

    def __init__(self, frame: pd.DataFrame, columns: Sequence[Column]) -> None:
        self.frame = frame
        self.columns = [c for c in columns if c.key in frame and frame[c.key].notna().any()]
        self.numeric = [is_numeric_dtype(frame[column.key]) for column in self.columns]

    def cells(self) -> list[list[str]]:
        """The rows as plain text; what is missing is a dash."""
        return [[_cell(row, column) for column in self.columns] for _, row in self.frame.iterrows()]

    def markdown(self) -> Markup:
        """The table in Markdown; the best values are bold, text is escaped."""
        rows = [list(map(_escaped, cells)) for cells in self.cells()]
        for row, at in self._best():
            rows[row][at] = f"**{rows[row][at]}**"
        heads = [column.head for column in self.columns]
        sides = ["right" if numeric else "left" for numeric in self.numeric]
        table = tabulate(rows, heads, tablefmt="pipe", disable_numparse=True, colalign=sides)
        return Markup(table)

    def html(self, label: str) -> Markup:
        """The table in HTML: its heads are buttons that sort by the numbers themselves."""
        best = self._best()

        def attributes(at: int, row: int | None = None) -> str:
            names = ["number"] * self.numeric[at] + ["best"] * ((row, at) in best)
            text = f' class="{" ".join(names)}"' if names else ""
            if row is None or not self.numeric[at]:
                return text
            value = self.frame[self.columns[at].key].iloc[row]
            return text if pd.isna(value) else f'{text} data-value="{float(value):.10g}"'

        heads = "".join(
            f'<th scope="col"{attributes(at)}><button type="button">{html.escape(column.head)}'
            "</button></th>"
            for at, column in enumerate(self.columns)
        )
        lines = []
        for row, (first, *others) in enumerate(self.cells()):
            cells = [f'<th scope="row"{attributes(0, row)}>{html.escape(first)}</th>']
            for at, text in enumerate(others, start=1):
                cells.append(f"<td{attributes(at, row)}>{html.escape(text)}</td>")
            lines.append(f"<tr>{''.join(cells)}</tr>\n")
        return Markup(
            f'<div class="scroll" tabindex="0" role="region" aria-label="{html.escape(label)}">\n'
            f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody>\n"
            "</table>\n</div>"
        )

    def _best(self) -> set[tuple[int, int]]:
        """(row, column) of the best values, where rows differ."""
        marked = set()
        for at, column in enumerate(self.columns):
            values = self.frame[column.key].reset_index(drop=True)
            if column.best and values.nunique() > 1:
                best = values == values.agg(column.best)
                marked |= {(int(row), at) for row in values.index[best]}
        return marked


def percent(share: float) -> str:
    """A share of 1 in percent with two decimals, without the sign."""
    return f"{100 * share:.2f}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign: `+1.20`, `−0.35`, `0.00`."""
    rounded = f"{100 * difference:+.2f}"
    return "0.00" if float(rounded) == 0 else rounded.replace("-", "−")


def points_with_error(difference: float, error: float) -> str:
    """A difference and its standard error: `+1.20 ± 0.31`; a dash for an unknown error."""
    return f"{points(difference)} ± {NONE if pd.isna(error) else percent(error)}"


def share_with_error(share: float, error: float) -> str:
    """A share and its standard error or deviation in percent, where there is one."""
    return percent(share) if pd.isna(error) else f"{percent(share)} ± {percent(error)}"


def interval(low: float, high: float) -> str:
    """An interval of a difference in percentage points: `−0.20 to +0.35`."""
    return f"{points(low)} to {points(high)}"


def gain(difference: float, low: float, high: float) -> str:
    """A difference and its interval, where there is one: `+0.10 (−0.20 to +0.35)`."""
    return points(difference) if pd.isna(low) else f"{points(difference)} ({interval(low, high)})"


def share_with_interval(share: float, low: float, high: float) -> str:
    """A share and its 95 % interval in percent: `41.62 (40.66–42.59)`."""
    return f"{percent(share)} ({percent(low)}–{percent(high)})"


def share_with_half(share: float, low: float, high: float) -> str:
    """A share and half the width of its 95 % interval in percent: `41.62 ± 0.97`."""
    return f"{percent(share)} ± {percent((high - low) / 2)}"


def decimals(value: float) -> str:
    """A number with three decimals."""
    return f"{value:.3f}"


def whole(value: float) -> str:
    """A whole number with commas between its thousands."""
    return f"{value:,.0f}"


def span(fewest: float, most: float) -> str:
    """`100`, or `33–68`."""
    return "–".join(whole(count) for count in sorted({fewest, most}))


def numbers(values: Sequence[int]) -> str:
    """`1, 2, 3`."""
    return ", ".join(map(str, values))


def p_value(p: float) -> str:
    """A p-value: `< 0.0001`, four decimals below 0.001, three above."""
    if p < 0.0001:
        return "< 0.0001"
    return f"{p:.4f}" if p < 0.001 else f"{p:.3f}"


def verdict(word: str) -> str:
    """A verdict in words: that no difference was seen does not make two models the same."""
    return "not distinguishable" if word == "same" else word


def setting(value: Any) -> str:  # noqa: ANN401 - whatever a hyperparameter can be
    """A hyperparameter's value as params.yaml would spell it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {setting(inner)}" for key, inner in value.items())
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b` or `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _cell(row: pd.Series, column: Column) -> str:
    value = row[column.key]
    if not isinstance(value, Mapping | tuple) and pd.isna(value):
        return NONE
    return column.show(value, *(row[key] for key in column.also))


def _escaped(text: str) -> str:
    """Text that neither ends a cell nor becomes markup: names of classes are data."""
    escaped = html.escape(text, quote=False).replace("&lt; ", "< ")  # which begins no markup
    return escaped.replace("|", "\\|")
