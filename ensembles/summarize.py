"""What each design came to, as far as it has been measured: table and figure.

The files go to reports/ensembles/, to be committed; of them the stage `report` reads the CSV.

Usage: python ensembles/summarize.py
"""

from pathlib import Path

from designs import FILE, Plan, all_designs, result_file  # isort: skip

from fifteen.config import load_params
from fifteen.errors import run_stage
from fifteen.reporting.ensembles import (
    Row,
    ensemble_row,
    ensembles_figure,
    ensembles_markdown,
)
from fifteen.reporting.measurements import read_results, write_summary
from fifteen.sections import read_plan

REPORTS = Path("reports/ensembles")


def main() -> None:
    """Write the table, twice, and the figure, and say what has not been measured yet."""
    params, plan = load_params(), read_plan(FILE, Plan)
    rows, missing, controls = [], [], {}
    for design in all_designs(plan, params):
        paths = {seed: result_file(design.name, seed) for seed in plan.seeds}
        results = read_results(
            paths, design.training, source=params.data.source, models=design.models
        )
        missing += [path.stem for seed, path in paths.items() if seed not in results]
        control = controls.setdefault(design.variant, results)
        if set(results) & set(control):
            rows.append(ensemble_row(design.name, design.what, design.variant, results, control))
    write_summary(REPORTS, "ensembles", Row, rows, ensembles_markdown, ensembles_figure)
    if rows:
        print(ensembles_markdown(rows))
    if missing:
        print(f"not measured yet: {', '.join(missing)}; `dvc repro ensembles/dvc.yaml` does it")


if __name__ == "__main__":
    run_stage(main)
