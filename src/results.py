"""Show the results in the terminal, or write them into the README.

Usage: python src/results.py [--readme]
"""

import argparse
import sys
from pathlib import Path

from fifteen.common.errors import UserError, run_stage
from fifteen.common.files import new_file, read_json
from fifteen.params.reading import load_params
from fifteen.reporting.content import short_content
from fifteen.reporting.documents import render
from fifteen.reporting.terminal import next_steps, results
from fifteen.studies.measurements import measured_by_kind

METRICS, PAGE, README = Path("reports/metrics.json"), Path("reports/report.html"), Path("README.md")
BEGIN, END = "<!-- results: written by `make readme` -->", "<!-- end of results -->"
CHANGE = "dvc exp run -S variants.snapshot.schedule.peak=0.002"


def with_results(readme: str, results: str) -> str:
    """`readme` with `results` between its two markers.

    Raises:
        UserError: a marker is missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"README.md lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n\n{results}\n{end}{after}"


def main() -> None:
    """Print the results, or write them into README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write the results into README.md")
    arguments = parser.parse_args()
    if not METRICS.exists():
        raise UserError(f"{METRICS} is missing; run `dvc repro` first")
    metrics = read_json(METRICS)
    if not arguments.readme:
        print(f"\n{results(metrics, sys.stdout.isatty())}")
        print(next_steps(PAGE, metrics["source"], CHANGE), end="")
        return
    content = short_content(metrics, measured_by_kind(load_params()))
    text = with_results(README.read_text(encoding="utf-8"), render("readme.md.j2", content))
    with new_file(README) as partial:
        partial.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_stage(main)
