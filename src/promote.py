"""Give the aliases of the MLflow registry to the models of reports/metrics.json that deserve them.

Usage: python src/promote.py [--force]
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError, run_stage
from fifteen.common.files import read_json
from fifteen.reporting.documents import render
from fifteen.reporting.numbers_file import aliases
from fifteen.tracking import registry

METRICS = Path("reports/metrics.json")


def promote(metrics: Mapping[str, Any], force: bool = False) -> None:
    """Register the champion, the baseline, the best single model and the best ensemble.

    Args:
        metrics: the content of reports/metrics.json.
        force: whether an alias also goes to a model with a worse validation accuracy.
    """
    models = metrics["models"]
    for alias, name in aliases(models).items():
        what = render("registered.txt.j2", {"name": name, "model": models[name]}).strip()
        run_id = models[name]["run_id"]
        registry.register(metrics["source"], alias, run_id, "val/best_accuracy", what, force)


def main() -> None:
    """Promote what is in the workspace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true", help="let a worse model take an alias too")
    force = parser.parse_args().force
    if not METRICS.exists():
        raise UserError(f"{METRICS} is missing; run `dvc repro` first")
    promote(read_json(METRICS), force)


if __name__ == "__main__":
    run_stage(main)
