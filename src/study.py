"""Studies: many trainings for one question, planned in studies/NAME.yaml.

Usage: python src/study.py list
       python src/study.py show NAME
       python src/study.py run NAME [--rows ROW …] [--seeds SEED …]
"""

import argparse
import sys

from fifteen.common.errors import UserError, run_stage
from fifteen.params.reading import load_params
from fifteen.params.sections import Params
from fifteen.studies.measurements import Key, Result, measurements, missing, read_results
from fifteen.studies.plan import Study, read_study, study_names

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table


def main() -> None:
    """List all studies, show the results of one, or train what is missing of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="all studies, and how much of each is measured")
    show = commands.add_parser("show", help="the results of a study, and what is missing")
    run = commands.add_parser("run", help="train what is missing, one training after another")
    for command in (show, run):
        command.add_argument("name", help="of a file of studies/, without .yaml")
    run.add_argument("--rows", nargs="+", help="only these rows")
    run.add_argument("--seeds", nargs="+", type=int, help="only these of their seeds")
    given = parser.parse_args()
    params = load_params()
    console = Console(width=None if sys.stdout.isatty() else 120)
    results = read_results(params.data, params.hardware.precision)
    if given.command == "list":
        console.print(overview(params, results))
        return
    study = read_study(given.name, params)
    if given.command == "run":
        train(study, results, given.rows, given.seeds)
        results = read_results(params.data, params.hardware.precision)
    print(study.question)
    measured = measurements([study], results)
    if len(measured):
        console.print(table(measured))
    seeds: dict[str, list[str]] = {}
    for row, seed in missing(study.rows, results):
        seeds.setdefault(row.name, []).append(str(seed))
    if seeds:
        print(f"Not measured on {params.data.source}, with these seeds:")
        print("\n".join(f"  {name}: {', '.join(its)}" for name, its in seeds.items()))
        print(f"`python src/study.py run {study.name}` trains what is missing.")


def train(
    study: Study, results: dict[Key, Result], rows: list[str] | None, seeds: list[int] | None
) -> None:
    """Train what is missing of a study, or of these rows and seeds.

    Raises:
        UserError: the study has no such row, or none of the rows has such a seed.
    """
    known = {row.name: row for row in study.rows}
    if unknown := sorted(set(rows or ()) - set(known)):
        raise UserError(f"no row of {study.name}: {', '.join(unknown)}; rows: {', '.join(known)}")
    chosen = [known[name] for name in rows or known]
    there = {seed for row in chosen for seed in row.seeds}
    if other := sorted(set(seeds or ()) - there):
        raise UserError(f"no seed of these rows: {other}; seeds: {sorted(there)}")
    wanted = [job for job in missing(chosen, results) if seeds is None or job[1] in seeds]
    if wanted:
        from fifteen.studies.running import run_all  # TensorFlow takes seconds

        run_all(wanted)


def overview(params: Params, results: dict[Key, Result]) -> Table:
    """All studies with their questions and how many of their seeds are measured."""
    shown = Table("study", "question", "measured", box=SIMPLE_HEAD)
    for study in (read_study(name, params) for name in study_names()):
        total = sum(len(row.seeds) for row in study.rows)
        measured = total - len(missing(study.rows, results))
        shown.add_row(study.name, study.question, f"{measured} of {total}")
    return shown


def table(measured: pd.DataFrame) -> Table:
    """A line per row: the mean over its seeds ± the standard deviation between them.

    The difference from another row is the mean over the seeds that both have.
    """
    columns = {"val_accuracy": "val %", "test_accuracy": "test %", "test_tta_accuracy": "TTA %"}
    columns = {key: head for key, head in columns.items() if measured[key].notna().any()}
    heads = ["row", "seeds", *columns.values(), "diff. pp", "from", "parameters", "seconds"]
    shown = Table(*heads, box=SIMPLE_HEAD)
    for column in shown.columns:
        column.justify = "left" if column.header in ("row", "seeds", "from") else "right"
    accuracies = measured.set_index(["row", "seed"]).sort_index().val_accuracy
    for name, lines in measured.groupby("row", sort=False):
        other, difference = lines.compared_with.iloc[0] or "", float("nan")
        if other in accuracies:
            difference = 100 * (accuracies[name] - accuracies[other]).mean()
        means, deviations = lines[[*columns]].mean(), lines[[*columns]].std()
        shown.add_row(
            str(name),
            ", ".join(map(str, lines.seed)),
            *(f"{number(100 * means[key])} ± {number(100 * deviations[key])}" for key in columns),
            number(difference, "+.2f"),
            other,
            f"{lines.parameters.iloc[0]:,}",
            f"{lines.seconds.min():.0f}",
        )
    return shown


def number(value: float, form: str = ".2f") -> str:
    """A number as text; a dash for NaN, such as the deviation of a single seed."""
    return "–" if pd.isna(value) else format(value, form)


if __name__ == "__main__":
    run_stage(main)
