"""What each change is worth, as far as it has been measured: table and figure.

The files go to reports/ablations/, to be committed; of them the stage `report` reads the CSV.

Usage: python ablations/summarize.py
"""

from pathlib import Path

from rungs import all_rungs, read_ablations, reference_rung, result_file  # isort: skip

from fifteen.config import load_params
from fifteen.errors import run_stage
from fifteen.reporting.ladder import Measured, Row, ladder_figure, ladder_markdown, ladder_rows
from fifteen.reporting.measurements import read_results, write_summary

REPORTS = Path("reports/ablations")


def main() -> None:
    """Write the table, twice, and the figure, and say what has not been measured yet."""
    params, ablations = load_params(), read_ablations()
    rungs = all_rungs(ablations, params)
    reference = reference_rung(rungs, params.training(ablations.reference), ablations.reference)
    measured, missing = [], []
    for rung in rungs:
        paths = {seed: result_file(rung.name, seed) for seed in rung.seeds}
        results = read_results(paths, rung.training, source=params.data.source)
        measured.append(Measured(rung.name, rung.part, rung.what, results))
        missing += [path.stem for seed, path in paths.items() if seed not in results]
    rows = ladder_rows(measured, reference.name, ablations.reference)
    write_summary(REPORTS, "ladder", Row, rows, ladder_markdown, ladder_figure)
    if rows:
        print(ladder_markdown(rows))
    if missing:
        print(f"not measured yet: {', '.join(missing)}; `dvc repro ablations/dvc.yaml` does it")


if __name__ == "__main__":
    run_stage(main)
