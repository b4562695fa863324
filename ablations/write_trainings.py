"""Stage `trainings`: the complete training of each rung as a file of its own.

Usage: python ablations/write_trainings.py
"""

from rungs import FOLDER, all_rungs, read_ablations, reference_rung  # isort: skip

from fifteen.config import load_params
from fifteen.errors import run_stage
from fifteen.files import new_folder, write_json


def main() -> None:
    """Write all of them, after a check of the whole plan."""
    params, ablations = load_params(), read_ablations()
    rungs = all_rungs(ablations, params)
    reference_rung(rungs, params.training(ablations.reference), ablations.reference)
    rungs = [rung for rung in rungs if rung.seeds]
    with new_folder(FOLDER / "trainings") as folder:
        for rung in rungs:
            write_json(folder / f"{rung.name}.json", rung.section)
    print(f"{len(rungs)} rungs, {sum(len(rung.seeds) for rung in rungs)} trainings")


if __name__ == "__main__":
    run_stage(main)
