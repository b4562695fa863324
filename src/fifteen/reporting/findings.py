"""What the numbers file amounts to: which model is best, what worked, whether ensembles pay."""

from collections.abc import Mapping
from typing import Any

from fifteen.reporting.frames import kind
from fifteen.reporting.numbers_file import BASELINE, best_first, compared, members_compared

Metrics = Mapping[str, Any]
Model = Mapping[str, Any]

ENOUGH_TO_CHOOSE = 1000  # images; with fewer the standard error of 75 % is more than 1.4 points
# What decides which weights are kept, not what is learned.
KEPT_BY = {"monitor", "patience", "snapshots", "snapshot_weights"}


def findings(metrics: Metrics) -> dict[str, Any]:
    """What the templates tell of the models, as names, numbers and comparisons.

    Returns:
        `best` (name, model, comparison with the baseline or None), `second` (the same, compared
        with the best; None for one model), `tied` (names with the validation accuracy of the
        best), `small_validation`, `judged`, `machines` (names by device and precision), `commits`.
    """
    models = metrics["models"]
    first, *others = best_first(models)
    accuracy = models[first]["validation"]["accuracy"]
    machines: dict[str, list[str]] = {}
    for name, model in models.items():
        machines.setdefault("{device}, {precision}".format(**model["hardware"]), []).append(name)
    return {
        "best": _against(metrics, first, BASELINE),
        "second": _against(metrics, others[0], first) if others else None,
        "tied": [name for name in others if models[name]["validation"]["accuracy"] == accuracy],
        "small_validation": metrics["validation_images"] < ENOUGH_TO_CHOOSE,
        "judged": judged(metrics),
        "machines": machines,
        "commits": list(dict.fromkeys(m["commit"] for m in models.values() if m.get("commit"))),
    }


def judged(metrics: Metrics) -> list[dict[str, Any]]:
    """Each model against what it starts from, the largest gain first.

    A training starts from the baseline, an ensemble from its best member.

    Returns:
        name, `reference` (`baseline`, `best snapshot`, `last and best snapshot`, or the variant
        whose weights are averaged), comparison, kind and, of a training, the sections that
        `differ` from the baseline's; of an ensemble its variant.
    """
    models = metrics["models"]
    rows = [
        {
            "name": name,
            **_starts_from(metrics, name),
            "kind": kind(model),
            "variant": model.get("variant"),
            "differ": _differences(model, models[BASELINE]),
        }
        for name, model in models.items()
        if name != BASELINE
    ]
    return sorted(rows, key=lambda row: -row["comparison"]["difference"])


def _against(metrics: Metrics, name: str, other: str) -> dict[str, Any]:
    comparison = None if name == other else compared(metrics, name, other)
    return {"name": name, "model": metrics["models"][name], "comparison": comparison}


def _starts_from(metrics: Metrics, name: str) -> dict[str, Any]:
    model = metrics["models"][name]
    reference = other = BASELINE
    if model["kind"] == "ensemble" and model["method"] == "average":
        reference = other = model["variant"]  # one network, in which no snapshot answers any more
    elif model["kind"] == "ensemble":
        *_, member = members_compared(model["member_validation_accuracy"])
        other = f"{model['variant']}:{member}"
        reference = {"last_snapshot": "last and best", "best_snapshot": "best"}[member]
        reference += " snapshot"
    return {"reference": reference, "comparison": compared(metrics, name, other)}


def _differences(model: Model, baseline: Model) -> list[str]:
    ours, theirs = model.get("hyperparameters", {}), baseline["hyperparameters"]
    return [key for key in ours if key not in KEPT_BY and ours[key] != theirs.get(key)]
