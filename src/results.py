"""Show the results in the terminal, or put their table into the README.

Usage: python src/results.py [--experiment NAME | --readme]
"""

import argparse
import json
from pathlib import Path
from typing import Any

from fifteen.errors import UserError, run_stage
from fifteen.files import new_file
from fifteen.reporting.tables import ensemble_verdicts, headline, results_markdown, results_text

METRICS, PAGE = Path("reports/metrics.json"), Path("reports/report.html")
BEGIN, END = "<!-- results: written by `make readme` -->", "<!-- end of results -->"


def experiment_page(name: str) -> tuple[str, Path]:
    """The metrics of a DVC experiment as JSON, and its report, fetched into .fifteen/.

    Raises:
        UserError: there is no such experiment.
    """
    from dvc import api
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError

    page = Path(".fifteen") / f"{name}-report.html"
    try:
        metrics = api.read(METRICS.as_posix(), rev=name)
        with new_file(page) as partial:
            partial.write_text(api.read(PAGE.as_posix(), rev=name), encoding="utf-8")
    except (DvcException, SCMError) as error:
        raise UserError(
            f"experiment {name!r} cannot be read ({error}); see `dvc exp list`"
        ) from None
    return metrics, page


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


def summary(metrics: dict[str, Any]) -> str:
    """The results table in Markdown, and in words what it comes to."""
    verdicts = "\n".join(f"- {sentence}" for sentence in ensemble_verdicts(metrics))
    return f"{results_markdown(metrics)}\n{headline(metrics)}\n\n{verdicts}\n"


def main() -> None:
    """Print the results, or write them into README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--experiment", metavar="NAME", help="show a DVC experiment's results")
    choice.add_argument("--readme", action="store_true", help="write the table into README.md")
    arguments = parser.parse_args()

    if arguments.experiment:
        text, page = experiment_page(arguments.experiment)
    elif METRICS.exists():
        text, page = METRICS.read_text(encoding="utf-8"), PAGE
    else:
        raise UserError(f"{METRICS} is missing; run `dvc repro` first")
    metrics = json.loads(text)
    if arguments.readme:
        readme = Path("README.md")
        content = with_table(readme.read_text(encoding="utf-8"), summary(metrics))
        with new_file(readme) as partial:
            partial.write_text(content, encoding="utf-8")
        return

    print(f"\n{results_text(metrics)}\n\n{headline(metrics)}")
    print("\n".join(ensemble_verdicts(metrics)))
    print(
        f"\nReport, with figures:    {page}"
        "\nRuns side by side:       make ui"
        "\nChange one thing:        dvc exp run -S variants.snapshot.schedule.peak=0.002"
        "\nCompare experiments:     dvc exp show"
    )


if __name__ == "__main__":
    run_stage(main)
