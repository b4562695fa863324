"""What the model card (Mitchell et al. 2019) says of one model beyond the report."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fifteen.evaluation.scores import wilson_interval
from fifteen.params.sections import Split
from fifteen.reporting.numbers_file import BASELINE


def card_content(metrics: Mapping[str, Any], name: str, split: Split) -> dict[str, Any]:
    """What the template needs of the model called `name`; `metrics` is the numbers file."""
    model = metrics["models"][name]
    is_single = model["kind"] == "single"
    trained = model if is_single else metrics["models"][model["variant"]]
    kind = "baseline" if name == BASELINE else "variant" if is_single else "ensemble"
    made_of = {} if is_single else {key: model[key] for key in ("variant", "method", "members")}
    test, images = model["test"], metrics["test_images"]
    shares = [("test accuracy", test["accuracy"], test["accuracy_ci95"])]
    if views := model.get("test_tta"):
        shares.append(("over six views of each image", views["accuracy"], views["accuracy_ci95"]))
    others = {"top5_accuracy": "class among the first five", "superclass_accuracy": "superclass"}
    for key in (key for key in others if key in test):
        bounds = wilson_interval(round(test[key] * images), images)
        shares.append((f"right {others[key]}", test[key], bounds))
    return {
        "name": name,
        "model": model,
        "split": {part: _ranges(ranges) for part, ranges in split},
        "command": f"dvc repro evaluate_{kind}@{name}",
        "shares": shares,
        "parameters": json.dumps(
            made_of | {"hyperparameters": trained["hyperparameters"]}, indent=2
        ),
    }


def _ranges(ranges: Iterable[Iterable[float]]) -> str:
    """Ranges in percent: `0 to 35 and 45 to 100`."""
    return " and ".join(f"{start:g} to {end:g}" for start, end in ranges)
