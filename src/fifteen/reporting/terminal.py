"""The results for reading in a terminal."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fifteen.reporting.tables import choice, ensemble_verdicts, headline, results_text


def results(metrics: Mapping[str, Any]) -> str:
    """The results table and what follows from it; `metrics` as in `reports/metrics.json`."""
    lines = [results_text(metrics), headline(metrics), choice(metrics), *ensemble_verdicts(metrics)]
    return "\n".join(lines) + "\n"


def next_steps(page: Path, source: str, change: str) -> str:
    """What to do after having seen the results.

    Args:
        page: the report.
        source: the data set's name.
        change: a command that changes one thing.
    """
    model = f"fifteen-{source}@champion"
    steps = {
        "Report, with figures": page,
        "Runs side by side": "make ui",
        "Ask the best model": f"make serve MODEL={model}",
        "For what follows": ". .venv/bin/activate",
        "Classify pictures": f"python src/predict.py --model {model} PICTURE…",
        "Change one thing": change,
        "Compare experiments": "dvc exp show --only-changed --drop '.*/'",
    }
    return "\n".join(f"{what + ':':<25}{how}" for what, how in steps.items())
