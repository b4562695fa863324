"""Interactive charts for the report, as Vega-Lite specifications.

They are drawn on white; the page turns them dark where the reader's screen is. What a colour says
is said by a shape or a number too.
"""

import json
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
INK, BLUE, ORANGE = "#1d1f21", "#0072b2", "#d55e00"
BAR = "#949494"  # as light as a bar may be on white, for what is drawn on it
SHAPES = (
    *("circle", "square", "triangle-up", "diamond"),
    *("cross", "triangle-down", "triangle-right", "triangle-left"),
)
CELL = 24  # pixels; a number of two digits fits in


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
    formatted = "format(datum.value, indexof(quantity, 'loss') < 0 ? '{}' : '{}')".format
    colour, points = _look("model", list(histories), [colours[model] for model in histories])
    return _chart(
        "Accuracy or loss of each model after each epoch",
        rows,
        height=320,
        params=[
            _choice("quantity", list(CURVES), list(CURVES.values())),
            _choice("model", [None, *histories], ["all", *histories]),
        ],
        transform=[
            {"calculate": "datum[quantity]", "as": "value"},
            {"calculate": formatted(PERCENT, ".4f"), "as": "shown"},
        ],
        encoding={
            "x": {"field": "epoch", "type": "quantitative", "axis": {"tickMinStep": 1}},
            "y": {
                "field": "value",
                "type": "quantitative",
                "scale": {"zero": False},
                "axis": {
                    "title": {"expr": f"({json.dumps(CURVES)})[quantity]"},
                    "labelExpr": formatted("~%", "~g"),
                },
            },
            "color": colour,
            "opacity": {
                "condition": {"test": "model == null || datum.model == model", "value": 1},
                "value": 0.1,
            },
            "tooltip": [
                {"field": "model"},
                {"field": "epoch"},
                {"field": "shown", "title": "value"},
            ],
        },
        layer=[{"mark": "line"}, points],
    )


def per_class_chart(
    accuracies: Mapping[str, np.ndarray],
    intervals: Mapping[str, np.ndarray],
    names: Sequence[str],
    superclasses: Sequence[str] | None,
) -> Spec:
    """A bar for each class with its interval, sorted; the reader chooses the model.

    Args:
        accuracies: per model, (classes,) shares; the first model is shown first.
        intervals: per model, (classes, 2) their 95 % intervals.
        names: of the classes.
        superclasses: the name of that of each class, None where there are none.
    """
    rows = [
        {
            "model": model,
            "class": names[i],
            "accuracy": _rounded(share),
            "low": _rounded(intervals[model][i][0]),
            "high": _rounded(intervals[model][i][1]),
        }
        | ({"superclass": superclasses[i]} if superclasses else {})
        for model, shares in accuracies.items()
        for i, share in enumerate(shares)
    ]
    interval = f"format(datum.low, '{PERCENT}') + ' to ' + format(datum.high, '{PERCENT}')"
    tooltip: list[Spec] = [
        {"field": "class"},
        {"field": "accuracy", "format": PERCENT},
        {"field": "interval", "title": "95 % interval"},
    ]
    if superclasses:
        tooltip.append({"field": "superclass"})
    bar = {
        "mark": "bar",
        "encoding": {
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
                "value": BAR,
            },
        },
    }
    rule = {
        "mark": {"type": "rule", "color": INK, "strokeWidth": 0.75},
        "encoding": {"x": {"field": "low", "type": "quantitative"}, "x2": {"field": "high"}},
    }
    return _chart(
        "Test accuracy of each class under one model",
        rows,
        height=13 * len(names),
        params=[_choice("model", list(accuracies))],
        transform=[
            {"filter": "datum.model == model"},
            {"calculate": interval, "as": "interval"},
            {
                "window": [{"op": "rank", "as": "from_best"}],
                "sort": [{"field": "accuracy", "order": "descending"}],
            },
            {
                "window": [{"op": "rank", "as": "from_worst"}],
                "sort": [{"field": "accuracy", "order": "ascending"}],
            },
        ],
        encoding={
            "y": {
                "field": "class",
                "sort": {"field": "accuracy", "op": "max", "order": "descending"},
                "title": None,
            },
            "tooltip": tooltip,
        },
        layer=[bar, rule],
    )


def confusion_chart(matrices: Mapping[str, np.ndarray], names: Sequence[str]) -> Spec:
    """What images of each class are taken for, in percent; the reader chooses the model.

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
    cell = {
        "mark": "rect",
        "encoding": {
            "color": {
                "field": "share",
                "type": "quantitative",
                "scale": {"scheme": "blues", "type": "sqrt", "domain": [0, 1]},
                "legend": None,
            },
        },
    }
    number = {
        "transform": [{"filter": "datum.share >= 0.005"}],  # the rest would read 0
        "mark": {"type": "text", "fontSize": 9},
        "encoding": {
            "text": {"field": "percent"},
            "color": {"condition": {"test": "datum.share > 0.35", "value": "white"}, "value": INK},
        },
    }
    return _chart(
        "Confusion matrix of one model",
        rows,
        width={"step": CELL},
        height={"step": CELL},
        params=[_choice("model", list(matrices))],
        transform=[
            {"filter": "datum.model == model"},
            {"calculate": "round(100 * datum.share)", "as": "percent"},
        ],
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
            "tooltip": [
                {"field": "true"},
                {"field": "predicted"},
                {"field": "images"},
                {"field": "share", "format": PERCENT},
            ],
        },
        layer=[cell, number],
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
    kinds = list(dict.fromkeys(row["probabilities"] for row in rows))
    colour, points = _look("probabilities", kinds, [ORANGE, BLUE])
    measured = {
        "transform": [{"filter": "datum.model == model"}],
        "encoding": {
            "x": {"field": "confidence", "title": "mean probability of the answer", **share},
            "y": {"field": "accuracy", "title": "share that is right", **share},
            "color": colour,
            "tooltip": [
                {"field": "probabilities"},
                {"field": "confidence", "format": PERCENT},
                {"field": "accuracy", "format": PERCENT},
                {"field": "images"},
            ],
        },
        "layer": [{"mark": "line"}, points],
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


def _choice(name: str, options: Sequence[str | None], labels: Sequence[str] | None = None) -> Spec:
    """A parameter that the reader sets with a list; the first option at the start."""
    bind: Spec = {"input": "select", "options": list(options), "name": f"{name} "}
    if labels:
        bind["labels"] = list(labels)
    return {"name": name, "value": options[0], "bind": bind}


def _look(field: str, values: Sequence[str], colours: Sequence[str]) -> tuple[Spec, Spec]:
    """What tells the lines of a chart apart: the encoding of their colour, and a layer of points.

    The points have a shape for each of the values, and an edge, which light colours need. The
    legend is one that a phone has room for.
    """
    shapes = [SHAPES[index % len(SHAPES)] for index in range(len(values))]
    common = {
        "field": field,
        "sort": None,
        "legend": {"orient": "top", "title": None, "columns": 3, "labelLimit": 75},
    }

    def scaled(channel_range: Sequence[str]) -> Spec:
        return {**common, "scale": {"domain": list(values), "range": list(channel_range)}}

    mark = {"type": "point", "filled": True, "size": 50, "opacity": 1}
    edge = {"stroke": {"value": INK}, "strokeWidth": {"value": 0.5}}
    return scaled(colours), {"mark": mark, "encoding": {"shape": scaled(shapes), **edge}}


def _rounded(value: float) -> float:
    """With four digits after the point, which is what anybody reads and a page can carry."""
    return round(float(value), 4)
