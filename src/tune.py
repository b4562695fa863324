"""Stage `tune`: search for the hyperparameters of one model.

Usage: python src/tune.py NAME
"""

from pathlib import Path

from fifteen.common.command import name_argument
from fifteen.common.errors import run_stage
from fifteen.params.reading import load_params
from fifteen.tuning.stage import run_search

MODELS = Path("models")


def main() -> None:
    """Run the search named on the command line."""
    name = name_argument(__doc__, "a key of `searches` in params.yaml")
    run_search(load_params(), name, MODELS / name)


if __name__ == "__main__":
    run_stage(main)
