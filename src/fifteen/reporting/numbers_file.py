"""The numbers file, reports/metrics.json: every model, and how each two of them compare."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from fifteen.evaluation.statistics import compare, turned

import numpy as np

BASELINE = "baseline"
Models = Mapping[str, Mapping[str, Any]]


def numbers_file(
    models: Models,
    data: Mapping[str, Any],
    epoch_budget: int,
    labels: np.ndarray,
    answers: Mapping[str, np.ndarray],
    commits: Mapping[str, str],
) -> dict[str, Any]:
    """The content of reports/metrics.json.

    Args:
        models: the content of reports/models/NAME/metrics.json by name, in the order of
            params.yaml; the baseline is among them.
        data: the content of reports/data/summary.json.
        epoch_budget: passes over the training images that each model was allowed.
        labels: (N,), the classes of the test images.
        answers: (1 + M, N) class ids by model: its own and those of its M members.
        commits: by MLflow run, the commit whose code measured it; a model's own `commit` wins.
    """
    known = {
        name: {**model, "commit": commit}
        if (commit := model.get("commit") or commits.get(model.get("run_id", "")))
        else dict(model)
        for name, model in models.items()
    }
    comparisons = compare_all(models, labels, answers)
    better = {c["a"] for c in comparisons if c["b"] == BASELINE and c["verdict"] == "better"}
    good = [name for name, model in models.items() if name in better and model["kind"] == "single"]
    names = [entry["class"] for entry in data["images_per_class"]]
    return {
        "source": data["source"],
        "epoch_budget": epoch_budget,
        **{f"{part}_images": count for part, count in data["images"].items()},
        "hardware": models[BASELINE]["hardware"],
        "models": known,
        "comparisons": comparisons,
        "doubtful_labels": {
            "models": good,
            "images": doubtful_labels(labels, [answers[name][0] for name in good], names),
        },
    }


def validation_accuracies(models: Models) -> dict[str, dict[str, float]]:
    """What DVC compares: each model's validation accuracy, no result on the test images."""
    return {name: {"validation": model["validation"]["accuracy"]} for name, model in models.items()}


def compare_all(
    models: Models, labels: np.ndarray, answers: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Every model against every earlier one, and each ensemble against its last and best member."""
    right = {name: answers[name] == labels for name in models}
    pairs = [(a, b, right[a][0], right[b][0]) for b, a in combinations(models, 2)]
    for name, (of_model, *of_members) in right.items():
        if of_members:  # averaged weights leave none
            members = members_compared(models[name]["member_validation_accuracy"])
            for which, index in members.items():
                member = f"{models[name]['variant']}:{which}"
                pairs.append((name, member, of_model, of_members[index]))
    return [{"a": a, "b": b, **compare(right_a, right_b)} for a, b, right_a, right_b in pairs]


def members_compared(accuracies: Sequence[float]) -> dict[str, int]:
    """Positions of the members that an ensemble is compared with, the best one last.

    They are the `last_snapshot` and, where its validation accuracy is higher, the `best_snapshot`.
    """
    members = {"last_snapshot": len(accuracies) - 1}
    if max(accuracies) > accuracies[-1]:
        members["best_snapshot"] = list(accuracies).index(max(accuracies))
    return members


def doubtful_labels(
    labels: np.ndarray, answers: Sequence[np.ndarray], class_names: Sequence[str]
) -> list[dict[str, Any]]:
    """The images for which all models give one and the same answer, which is not the label.

    Args:
        labels: (N,) class ids.
        answers: (N,) class ids of each model; fewer than two models agree on nothing.
        class_names: by id.
    """
    if len(answers) < 2:
        return []
    first, *others = answers
    agreed = np.all([other == first for other in others], axis=0) & (first != labels)
    return [
        {"index": index, "class": class_names[labels[index]], "answer": class_names[first[index]]}
        for index in np.flatnonzero(agreed).tolist()
    ]


def compared(metrics: Mapping[str, Any], a: str, b: str) -> dict[str, Any]:
    """The comparison of `a` with `b`, whichever way round it was made.

    Raises:
        KeyError: the two were not compared.
    """
    for comparison in metrics["comparisons"]:
        if (comparison["a"], comparison["b"]) == (a, b):
            return dict(comparison)
        if (comparison["a"], comparison["b"]) == (b, a):
            return turned(comparison)
    raise KeyError(f"{a} is not compared with {b}")


def best_first(models: Models) -> list[str]:
    """The names of the models by their validation accuracy; equal ones in the order given."""
    return sorted(models, key=lambda name: -models[name]["validation"]["accuracy"])


def aliases(models: Models) -> dict[str, str]:
    """Which model deserves which alias in the registry, judged on the validation images."""
    deserved = {"champion": best_first(models)[0], "baseline": BASELINE}
    for kind in ("single", "ensemble"):
        of_kind = {name: model for name, model in models.items() if model["kind"] == kind}
        if of_kind:
            deserved[f"best-{kind}"] = best_first(of_kind)[0]
    return deserved
