"""The studies of the first edition as one data frame, until `studies/` replaces them.

Reads ablations/, ensembles/ and reports/seeds.json; `fifteen.reporting.study_tables` says which
columns come of it.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from fifteen.config import read_yaml
from fifteen.files import read_json

import pandas as pd

LADDER, LEFT_OUT, SEEDS = "ladder", "leave_one_out", "seeds"
RULES = ("sum", "logits", "vote", "weighted", "greedy", "average")
COLUMNS = (
    *("study", "row", "what", "order", "seed", "compared_with", "val_accuracy", "val_loss"),
    *("test_accuracy", "test_tta_accuracy", "parameters", "seconds", "device", "precision"),
    *("commit", "rules", "single_accuracy", "right"),
)
Result = dict[str, Any]


def study_results(root: Path, source: str) -> dict[str, pd.DataFrame]:
    """What was measured beside the pipeline on one data set.

    Args:
        root: the folder with ablations/, ensembles/ and reports/.
        source: the name of the data set.

    Returns:
        By kind, `changes`, `designs` and `seeds`; each may be empty.
    """
    known = read_json(root / "reports/seeds.json") if (root / "reports/seeds.json").exists() else {}
    on_source = source == "cifar100"  # reports/seeds.json does not say; it is of that data set
    seeds = known if on_source else {}
    kinds = {
        "changes": [*_ablations(root / "ablations", source), *_variants(root / "ablations", seeds)],
        "designs": list(_designs(root / "ensembles", source)),
        "seeds": list(_seeds(seeds)),
    }
    return {
        kind: pd.DataFrame(rows, columns=list(COLUMNS)).astype({"compared_with": object})
        for kind, rows in kinds.items()
    }


def _ablations(folder: Path, source: str) -> Iterator[Result]:
    plan = read_yaml(folder / "params.yaml")
    names = _names(plan)
    before = {after: names[row] for row, after in pairwise(plan[LADDER])}
    before |= dict.fromkeys(plan[LEFT_OUT], plan["reference"])
    for order, (study, row) in enumerate((s, r) for s in (LADDER, LEFT_OUT) for r in plan[s]):
        for path in sorted((folder / "results").glob(f"{row}-*.json")):
            result = read_json(path)
            if result["rung"] == row and result["source"] == source:
                place = order if study == LADDER else 1000 + order
                what = plan[study][row]["what"]
                yield _entry(study, names[row], what, place, before.get(row), result)


def _names(plan: Mapping[str, Any]) -> dict[str, str]:
    """What each row is called: the walk comes out at the reference, which gives its name."""
    rows = [*plan[LADDER], *plan[LEFT_OUT]]
    return {row: row for row in rows} | {list(plan[LADDER])[-1]: plan["reference"]}


def _variants(folder: Path, seeds: Mapping[str, list[Result]]) -> Iterator[Result]:
    """The models of params.yaml in which the walk ends; only with seeds of a known commit."""
    plan = read_yaml(folder / "params.yaml")
    last = plan["reference"]
    for order, (row, what) in enumerate(plan["variants"].items(), start=500):
        for result in seeds.get(row, []):
            if "commit" in result:
                yield _entry(LADDER, row, what, order, last, result)
        last = row


def _designs(folder: Path, source: str) -> Iterator[Result]:
    plan, control = read_yaml(folder / "params.yaml"), dict[str, str]()
    for order, (row, design) in enumerate(plan["designs"].items()):
        first = control.setdefault(design["variant"], row)
        against = None if first == row else first
        for path in sorted((folder / "results").glob(f"{row}-*.json")):
            result = read_json(path)
            if result["design"] == row and result["source"] == source:
                rules = {rule: result["rules"][rule] for rule in RULES if rule in result["rules"]}
                yield _entry(design["variant"], row, design["what"], order, against, result) | {
                    "val_accuracy": result["single"]["accuracy"],
                    "val_loss": result["single"]["nll"],
                    "single_accuracy": result["single"]["accuracy"],
                    "rules": {rule: scores["accuracy"] for rule, scores in rules.items()},
                    "right": {"single": result["single"]["right"]}
                    | {rule: scores["right"] for rule, scores in rules.items()},
                }


def _seeds(seeds: Mapping[str, list[Result]]) -> Iterator[Result]:
    """Each model with each seed; an ensemble is compared with the single model it comes from."""
    for order, (row, results) in enumerate(seeds.items()):
        single = [
            name
            for name, others in seeds.items()
            if results[0]["method"]
            and not others[0]["method"]
            and others[0]["training"] == results[0]["training"]
        ]
        for result in results:
            yield _entry(SEEDS, row, row, order, single[0] if single else None, result)


def _entry(
    study: str, row: str, what: str, order: int, compared_with: str | None, result: Result
) -> Result:
    return {
        "study": study,
        "row": row,
        "what": what,
        "order": order,
        "compared_with": compared_with,
        "seed": result["seed"],
        "val_accuracy": result.get("val_accuracy", result.get("validation_accuracy")),
        "val_loss": result.get("val_loss"),
        "test_accuracy": result.get("test_accuracy"),
        "test_tta_accuracy": result.get("test_tta_accuracy"),
        "parameters": result.get("parameters"),
        "seconds": result.get("seconds", result.get("train_seconds")),
        **result["hardware"],
        "commit": result.get("commit"),
    }
