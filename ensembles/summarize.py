"""Stage `summarize`: what each design came to, as a table and a figure.

Run by hand it shows what has been measured so far.

Usage: python ensembles/summarize.py
"""

from pathlib import Path
from typing import Any

from designs import FILE, Design, Plan, all_designs, result_file  # isort: skip

from fifteen.config import Training, load_params
from fifteen.errors import UserError, run_stage
from fifteen.files import new_file, read_json
from fifteen.reporting.ensembles import (
    ensemble_row,
    ensembles_csv,
    ensembles_figure,
    ensembles_markdown,
)
from fifteen.reporting.style import save_png
from fifteen.sections import differences, read_plan

REPORTS = Path("reports/ensembles")


def results_of(design: Design, seeds: list[int]) -> dict[int, dict[str, Any]]:
    """The measurements of a design that there are, by seed.

    Raises:
        UserError: one is of another training than the one that the design stands for now.
    """
    found = {}
    for seed in seeds:
        path = result_file(design.name, seed)
        if path.exists():
            found[seed] = read_json(path)
            then = Training.model_validate(found[seed]["training"])
            apart = differences(then, design.training)
            if apart or found[seed]["models"] != design.models:
                raise UserError(
                    f"{path} was measured with other values of {', '.join(apart) or 'models'};"
                    " delete it, and `dvc repro ensembles/dvc.yaml` measures it anew"
                )
    return found


def main() -> None:
    """Write the table, twice, and the figure."""
    plan = read_plan(FILE, Plan)
    designs = all_designs(plan, load_params())
    results = {design.name: results_of(design, plan.seeds) for design in designs}
    controls = {}
    for design in designs:
        controls.setdefault(design.variant, results[design.name])
    rows = [
        ensemble_row(
            design.name,
            design.what,
            design.variant,
            results[design.name],
            controls[design.variant],
        )
        for design in designs
        if set(results[design.name]) & set(controls[design.variant])
    ]
    if not rows:
        raise UserError("nothing has been measured yet; `dvc repro ensembles/dvc.yaml` does it")
    texts = {"ensembles.csv": ensembles_csv(rows), "ensembles.md": ensembles_markdown(rows)}
    for name, text in texts.items():
        with new_file(REPORTS / name) as partial:
            partial.write_text(text, encoding="utf-8")
    save_png(ensembles_figure(rows), REPORTS / "ensembles.png")
    print(texts["ensembles.md"])
    missing = [f"{d.name}-{s}" for d in designs for s in plan.seeds if s not in results[d.name]]
    if missing:
        print(f"not measured yet: {', '.join(missing)}")


if __name__ == "__main__":
    run_stage(main)
