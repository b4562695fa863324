"""What the numbers file amounts to: which model is best, what worked, whether ensembles pay."""

from collections.abc import Mapping
from typing import Any

from fifteen.reporting.frames import ORIGINAL_STUDY, kind
from fifteen.reporting.numbers_file import BASELINE, best_first, compared, members_compared

Metrics = Mapping[str, Any]
Model = Mapping[str, Any]

# Below it the standard error of an accuracy of 75 % is more than 1.4 percentage points.
ENOUGH_TO_CHOOSE = 1000
# What decides which weights are kept, not what is learned.
KEPT_BY = {"monitor", "patience", "snapshots", "snapshot_weights"}


def findings(metrics: Metrics) -> dict[str, Any]:
    """What the templates tell of the models, as names, numbers and comparisons.

    Returns:
        `best` (name, model, comparison with the baseline or None), `second` (the same, compared
        with the best; None for one model), `tied` (names with the validation accuracy of the
        best), `small_validation`, `ensembles` and `judged` (see below), `machines` (names by
        device and precision), `commits`.
    """
    models = metrics["models"]
    first, *others = best_first(models)
    accuracy = models[first]["validation"]["accuracy"]
    return {
        "best": _against(metrics, first, BASELINE),
        "second": _against(metrics, others[0], first) if others else None,
        "tied": [name for name in others if models[name]["validation"]["accuracy"] == accuracy],
        "small_validation": metrics["validation_images"] < ENOUGH_TO_CHOOSE,
        "ensembles": ensemble_comparisons(metrics),
        "judged": judged(metrics),
        "machines": _machines(models),
        "commits": list(dict.fromkeys(m["commit"] for m in models.values() if m.get("commit"))),
    }


def ensemble_comparisons(metrics: Metrics) -> list[dict[str, Any]]:
    """Each ensemble against what it is made of, and the baseline: name, reference, comparison.

    The reference is `last`, `best`, `last and best` (of its members), the name of the variant whose
    weights it averages, or `baseline`.
    """
    return [
        {"name": name, "reference": reference, "comparison": compared(metrics, name, other)}
        for name, model in metrics["models"].items()
        if model["kind"] == "ensemble"
        for reference, other in {**_made_of(model), BASELINE: BASELINE}.items()
    ]


def judged(metrics: Metrics) -> list[dict[str, Any]]:
    """Each model against what it starts from, the largest gain first.

    A training starts from the baseline, an ensemble from its best member.

    Returns:
        name, reference (as in `ensemble_comparisons`), comparison, kind and, of a training, the
        sections that `differ` from the baseline's; of an ensemble its variant.
    """
    models, rows = metrics["models"], []
    for name, model in models.items():
        if name != BASELINE:
            made_of = _made_of(model) if model["kind"] == "ensemble" else {BASELINE: BASELINE}
            reference, other = list(made_of.items())[-1]
            rows.append(
                {
                    "name": name,
                    "reference": reference,
                    "comparison": compared(metrics, name, other),
                    "kind": kind(model),
                    "variant": model.get("variant"),
                    "differ": _differences(model, models[BASELINE]),
                }
            )
    return sorted(rows, key=lambda row: -row["comparison"]["difference"])


def original_systems(metrics: Metrics) -> dict[str, float]:
    """The test accuracies of the original study's systems; of another data set none."""
    return dict(ORIGINAL_STUDY) if metrics["source"] == "cifar100" else {}


def _against(metrics: Metrics, name: str, other: str) -> dict[str, Any]:
    comparison = None if name == other else compared(metrics, name, other)
    return {"name": name, "model": metrics["models"][name], "comparison": comparison}


def _made_of(ensemble: Model) -> dict[str, str]:
    """What an ensemble is compared with of what it is made of, the best last: by its words."""
    variant = ensemble["variant"]
    if ensemble["method"] == "average":  # one network, in which no snapshot answers any more
        return {variant: variant}
    members = members_compared(ensemble["member_validation_accuracy"])
    last = "last" if "best_snapshot" in members else "last and best"
    words = {"last_snapshot": last, "best_snapshot": "best"}
    return {words[member]: f"{variant}:{member}" for member in members}


def _differences(model: Model, baseline: Model) -> list[str]:
    ours, theirs = model.get("hyperparameters", {}), baseline["hyperparameters"]
    return [key for key in ours if key not in KEPT_BY and ours[key] != theirs.get(key)]


def _machines(models: Mapping[str, Model]) -> dict[str, list[str]]:
    machines: dict[str, list[str]] = {}
    for name, model in models.items():
        machine = f"{model['hardware']['device']}, {model['hardware']['precision']}"
        machines.setdefault(machine, []).append(name)
    return machines
