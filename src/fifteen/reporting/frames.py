"""The data frame behind each table and chart. Shares, and differences of them, are from 0 to 1."""

from collections.abc import Mapping, Sequence
from typing import Any

from fifteen.evaluation.metrics import wilson_interval
from fifteen.evaluation.significance import BEYOND_CHANCE, difference_of_shares, verdict_beyond
from fifteen.reporting.numbers_file import BASELINE, compared

import numpy as np
import pandas as pd

Metrics = Mapping[str, Any]
Search = Mapping[str, Any]

# The test accuracies of the course project of December 2023 that this one starts from: CIFAR-100,
# the same split, 15 epochs, one run for each system. Its "snapshot" is called cyclic here.
ORIGINAL_STUDY = {"baseline": 0.4134, "refined": 0.3867, "cyclic": 0.4507, "tuned": 0.3796}
# What the given network (networks/baseline.py) has built in, by the names that a search gives it.
BASELINE_NETWORK = {
    "network.filters_1": 32,
    "network.filters_2": 64,
    "network.conv_activation": "relu",
    "network.dense_activation": "relu",
    "network.dense_units": 512,
    "network.dropout": 0.5,
    "network.normalize_input": False,
}
SCORES = ("top5_accuracy", "nll", "calibrated_nll", "ece", "calibrated_ece", "superclass_accuracy")


def models_frame(metrics: Metrics) -> pd.DataFrame:
    """A row per model, in the order of params.yaml.

    Returns:
        model, kind (`single`, or a method and the number of members), validation, test, test_low,
        test_high, tta, the `SCORES`, temperature, best_class, best_accuracy, worst_class,
        worst_accuracy, epochs, parameters, seconds; difference from the baseline, low, high, p and
        verdict of it, which the baseline lacks; original (study's accuracy).
    """
    original = ORIGINAL_STUDY if metrics["source"] == "cifar100" else {}
    rows = []
    for name, model in metrics["models"].items():
        test = model["test"]
        low, high = test["accuracy_ci95"]
        rows.append(
            {
                "model": name,
                "kind": kind(model),
                "validation": model["validation"]["accuracy"],
                "test": test["accuracy"],
                "test_low": low,
                "test_high": high,
                "tta": model.get("test_tta", {}).get("accuracy", np.nan),
                **{score: test.get(score, np.nan) for score in SCORES},
                "temperature": model["temperature"],
                **{
                    f"{end}_{key}": test[f"{end}_class"][field]
                    for end in ("best", "worst")
                    for key, field in (("class", "name"), ("accuracy", "accuracy"))
                },
                "epochs": model["epochs"],
                "parameters": model["parameters"],
                "seconds": model["train_seconds"],
                "difference": np.nan,
                **_difference(metrics, name),
                "original": original.get(name, np.nan),
            }
        )
    frame = pd.DataFrame(rows)
    needed = ("difference", "low", "high", "p", "verdict")
    return frame.reindex(columns=list(dict.fromkeys([*frame.columns, *needed])))


def kind(model: Mapping[str, Any]) -> str:
    """`single`, or how an ensemble combines how many members: `vote of 5`."""
    return "single" if model["kind"] == "single" else f"{model['method']} of {model['members']}"


def comparisons_frame(metrics: Metrics) -> pd.DataFrame:
    """A row per comparison: a, b, difference (a minus b), low, high, p and verdict (on a)."""
    return pd.DataFrame(
        [{"a": c["a"], "b": c["b"], **_numbers(c)} for c in metrics["comparisons"]],
        columns=["a", "b", "difference", "low", "high", "p", "verdict"],
    )


def parts_frame(data: Mapping[str, Any]) -> pd.DataFrame:
    """A row per part of the data: part, images, fewest and most per class, copies of training."""
    counts = pd.DataFrame(data["images_per_class"])
    return pd.DataFrame(
        [
            {
                "part": part,
                "images": images,
                "fewest": counts[part].min(),
                "most": counts[part].max(),
                "copies": data["images_also_in_train"].get(part, np.nan),
            }
            for part, images in data["images"].items()
        ]
    )


def copies_frame(data: Mapping[str, Any]) -> pd.DataFrame:
    """The images that are a training image too: number, part, index, class, class_in_train."""
    frame = pd.DataFrame(
        data["copies_of_training_images"], columns=["part", "index", "class", "class_in_train"]
    )
    return frame.assign(number=np.arange(1, len(frame) + 1))


def trials_frame(search: Search) -> pd.DataFrame:
    """A row per trial and epoch: configuration, trial, epoch, accuracy, best of the configuration.

    Of each configuration it is the trial that was trained for longest.
    """
    longest: dict[str, Mapping[str, Any]] = {}
    for trial in search["trials"]:
        if len(trial["accuracies"]) >= len(longest.get(trial["configuration"], trial)["accuracies"]):
            longest[trial["configuration"]] = trial
    rows = [
        {
            "configuration": configuration,
            "trial": trial["trial"],
            "epoch": epoch,
            "accuracy": accuracy,
            "best": max(trial["accuracies"]),
        }
        for configuration, trial in longest.items()
        for epoch, accuracy in enumerate(trial["accuracies"], start=1)
    ]
    return pd.DataFrame(rows, columns=["configuration", "trial", "epoch", "accuracy", "best"])


def winner_of(search: Search) -> Mapping[str, Any] | None:
    """The trial that won; None where none was completed."""
    return next((trial for trial in search["trials"] if trial["trial"] == search["winner"]), None)


def hyperparameters_frame(search: Search, training: Mapping[str, Any]) -> pd.DataFrame:
    """What was searched: name, dimension, winner's value and baseline's value (None: not used).

    Args:
        search: the content of search.json.
        training: the baseline's section, nested as in params.yaml.
    """
    winner = winner_of(search)
    won, given = winner["hyperparameters"] if winner else {}, baseline_values(training)
    rows = [
        {"name": d["name"], "dimension": d, "winner": won.get(d["name"]), "baseline": given.get(d["name"])}
        for d in search["dimensions"]
    ]  # fmt: skip
    columns = ["name", "dimension", "winner", "baseline"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def baseline_values(training: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a training by dotted name, with those that the given network has built in.

    A constant learning rate stands as `schedule.peak` too, the name of the optimizer as `optimizer`.
    """
    values = _flat(training)
    if "optimizer.name" in values:
        values["optimizer"] = values["optimizer.name"]
    if "schedule.rate" in values:
        values.setdefault("schedule.peak", values["schedule.rate"])
    return BASELINE_NETWORK | values if values.get("network.name") == "baseline" else values


def search_cost(search: Search) -> dict[str, Any]:
    """trials, failed, configurations, epochs (each counted once), seconds, workers and overhead.

    Overhead is the share of the workers' time that was no training or validation step; None for a
    search that took no time.
    """
    trials = search["trials"]
    ended = {trial["trial"]: len(trial["accuracies"]) for trial in trials}
    available = search["seconds"] * search["workers"]
    return {
        "trials": len(trials),
        "failed": sum(trial["status"] != "completed" for trial in trials),
        "configurations": len({trial["configuration"] for trial in trials}),
        "epochs": sum(
            max(0, ended[trial["trial"]] - ended.get(trial["promoted_from"], 0))
            for trial in trials
        ),
        "seconds": search["seconds"],
        "workers": search["workers"],
        "overhead": 1 - search["step_seconds"] / available if available > 0 else None,
    }


def leave_one_out_frame(search: Search, images: int) -> pd.DataFrame:
    """The winner of a search with one of its settings as in the baseline, largest loss first.

    Args:
        search: the content of search.json.
        images: number of validation images.

    Returns:
        name, winner and baseline (where they differ), validation, change, error (its standard
        error), verdict on the change, message (of a training that failed, else None).
    """
    winner = winner_of(search)
    rows = []
    for item in search["taken_back"]:
        ours, theirs = _different(item["winner"], item["baseline"])
        change, error, verdict = np.nan, np.nan, None
        if item["val_accuracy"] is not None and winner is not None:
            shares = item["val_accuracy"], winner["val_accuracy"]
            change, error = difference_of_shares(*shares, images)
            verdict = verdict_beyond(change, error, BEYOND_CHANCE)
        rows.append(
            {
                "name": item["name"],
                "winner": ours,
                "baseline": theirs,
                "validation": item["val_accuracy"],
                "change": change,
                "error": error,
                "verdict": verdict,
                "message": item["message"],
            }
        )
    columns = ["name", "winner", "baseline", "validation", "change", "error", "verdict", "message"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"validation": float}).sort_values("change", kind="stable")


def worst_classes_frame(classes: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """Of each model the classes with the lowest accuracies, with Wilson's 95 % intervals.

    Args:
        classes: model, class, images, accuracy.
        count: at most so many classes of each model.

    Returns:
        The same columns, low, high and place (1 for the worst).
    """
    ordered = classes.sort_values(["model", "accuracy"], kind="stable")
    worst = ordered.groupby("model", sort=False).head(count)
    bounds = [
        wilson_interval(round(accuracy * images), int(images))
        for accuracy, images in zip(worst["accuracy"], worst["images"], strict=True)
    ]
    return worst.assign(
        low=[low for low, _ in bounds],
        high=[high for _, high in bounds],
        place=worst.groupby("model").cumcount() + 1,
    )


def classes_frame(classes: pd.DataFrame, models: Sequence[str]) -> pd.DataFrame:
    """The accuracy of each class under each of some models: class and a column per model."""
    wide = classes.pivot_table(index="class", columns="model", values="accuracy", sort=False)
    return wide[list(models)].reset_index().rename_axis(columns=None)


def diversity_summary(ensemble: Mapping[str, Any], diversity: Mapping[str, Any]) -> dict[str, Any]:
    """How much the members of an ensemble differ, as a few numbers.

    Args:
        ensemble: a model of metrics.json with `weight_distances`.
        diversity: its diversity.json: (M, M) matrices, accuracies and gains of classes.

    Returns:
        Mean, lowest and highest `disagreement` and `distance` of two members; `correlation` of
        errors; accuracy of the `last` member, of `all`, of the last `most_members`, the `most`;
        `gain_of_worst` and `gain_of_best` classes.
    """
    pairs = np.triu_indices(len(diversity["disagreement"]), 1)
    apart = np.array(diversity["disagreement"])[pairs]
    distance = np.array(ensemble["weight_distances"])[pairs]
    together = np.array(diversity["accuracy_of_last"])
    return {
        "disagreement": (apart.mean(), apart.min(), apart.max()),
        "distance": (distance.mean(), distance.min(), distance.max()),
        "correlation": np.array(diversity["error_correlation"])[pairs].mean(),
        "last": together[0],
        "all": together[-1],
        "members": len(together),
        "most": together.max(),
        "most_members": int(together.argmax()) + 1,
        "gain_of_worst": diversity["gain_of_worst"],
        "gain_of_best": diversity["gain_of_best"],
    }


def _difference(metrics: Metrics, name: str) -> dict[str, Any]:
    return {} if name == BASELINE else _numbers(compared(metrics, name, BASELINE))


def _numbers(comparison: Mapping[str, Any]) -> dict[str, Any]:
    low, high = comparison["ci95"]
    keys = {"difference": comparison["difference"], "low": low, "high": high}
    return keys | {"p": comparison["mcnemar_p"], "verdict": comparison["verdict"]}


def _flat(section: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in section.items():
        inner = isinstance(value, Mapping)
        values |= _flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return values


def _different(ours: Any, theirs: Any) -> tuple[Any, Any]:  # noqa: ANN401 - of any key
    """Of two sections only what they do not have in common."""
    if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        return ours, theirs
    return (
        {key: value for key, value in ours.items() if theirs.get(key) != value or key not in theirs},
        {key: value for key, value in theirs.items() if ours.get(key) != value or key not in ours},
    )
