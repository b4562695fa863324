"""Show the results in the terminal, or put their table into the README.

Usage: python src/results.py [--experiment NAME [--made-with OPTIONS] | --readme]
"""

import argparse
import json
from pathlib import Path

from fifteen.errors import UserError, run_stage
from fifteen.experiments import read_from_experiment
from fifteen.files import new_file, read_json
from fifteen.reporting.measured import read_measured
from fifteen.reporting.summary import summary_markdown
from fifteen.reporting.tables import choice, ensemble_verdicts, headline, results_text

METRICS, PAGE = Path("reports/metrics.json"), Path("reports/report.html")
SEEDS = "seeds.json"
BEGIN, END = "<!-- results: written by `make readme` -->", "<!-- end of results -->"


def experiment_page(name: str) -> tuple[str, Path]:
    """The metrics of a DVC experiment as JSON, and its report, fetched into .fifteen/.

    Raises:
        UserError: there is no such experiment.
    """
    metrics, html = (read_from_experiment(name, path) for path in (METRICS, PAGE))
    page = Path(".fifteen") / f"{name}-report.html"
    with new_file(page) as partial:
        partial.write_text(html, encoding="utf-8")
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


def next_steps(page: Path, source: str, made_with: str | None) -> str:
    """What to do after having seen the results.

    Args:
        page: the report.
        source: the data set's name.
        made_with: options of `dvc exp run` without which it would make other results; None where
            they are not known, so that it cannot be said how one thing is changed.
    """
    model = f"fifteen-{source}@champion"
    steps = {
        "Report, with figures": page,
        "Runs side by side": "make ui",
        "Ask the best model": f"make serve MODEL={model}",
        "For what follows": ". .venv/bin/activate",
        "Classify pictures": f"python src/predict.py --model {model} PICTURE…",
    }
    if made_with is not None:
        change = ("dvc exp run", made_with, "-S variants.snapshot.schedule.peak=0.002")
        steps["Change one thing"] = " ".join(filter(None, change))
    steps["Compare experiments"] = "dvc exp show --only-changed --drop '.*/'"
    return "\n" + "\n".join(f"{what + ':':<25}{how}" for what, how in steps.items())


def main() -> None:
    """Print the results, or write them into README.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    modes = parser.add_mutually_exclusive_group()
    modes.add_argument("--experiment", metavar="NAME", help="show a DVC experiment's results")
    modes.add_argument("--readme", action="store_true", help="write the table into README.md")
    parser.add_argument(
        "--made-with", metavar="OPTIONS", help="those of `dvc exp run` that made the experiment"
    )
    arguments = parser.parse_args()

    if not arguments.experiment and not METRICS.exists():
        raise UserError(f"{METRICS} is missing; run `dvc repro` first")
    if arguments.readme:
        readme = Path("README.md")
        content = with_table(readme.read_text(encoding="utf-8"), summary(METRICS.parent))
        with new_file(readme) as partial:
            partial.write_text(content, encoding="utf-8")
        return

    if arguments.experiment:
        text, page = experiment_page(arguments.experiment)
    else:
        text, page = METRICS.read_text(encoding="utf-8"), PAGE
    metrics = json.loads(text)
    print(f"\n{results_text(metrics)}\n{headline(metrics)}\n{choice(metrics)}")
    print("\n".join(ensemble_verdicts(metrics)))
    made_with = arguments.made_with if arguments.experiment else ""
    print(next_steps(page, metrics["source"], made_with))


if __name__ == "__main__":
    run_stage(main)
