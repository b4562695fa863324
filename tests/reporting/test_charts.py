from fifteen.reporting import charts

import numpy as np

NAMES = ["apple", "bee"]


def rows(spec):
    return spec["data"]["values"]


def choices(spec):
    """What the reader can choose, and what is chosen at the start."""
    return [
        (choice["name"], choice["value"], choice["bind"]["options"]) for choice in spec["params"]
    ]


def history(*values):
    columns = {key: np.array(values) for key in charts.CURVES}
    return columns | {"epoch": np.arange(1.0, len(values) + 1)}


def test_curves_have_a_row_per_epoch_and_every_quantity():
    histories = {"x": history(0.1, 0.2), "y": history(0.1, 0.2)}
    spec = charts.curves_chart(histories, {"x": "#000000", "y": "#ffffff"})
    assert len(rows(spec)) == 4
    assert rows(spec)[1] == {"model": "x", "epoch": 2} | dict.fromkeys(charts.CURVES, 0.2)
    assert choices(spec) == [
        ("quantity", "val_accuracy", list(charts.CURVES)),
        ("model", None, [None, "x", "y"]),  # all of them at the start
    ]
    colour = spec["encoding"]["color"]["scale"]
    assert colour == {"domain": ["x", "y"], "range": ["#000000", "#ffffff"]}


def test_curves_differ_by_shape_too():
    models = [f"model{index}" for index in range(10)]
    spec = charts.curves_chart(dict.fromkeys(models, history(0.5)), dict.fromkeys(models, "red"))
    _, points = spec["layer"]
    shape = points["encoding"]["shape"]["scale"]
    assert shape["domain"] == models
    assert len(set(shape["range"][:8])) == 8
    assert shape["range"][8:] == shape["range"][:2]  # there are no more


def test_classes_know_their_superclass_and_their_interval():
    accuracies = {"b": np.array([0.25, 1 / 3]), "a": np.array([0.5, 0.75])}
    intervals = {"b": np.array([[0.1, 0.4], [0.2, 0.5]]), "a": np.array([[0.4, 0.6], [0.6, 0.9]])}
    spec = charts.per_class_chart(accuracies, intervals, NAMES, ["fruit", "insects"])
    assert rows(spec)[1] == {
        "model": "b", "class": "bee", "accuracy": 0.3333, "low": 0.2, "high": 0.5,
        "superclass": "insects",
    }  # fmt: skip
    assert choices(spec) == [("model", "b", ["b", "a"])]  # the first is shown first
    alone = charts.per_class_chart(accuracies, intervals, NAMES, None)
    assert "superclass" not in rows(alone)[0]
    shown = [field["field"] for field in alone["encoding"]["tooltip"]]
    assert shown == ["class", "accuracy", "interval"]


def test_confusion_is_by_row_and_leaves_zeros_out():
    spec = charts.confusion_chart({"x": np.array([[3, 1], [0, 0]])}, NAMES)
    assert rows(spec) == [
        {"model": "x", "true": "apple", "predicted": "apple", "images": 3, "share": 0.75},
        {"model": "x", "true": "apple", "predicted": "bee", "images": 1, "share": 0.25},
    ]


def test_calibration():
    diagram = {"count": [7], "confidence": [0.8], "accuracy": [0.9]}
    spec = charts.calibration_chart({"x": {"as they come": diagram, "calibrated": diagram}})
    assert [row["probabilities"] for row in rows(spec)] == ["as they come", "calibrated"]
    assert rows(spec)[0] == {
        "model": "x", "probabilities": "as they come", "images": 7, "confidence": 0.8,
        "accuracy": 0.9,
    }  # fmt: skip
