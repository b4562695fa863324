"""Train models with other seeds too, beside the workspace, and collect what they came to.

Each is a DVC experiment, MODEL-seed-N. As soon as it has ended it is in reports/seeds.json, with
the workspace's own seed, so that an interrupted call goes on where it stopped.

Usage: python src/seeds.py --seeds 1 2 --models swift swift_small
"""

import argparse
import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fifteen.config import load_params
from fifteen.errors import UserError, run_stage
from fifteen.experiments import read_from_experiment
from fifteen.files import read_json, write_json
from fifteen.git import commit, require_full_clone
from fifteen.reporting.first_edition import study_results
from fifteen.reporting.formats import Table
from fifteen.reporting.study_tables import seeds_table
from fifteen.reporting.tables import SEEDS

RESULT = Path("reports/seeds.json")


def trained(metrics: dict[str, Any], variant: dict[str, Any]) -> dict[str, Any]:
    """What is kept of a model, with its accuracies as shares.

    Args:
        metrics: its `reports/models/NAME/metrics.json`.
        variant: the same of what it was trained as; for an ensemble that is another model.
    """
    views = metrics.get("test_tta")
    return {
        "seed": variant["seed"],
        "training": variant["hyperparameters"],
        "method": "best" if "chosen_from" in metrics else metrics.get("method"),
        "parameters": metrics["parameters"],
        "validation_accuracy": metrics["validation"]["accuracy"],
        "test_accuracy": metrics["test"]["accuracy"],
        "test_tta_accuracy": views["accuracy"] if views else None,
        "train_seconds": metrics["train_seconds"],
        "hardware": metrics["hardware"],
    }


def evaluated(model: str, read: Callable[[Path], str]) -> dict[str, Any]:
    """What a model came to, of files that `read` gives the text of."""
    folder = Path("reports/models")
    metrics = json.loads(read(folder / model / "metrics.json"))
    if metrics["kind"] == "ensemble":
        variant = json.loads(read(folder / metrics["variant"] / "metrics.json"))
        return trained(metrics, variant)
    *_, last = csv.DictReader(read(folder / model / "history.csv").splitlines())
    return trained(metrics, metrics) | {"last_validation_accuracy": float(last["val_accuracy"])}


def of_workspace(model: str) -> dict[str, Any]:
    """What a model in the workspace came to.

    Raises:
        UserError: it is not there.
    """
    try:
        return evaluated(model, lambda path: path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{error.filename} is missing; `dvc repro` first") from None


def of_experiment(model: str, seed: int) -> dict[str, Any]:
    """Train and evaluate a model with another seed, and say what it came to.

    Raises:
        UserError: the experiment failed.
    """
    name, ensemble = f"{model}-seed-{seed}", load_params().ensembles.get(model)
    variant = ensemble.variant if ensemble else model
    stages = [f"evaluate_{'baseline' if variant == 'baseline' else 'variant'}@{variant}"]
    stages += [f"evaluate_ensemble@{model}"] if ensemble else []
    command = ("dvc", "exp", "run", "--temp", "--name", name)
    # One of that name was killed before it was collected, or is of before a change.
    subprocess.run(("dvc", "exp", "remove", "--quiet", name), stderr=subprocess.DEVNULL)
    code = commit()
    if subprocess.run([*command, "--set-param", f"seed={seed}", *stages]).returncode:
        raise UserError(f"experiment {name!r} failed; what is above says why")
    return code | evaluated(model, lambda path: read_from_experiment(name, path))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two models differ in their seeds alone."""
    return all(one[key] == other[key] for key in ("training", "method"))


def main() -> None:
    """Bring reports/seeds.json up to date and print it as a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--models", nargs="+", required=True)
    arguments = parser.parse_args()
    require_full_clone()
    here = {model: of_workspace(model) for model in arguments.models}
    known = read_json(RESULT) if RESULT.exists() else {}
    for model, own in here.items():
        others = (one for one in known.get(model, []) if one["seed"] != own["seed"])
        known[model] = [own, *(one for one in others if same(one, own))]
    for seed in arguments.seeds:
        for model in here:
            if seed not in (one["seed"] for one in known[model]):
                known[model].append(of_experiment(model, seed))
                write_json(RESULT, known)
    write_json(RESULT, known)
    seeds = study_results(Path(), "cifar100")["seeds"]
    print(Table(seeds_table(seeds[seeds["row"].isin(here)]), SEEDS).markdown())


if __name__ == "__main__":
    run_stage(main)
