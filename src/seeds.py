"""Collect what models came to that `make seeds` trained with several seeds.

Each seed N is a DVC experiment `seed-N`; the workspace's own seed counts too. The result goes to
reports/seeds.json.

Usage: python src/seeds.py --seeds 1 2 --models swift swift_small
"""

import argparse
import json
from pathlib import Path
from typing import Any

from fifteen.errors import UserError, run_stage
from fifteen.experiments import read_from_experiment
from fifteen.files import read_json, write_json
from fifteen.reporting.seeds import seeds_markdown, trained

RESULT = Path("reports/seeds.json")


def collected(model: str, seeds: list[int]) -> list[dict[str, Any]]:
    """A model in the workspace, and with each of the other `seeds`.

    Raises:
        UserError: one is missing, or was trained in another way than the workspace's.
    """
    path = Path("reports/models") / model / "metrics.json"
    if not path.exists():
        raise UserError(f"{path} is missing; `dvc repro` first")
    here = read_json(path)
    found = [here]
    for seed in sorted({*seeds} - {here["seed"]}):
        experiment = f"seed-{seed}"
        metrics = json.loads(read_from_experiment(experiment, path))
        if metrics["seed"] != seed:
            raise UserError(
                f"experiment {experiment!r} was made for other models: {path} there is of seed "
                f"{metrics['seed']}; `dvc exp remove {experiment}` and call `make seeds` again"
            )
        if metrics["hyperparameters"] != here["hyperparameters"]:
            raise UserError(
                f"{path} of experiment {experiment!r} has other hyperparameters than that of the "
                f"workspace; `dvc exp remove {experiment}` and call `make seeds` again"
            )
        found.append(metrics)
    return [trained(metrics) for metrics in found]


def main() -> None:
    """Write reports/seeds.json and print it as a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--models", nargs="+", required=True)
    arguments = parser.parse_args()
    models = {model: collected(model, arguments.seeds) for model in arguments.models}
    known = read_json(RESULT) if RESULT.exists() else {}
    write_json(RESULT, known | models)
    print(seeds_markdown(models))


if __name__ == "__main__":
    run_stage(main)
