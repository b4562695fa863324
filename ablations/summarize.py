"""What each change is worth, as far as it has been measured: table and figure.

The files go to reports/ablations/, to be committed; of them the stage `report` reads the CSV.

Usage: python ablations/summarize.py
"""

from pathlib import Path
from typing import Any

from rungs import Rung, all_rungs, read_ablations, reference_rung, result_file  # isort: skip

from fifteen.config import load_params
from fifteen.errors import run_stage
from fifteen.files import read_json
from fifteen.reporting.ladder import Measured, Row, ladder_figure, ladder_markdown, ladder_rows
from fifteen.reporting.measurements import other_than, read_results, write_summary

REPORTS, SEEDS = Path("reports/ablations"), Path("reports/seeds.json")


def of_make_seeds(rung: Rung, source: str) -> dict[int, dict[str, Any]]:
    """What `make seeds` found of a rung that is a variant of params.yaml, by seed.

    The workspace's own model is left out: of which commit it is, nobody has written down.
    """
    known = read_json(SEEDS).get(rung.name, []) if SEEDS.exists() else []
    return {
        one["seed"]: {
            "source": source,
            "val_accuracy": one["validation_accuracy"],
            "last_val_accuracy": one["last_validation_accuracy"],
            "seconds": one["train_seconds"],
            **{
                key: one[key]
                for key in ("training", "parameters", "hardware", "commit", "modified")
            },
        }
        for one in known
        if "commit" in one and not other_than(rung.training, one["training"])
    }


def main() -> None:
    """Write the table, twice, and the figure, and say what has not been measured yet."""
    params, ablations = load_params(), read_ablations()
    rungs = all_rungs(ablations, params)
    reference = reference_rung(rungs, params.training(ablations.reference), ablations.reference)
    measured, missing = [], {"dvc repro ablations/dvc.yaml": [], "make seeds": []}
    for rung in rungs:
        if rung.name in ablations.variants:
            results = of_make_seeds(rung, params.data.source)
            missing["make seeds"] += [] if results else [rung.name]
        else:
            paths = {seed: result_file(rung.name, seed) for seed in rung.seeds}
            results = read_results(paths, rung.training, source=params.data.source)
            missing["dvc repro ablations/dvc.yaml"] += [
                path.stem for seed, path in paths.items() if seed not in results
            ]
        measured.append(Measured(rung.name, rung.part, rung.what, results))
    rows = ladder_rows(measured, reference.name, ablations.reference)
    write_summary(REPORTS, "ladder", Row, rows, ladder_markdown, ladder_figure)
    if rows:
        print(ladder_markdown(rows))
    for command, names in missing.items():
        if names:
            print(f"not measured yet: {', '.join(names)}; `{command}` does it")


if __name__ == "__main__":
    run_stage(main)
