"""The model card: what somebody who is given a model should know of it (Mitchell et al. 2019)."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fifteen.params.sections import Split
from fifteen.reporting import tables
from fifteen.reporting.descriptions import description
from fifteen.reporting.templates import environment

_CIFAR = (
    "Its authors (Krizhevsky 2009) state no licence. The images are from 80 Million Tiny Images, "
    "which its own authors withdrew in 2020 for offensive labels and pictures; ask before any use "
    "but research and teaching."
)
LICENCES = {
    "cifar100": _CIFAR,
    "cifar10": _CIFAR,
    "digits": (
        "From the UCI repository (Alpaydin and Kaynak 1998, CC BY 4.0), as scikit-learn bundles it."
    ),
}


def model_card(
    metrics: tables.Metrics,
    data: Mapping[str, Any],
    split: Split,
    name: str,
    intervals: Mapping[str, tuple[float, float]],
    searched: bool = False,
) -> str:
    """The card of one model, in Markdown.

    Args:
        metrics: the content of `reports/metrics.json`.
        data: the content of `reports/data/summary.json`.
        split: how the source's training images were cut.
        name: of the model.
        intervals: those of 95 % of its `top5_accuracy` and, where it has that,
            `superclass_accuracy` on the test images.
        searched: whether a search has found its hyperparameters.
    """
    model = metrics["models"][name]
    test = model["test"]
    single = model["kind"] == "single"
    trained = model if single else metrics["models"][model["variant"]]
    parameters = {} if single else {key: model[key] for key in ("variant", "method", "members")}
    return (
        environment(keep_trailing_newline=True)
        .get_template("model_card.md.j2")
        .render(
            name=name,
            stage=_stage(name, model["kind"], searched),
            description=description,
            metrics=metrics,
            model=model,
            test=test,
            data=data,
            classes=data["classes"],
            split={part: _ranges(ranges) for part, ranges in split},
            per_class={part: tables.per_class(data, part) for part in data["images"]},
            licence=LICENCES[metrics["source"]],
            trained=trained,
            wrong=tables.percent(1 - test["accuracy"]),
            parameters=json.dumps(
                parameters | {"hyperparameters": trained["hyperparameters"]}, indent=2
            ),
            percent=tables.percent,
            accuracy_with_interval=tables.accuracy_with_interval,
            shares={
                key: tables.accuracy_with_interval({"accuracy": test[key], "accuracy_ci95": found})
                for key, found in intervals.items()
            },
        )
    )


def _ranges(ranges: Iterable[Iterable[float]]) -> str:
    """Ranges in percent: `0 to 35 and 45 to 100`."""
    return " and ".join(f"{start:g} to {end:g}" for start, end in ranges)


def _stage(name: str, kind: str, searched: bool) -> str:
    """Which stage evaluates the model."""
    if name == tables.BASELINE:
        return "evaluate_baseline"
    if searched:
        return "evaluate_tuned"
    return "evaluate_variant" if kind == "single" else "evaluate_ensemble"
