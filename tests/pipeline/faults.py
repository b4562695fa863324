"""What the fault tests tried, how often and with which outcome, for docs/reliability.md."""

import os
import platform
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import psutil

SEED = int(os.environ.get("FIFTEEN_SEED") or random.randrange(2**31))  # for repeating a sweep
BEGIN, END = "<!-- faults: written by `make torture` -->\n", "<!-- end of faults -->\n"


@dataclass
class Faults:
    """Rows of the table; a test adds its own in its end, when all has turned out well."""

    times: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def record(self, fault: str, where: str, outcome: str, times: int = 1) -> None:
        """Add what was done, where, how often, and what became of it; equal ones are one row."""
        self.times[fault, where, outcome] += times

    def table(self) -> str:
        """The rows as Markdown, with what a reader needs to judge them."""
        lines = ["| fault | where | times | outcome |", "| :-- | :-- | --: | :-- |"]
        lines += [
            f"| {fault} | {where} | {times} | {outcome} |"
            for (fault, where, outcome), times in self.times.items()
        ]
        machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total / 2**30:.0f} GiB"
        lines += [
            "",
            f"{self.times.total()} faults with the seed {SEED} on "
            f"{date.today()}; {platform.system()} on {platform.machine()}, {machine}, "
            f"Python {platform.python_version()}.",
        ]
        return "\n".join(lines) + "\n"

    def write(self, page: Path) -> None:
        """Put the table into its place in a page."""
        before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        page.write_text(f"{before}{BEGIN}\n{self.table()}\n{END}{after}", encoding="utf-8")
