"""Stage `trainings`: what each design trains, as a file of its own.

Usage: python ensembles/write_trainings.py
"""

from designs import FILE, FOLDER, Plan, all_designs  # isort: skip

from fifteen.config import load_params
from fifteen.errors import run_stage
from fifteen.files import new_folder, write_json
from fifteen.sections import read_plan


def main() -> None:
    """Write all of them, after a check of the whole plan."""
    plan = read_plan(FILE, Plan)
    designs = all_designs(plan, load_params())
    with new_folder(FOLDER / "trainings") as folder:
        for design in designs:
            content = {"models": design.models, "training": design.section}
            write_json(folder / f"{design.name}.json", content)
    print(f"{len(designs)} designs with {len(plan.seeds)} seeds each")


if __name__ == "__main__":
    run_stage(main)
