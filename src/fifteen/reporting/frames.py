"""The data frame behind each table and chart. Shares, and differences of them, are from 0 to 1."""

from collections.abc import Mapping
from typing import Any

from fifteen.evaluation.scores import wilson_interval
from fifteen.evaluation.statistics import BEYOND_CHANCE, difference_of_shares, verdict_beyond
from fifteen.reporting.numbers_file import BASELINE, compared

import numpy as np
import pandas as pd

Metrics = Mapping[str, Any]
Search = Mapping[str, Any]

# The test accuracies of the course project of December 2023 that this one starts from: CIFAR-100,
# the same split, 15 epochs, one run for each system. Its "snapshot" is called cyclic here.
ORIGINAL_STUDY = {"baseline": 0.4134, "refined": 0.3867, "cyclic": 0.4507, "tuned": 0.3796}
SCORES = ("top5_accuracy", "nll", "calibrated_nll", "ece", "calibrated_ece", "superclass_accuracy")
COMPARED = ["difference", "low", "high", "p", "verdict"]


def models_frame(metrics: Metrics) -> pd.DataFrame:
    """A row per model, best test accuracy first.

    Returns:
        model, kind (`single`, or a method and the number of members), validation, test, test_low,
        test_high, tta, the `SCORES`, temperature, best_class, best_accuracy, worst_class,
        worst_accuracy, epochs, parameters, seconds; difference from the baseline, low, high, p and
        verdict of it, which the baseline lacks; original (study's accuracy) and ours `apart` of it.
    """
    original = ORIGINAL_STUDY if metrics["source"] == "cifar100" else {}
    rows, ends = [], ("best", "worst")
    for name, model in metrics["models"].items():
        test = model["test"]
        rows.append(
            {
                "model": name,
                "kind": kind(model),
                "validation": model["validation"]["accuracy"],
                "test": test["accuracy"],
                **dict(zip(("test_low", "test_high"), test["accuracy_ci95"], strict=True)),
                "tta": model.get("test_tta", {}).get("accuracy", np.nan),
                **{score: test.get(score, np.nan) for score in SCORES},
                "temperature": model["temperature"],
                **{f"{end}_class": test[f"{end}_class"]["name"] for end in ends},
                **{f"{end}_accuracy": test[f"{end}_class"]["accuracy"] for end in ends},
                "epochs": model["epochs"],
                "parameters": model["parameters"],
                "seconds": model["train_seconds"],
                "original": original.get(name, np.nan),
                **(_numbers(compared(metrics, name, BASELINE)) if name != BASELINE else {}),
            }
        )
    frame = pd.DataFrame(rows)
    frame = frame.reindex(columns=[*frame.columns.difference(COMPARED, sort=False), *COMPARED])
    frame = frame.assign(apart=frame["test"] - frame["original"])
    return frame.sort_values("test", ascending=False, kind="stable", ignore_index=True)


def kind(model: Mapping[str, Any]) -> str:
    """`single`, or how an ensemble combines how many members: `vote of 5`."""
    return "single" if model["kind"] == "single" else f"{model['method']} of {model['members']}"


def comparisons_frame(metrics: Metrics) -> pd.DataFrame:
    """A row per comparison: a, b, difference (a minus b), low, high, p and verdict (on a)."""
    rows = [{"a": c["a"], "b": c["b"], **_numbers(c)} for c in metrics["comparisons"]]
    return pd.DataFrame(rows, columns=["a", "b", *COMPARED])


def parts_frame(data: Mapping[str, Any]) -> pd.DataFrame:
    """A row per part of the data: part, images, fewest and most per class, copies of training."""
    counts = pd.DataFrame(data["images_per_class"])
    copies = data["images_also_in_train"]
    return pd.DataFrame(
        [
            (part, images, counts[part].min(), counts[part].max(), copies.get(part, np.nan))
            for part, images in data["images"].items()
        ],
        columns=["part", "images", "fewest", "most", "copies"],
    )


def copies_frame(data: Mapping[str, Any]) -> pd.DataFrame:
    """The images that are a training image too: number, part, index, class, class_in_train."""
    columns = ["part", "index", "class", "class_in_train"]
    frame = pd.DataFrame(data["copies_of_training_images"], columns=columns)
    return frame.assign(number=np.arange(1, len(frame) + 1))


def trials_frame(search: Search) -> pd.DataFrame:
    """Of each configuration the longest trial: configuration, trial, epoch and accuracy."""
    longest: dict[str, Mapping[str, Any]] = {}
    for trial in search["trials"]:
        if len(trial["accuracies"]) >= len(
            longest.get(trial["configuration"], trial)["accuracies"]
        ):
            longest[trial["configuration"]] = trial
    rows = [
        (configuration, trial["trial"], epoch, accuracy)
        for configuration, trial in longest.items()
        for epoch, accuracy in enumerate(trial["accuracies"], start=1)
    ]
    return pd.DataFrame(rows, columns=["configuration", "trial", "epoch", "accuracy"])


def winner_of(search: Search) -> Mapping[str, Any] | None:
    """The trial that won; None where none was completed."""
    return next((trial for trial in search["trials"] if trial["trial"] == search["winner"]), None)


def search_cost(search: Search) -> dict[str, int]:
    """How many trials (and failed ones), configurations and epochs, each counted once."""
    trials = search["trials"]
    ended = {trial["trial"]: len(trial["accuracies"]) for trial in trials}
    new = [ended[t["trial"]] - ended.get(t["promoted_from"], 0) for t in trials]
    return {
        "trials": len(trials),
        "failed": sum(trial["status"] != "completed" for trial in trials),
        "configurations": len({trial["configuration"] for trial in trials}),
        "epochs": sum(max(0, epochs) for epochs in new),
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
        change, error, verdict = np.nan, np.nan, None
        if item["val_accuracy"] is not None and winner is not None:
            shares = item["val_accuracy"], winner["val_accuracy"]
            change, error = difference_of_shares(*shares, images)
            verdict = verdict_beyond(change, error, BEYOND_CHANCE)
        settings = _different(item["winner"], item["baseline"])
        rows.append(
            (item["name"], *settings, item["val_accuracy"], change, error, verdict, item["message"])
        )
    columns = ["name", "winner", "baseline", "validation", "change", "error", "verdict", "message"]
    frame = pd.DataFrame(rows, columns=columns).astype({"validation": float})
    return frame.sort_values("change", kind="stable")


def worst_classes_frame(classes: pd.DataFrame, count: int = 10) -> pd.DataFrame:
    """Of each model the at most `count` worst classes, with Wilson's 95 % intervals.

    To model, class, images and accuracy it adds low, high and place (1 for the worst). Classes
    without images are left out.
    """
    ordered = classes.dropna(subset=["accuracy"]).sort_values(["model", "accuracy"], kind="stable")
    worst = ordered.groupby("model", sort=False).head(count)
    right = (worst["accuracy"] * worst["images"]).round().astype(int)
    bounds = [wilson_interval(*one) for one in zip(right, worst["images"], strict=True)]
    place = worst.groupby("model").cumcount() + 1
    low, high = zip(*bounds, strict=True)
    return worst.assign(low=low, high=high, place=place)


def diversity_summary(diversity: Mapping[str, Any]) -> dict[str, float]:
    """How much the members of an ensemble differ: the matrices of diversity.json, means of pairs.

    They are `disagreement` (share of test images with different answers) and `error_correlation`.
    """
    pairs = np.triu_indices(len(diversity["disagreement"]), 1)
    keys = ("disagreement", "error_correlation")
    return {key: float(np.array(diversity[key])[pairs].mean()) for key in keys}


def _numbers(comparison: Mapping[str, Any]) -> dict[str, Any]:
    low, high = comparison["ci95"]
    numbers = (comparison["difference"], low, high, comparison["mcnemar_p"], comparison["verdict"])
    return dict(zip(COMPARED, numbers, strict=True))


def _different(ours: Any, theirs: Any) -> tuple[Any, Any]:  # noqa: ANN401 - of any key
    """Of two sections only what they do not have in common."""
    if not (isinstance(ours, Mapping) and isinstance(theirs, Mapping)):
        return ours, theirs
    same = {key for key in ours if key in theirs and ours[key] == theirs[key]}
    mine, other = ({k: v for k, v in one.items() if k not in same} for one in (ours, theirs))
    return mine, other
