"""Stage `summarize`: what each change is worth, as a table and a figure.

Run by hand it shows what has been measured so far.

Usage: python ablations/summarize.py
"""

from pathlib import Path
from typing import Any

from rungs import (  # isort: skip
    Rung,
    all_rungs,
    read_ablations,
    reference_rung,
    result_file,
)

from fifteen.config import Training, load_params
from fifteen.errors import UserError, run_stage
from fifteen.files import new_file, read_json
from fifteen.reporting.ladder import (
    Measured,
    ladder_csv,
    ladder_figure,
    ladder_markdown,
    ladder_rows,
)
from fifteen.reporting.style import save_png
from fifteen.sections import differences

from pydantic import ValidationError

REPORTS = Path("reports/ablations")


def results_of(rung: Rung) -> dict[int, dict[str, Any]]:
    """The measurements of a rung that there are, by seed.

    Raises:
        UserError: one is of another training than the one that the rung stands for now.
    """
    found = {}
    for seed in rung.seeds:
        path = result_file(rung.name, seed)
        if path.exists():
            result = found[seed] = read_json(path)
            apart = _other_than_now(result, rung)
            if apart:
                raise UserError(
                    f"{path} was measured with other values of {apart}; delete it, and"
                    " `dvc repro ablations/dvc.yaml` measures it anew"
                )
    return found


def main() -> None:
    """Write the table, twice, and the figure."""
    params, ablations = load_params(), read_ablations()
    rungs = all_rungs(ablations, params)
    reference = reference_rung(rungs, params.training(ablations.reference), ablations.reference)
    results = {rung.name: results_of(rung) for rung in rungs}
    rows = ladder_rows(
        [
            Measured(rung.name, rung.part, rung.what, results[rung.name])
            for rung in rungs
            if results[rung.name]
        ],
        reference.name,
        ablations.reference,
    )
    missing = [f"{r.name}-{s}" for r in rungs for s in r.seeds if s not in results[r.name]]
    if not rows:
        raise UserError("nothing has been measured yet; `dvc repro ablations/dvc.yaml` does it")
    for name, text in {"ladder.csv": ladder_csv(rows), "ladder.md": ladder_markdown(rows)}.items():
        with new_file(REPORTS / name) as partial:
            partial.write_text(text, encoding="utf-8")
    save_png(ladder_figure(rows), REPORTS / "ladder.png")
    print((REPORTS / "ladder.md").read_text(encoding="utf-8"))
    if missing:
        print(f"not measured yet: {', '.join(missing)}")


def _other_than_now(result: dict[str, Any], rung: Rung) -> str:
    """The keys in which a measured training is not the rung's; none where only defaults are new."""
    try:
        then = Training.model_validate(result["training"])
    except ValidationError as error:
        return ", ".join(".".join(map(str, details["loc"])) for details in error.errors())
    return ", ".join(differences(then, rung.training))


if __name__ == "__main__":
    run_stage(main)
