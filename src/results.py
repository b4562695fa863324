"""Show the results in the terminal, or put their table into the README.

Usage: python src/results.py [--readme]
"""

import argparse
from pathlib import Path

from fifteen.common.errors import UserError, run_stage
from fifteen.common.files import new_file, read_json
from fifteen.reporting.measured import read_measured
from fifteen.reporting.summary import summary_markdown
from fifteen.reporting.terminal import next_steps, results

METRICS, PAGE = Path("reports/metrics.json"), Path("reports/report.html")
SEEDS = "seeds.json"
BEGIN, END = "<!-- results: written by `make readme` -->", "<!-- end of results -->"


def with_table(readme: str, table: str) -> str:
    """`readme` with `table` between its two markers.

    Raises:
        UserError: a marker is missing.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"README.md lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def summary(reports: Path) -> str:
    """The results in Markdown.

    Args:
        reports: the folder with metrics.json, models/NAME/search.json where there was a search,
            what was measured beside the pipeline, and possibly seeds.json.
    """
    metrics, seeds = read_json(reports / METRICS.name), reports / SEEDS
    return summary_markdown(
        metrics,
        map(read_json, sorted(reports.glob("models/*/search.json"))),
        *read_measured(reports, metrics["source"]),
        read_json(seeds) if seeds.exists() else None,
    )


def main() -> None:
    """Print the results, or write them into README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    arguments = parser.parse_args()

    if not METRICS.exists():
        raise UserError(f"{METRICS} is missing; run `dvc repro` first")
    if arguments.readme:
        readme = Path("README.md")
        content = with_table(readme.read_text(encoding="utf-8"), summary(METRICS.parent))
        with new_file(readme) as partial:
            partial.write_text(content, encoding="utf-8")
        return
    metrics = read_json(METRICS)
    change = "dvc exp run -S variants.snapshot.schedule.peak=0.002"
    print(f"\n{results(metrics)}\n{next_steps(PAGE, metrics['source'], change)}")


if __name__ == "__main__":
    run_stage(main)
