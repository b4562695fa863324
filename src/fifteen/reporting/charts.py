"""Interactive charts for the report, as Vega-Lite specifications."""

from collections.abc import Mapping, Sequence
from typing import Any

from fifteen.reporting.style import GREY

import numpy as np

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # a name; nothing is loaded from it
CURVES = {
    "val_accuracy": "validation accuracy",
    "train_accuracy": "training accuracy",
    "val_loss": "validation loss",
    "train_loss": "training loss",
}
PERCENT = ".1%"
BLUE, ORANGE = "#0072b2", "#d55e00"


def curves_chart(
    histories: Mapping[str, Mapping[str, np.ndarray]], colours: Mapping[str, str]
) -> Spec:
    """A quantity after each epoch, one line per model; the reader chooses the quantity.

    Args:
        histories: per model the columns of history.csv, `epoch` and those of `CURVES`.
        colours: of each model.
    """
    rows = [
        {"model": model, "epoch": int(epoch)} | {key: _rounded(columns[key][i]) for key in CURVES}
        for model, columns in histories.items()
        for i, epoch in enumerate(columns["epoch"])
    ]
    quantity = _choice("quantity", list(CURVES), list(CURVES.values()))
    clicked = {
        "name": "shown",
        "select": {"type": "point", "fields": ["model"]},
        "bind": "legend",
    }
    return _chart(
        "Accuracy or loss of each model after each epoch",
        rows,
        height=320,
        params=[quantity, clicked],
        transform=[{"calculate": "datum[quantity]", "as": "value"}],
        mark={"type": "line", "point": True},
        encoding={
            "x": {"field": "epoch", "type": "quantitative", "axis": {"tickMinStep": 1}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "scale": {"zero": False},
                "title": None,
            },
            "color": {
                "field": "model",
                "scale": {"domain": list(histories), "range": [colours[m] for m in histories]},
                "sort": None,
            },
            "opacity": {"condition": {"param": "shown", "value": 1}, "value": 0.1},
            "tooltip": [
                {"field": "model"},
                {"field": "epoch"},
                {"field": "value", "format": ".4f"},
            ],
        },
    )


def per_class_chart(
    accuracies: Mapping[str, np.ndarray], names: Sequence[str], superclasses: Sequence[str] | None
) -> Spec:
    """A bar for each class, sorted; the reader chooses the model.

    Args:
        accuracies: per model, (classes,) shares; the first model is shown first.
        names: of the classes.
        superclasses: the name of that of each class, None where there are none.
    """
    rows = [
        {"model": model, "class": names[i], "accuracy": _rounded(share)}
        | ({"superclass": superclasses[i]} if superclasses else {})
        for model, shares in accuracies.items()
        for i, share in enumerate(shares)
    ]
    tooltip: list[Spec] = [{"field": "class"}, {"field": "accuracy", "format": PERCENT}]
    if superclasses:
        tooltip.append({"field": "superclass"})
    return _chart(
        "Test accuracy of each class under one model",
        rows,
        height=13 * len(names),
        params=[_choice("model", list(accuracies))],
        transform=[
            {"filter": "datum.model == model"},
            {
                "window": [{"op": "rank", "as": "from_best"}],
                "sort": [{"field": "accuracy", "order": "descending"}],
            },
            {
                "window": [{"op": "rank", "as": "from_worst"}],
                "sort": [{"field": "accuracy", "order": "ascending"}],
            },
        ],
        mark="bar",
        encoding={
            "y": {"field": "class", "sort": "-x", "title": None},
            "x": {
                "field": "accuracy",
                "type": "quantitative",
                "scale": {"domain": [0, 1]},
                "axis": {"format": "%", "orient": "top"},
                "title": None,
            },
            "color": {
                "condition": [
                    {"test": "datum.from_best == 1", "value": BLUE},
                    {"test": "datum.from_worst == 1", "value": ORANGE},
                ],
                "value": GREY,
            },
            "tooltip": tooltip,
        },
    )


def confusion_chart(matrices: Mapping[str, np.ndarray], names: Sequence[str]) -> Spec:
    """What images of each class are taken for; the reader chooses the model.

    Args:
        matrices: per model, (C, C) counts; rows are true classes, columns predicted ones.
        names: the C names.
    """
    rows = [
        {
            "model": model,
            "true": names[true],
            "predicted": names[found],
            "images": int(count),
            "share": _rounded(count / max(matrix[true].sum(), 1)),
        }
        for model, matrix in matrices.items()
        for (true, found), count in np.ndenumerate(matrix)
        if count
    ]
    return _chart(
        "Confusion matrix of one model",
        rows,
        height=20 * len(names),
        params=[_choice("model", list(matrices))],
        transform=[{"filter": "datum.model == model"}],
        mark="rect",
        encoding={
            "y": {
                "field": "true",
                "scale": {"domain": list(names)},
                "title": "true",
            },
            "x": {
                "field": "predicted",
                "scale": {"domain": list(names)},
                "axis": {"labelAngle": -90},
                "title": "predicted",
            },
            "color": {
                "field": "share",
                "type": "quantitative",
                "scale": {"scheme": "blues", "type": "sqrt", "domain": [0, 1]},
                "legend": {"format": "%", "title": None},
            },
            "tooltip": [
                {"field": "true"},
                {"field": "predicted"},
                {"field": "images"},
                {"field": "share", "format": PERCENT},
            ],
        },
    )


def calibration_chart(
    diagrams: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
) -> Spec:
    """How often a model is right that is so sure; the reader chooses the model.

    Args:
        diagrams: per model and kind of probabilities (as they come, calibrated), the `count`,
            `confidence` and `accuracy` of each bin that is not empty.
    """
    rows = [
        {
            "model": model,
            "probabilities": kind,
            "images": int(diagram["count"][i]),
            "confidence": _rounded(diagram["confidence"][i]),
            "accuracy": _rounded(diagram["accuracy"][i]),
        }
        for model, kinds in diagrams.items()
        for kind, diagram in kinds.items()
        for i in range(len(diagram["count"]))
    ]
    share = {"type": "quantitative", "scale": {"domain": [0, 1]}, "axis": {"format": "%"}}
    perfect = {
        "data": {"values": [{"confidence": 0, "accuracy": 0}, {"confidence": 1, "accuracy": 1}]},
        "mark": {"type": "line", "color": GREY, "strokeDash": [4, 4]},
        "encoding": {
            "x": {"field": "confidence", "type": "quantitative"},
            "y": {"field": "accuracy", "type": "quantitative"},
        },
    }
    measured = {
        "transform": [{"filter": "datum.model == model"}],
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "confidence", "title": "mean probability of the answer", **share},
            "y": {"field": "accuracy", "title": "share that is right", **share},
            "color": {
                "field": "probabilities",
                "scale": {"range": [ORANGE, BLUE]},
                "sort": None,
                "title": None,
            },
            "tooltip": [
                {"field": "probabilities"},
                {"field": "confidence", "format": PERCENT},
                {"field": "accuracy", "format": PERCENT},
                {"field": "images"},
            ],
        },
    }
    return _chart(
        "Reliability diagram of one model",
        rows,
        height=320,
        params=[_choice("model", list(diagrams))],
        layer=[perfect, measured],
    )


def _chart(description: str, rows: list[dict[str, Any]], **parts: Any) -> Spec:  # noqa: ANN401
    return {
        "$schema": SCHEMA,
        "description": description,
        "width": "container",
        "background": "white",
        "data": {"values": rows},
        **parts,
    }


def _choice(name: str, options: Sequence[str], labels: Sequence[str] | None = None) -> Spec:
    """A parameter that the reader sets with a list; the first option at the start."""
    bind: Spec = {"input": "select", "options": list(options), "name": f"{name} "}
    if labels:
        bind["labels"] = list(labels)
    return {"name": name, "value": options[0], "bind": bind}


def _rounded(value: float) -> float:
    """With four digits after the point, which is what anybody reads and a page can carry."""
    return round(float(value), 4)
