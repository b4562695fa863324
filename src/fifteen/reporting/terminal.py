"""The results for reading in a terminal."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fifteen.reporting.content import short_content
from fifteen.reporting.documents import render
from fifteen.reporting.findings import findings
from fifteen.reporting.formats import Table
from fifteen.reporting.frames import models_frame
from fifteen.reporting.tables import TERMINAL

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable

WIDTH = 100


def results(metrics: Mapping[str, Any], is_terminal: bool = False) -> str:
    """The results table and what follows from it.

    Args:
        metrics: the content of reports/metrics.json.
        is_terminal: whether the text may be bold and coloured; else it is plain.
    """
    shown = Table(models_frame(metrics), TERMINAL)
    table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column, numeric in zip(shown.columns, shown.numeric, strict=True):
        table.add_column(column.head, justify="right" if numeric else "left", no_wrap=True)
    for row in shown.cells():
        table.add_row(*row)
    text = io.StringIO()
    console = Console(file=text, width=WIDTH, force_terminal=is_terminal, highlight=False)
    console.print(table)
    lines = [line.rstrip() for line in text.getvalue().splitlines()]
    return "\n".join(lines) + "\n" + render("terminal.txt.j2", short_content(metrics, {}))


def headline(metrics: Mapping[str, Any]) -> str:
    """Two lines: the best model beside the baseline, and what it was measured on."""
    return render("headline.txt.j2", {"metrics": metrics, "findings": findings(metrics)})


def next_steps(page: Path, source: str, change: str) -> str:
    """What to do after having seen the results.

    Args:
        page: the report.
        source: the data set's name.
        change: a command that changes one thing.
    """
    steps = {"page": page, "model": f"fifteen-{source}@champion", "change": change}
    return render("next_steps.txt.j2", steps)
