from fifteen.reporting import charts

import numpy as np

NAMES = ["apple", "bee"]


def rows(spec):
    return spec["data"]["values"]


def choices(spec):
    """What the reader can choose, and what is chosen at the start."""
    choice = spec["params"][0]
    return choice["name"], choice["value"], choice["bind"]["options"]


def test_curves_have_a_row_per_epoch_and_every_quantity():
    columns = {key: np.array([0.1, 0.2]) for key in charts.CURVES} | {"epoch": np.array([1.0, 2.0])}
    spec = charts.curves_chart({"x": columns, "y": columns}, {"x": "#000000", "y": "#ffffff"})
    assert len(rows(spec)) == 4
    assert rows(spec)[1] == {"model": "x", "epoch": 2} | dict.fromkeys(charts.CURVES, 0.2)
    assert choices(spec) == ("quantity", "val_accuracy", list(charts.CURVES))
    colour = spec["encoding"]["color"]["scale"]
    assert colour == {"domain": ["x", "y"], "range": ["#000000", "#ffffff"]}


def test_classes_know_their_superclass():
    accuracies = {"b": np.array([0.25, 1 / 3]), "a": np.array([0.5, 0.75])}
    spec = charts.per_class_chart(accuracies, NAMES, ["fruit", "insects"])
    assert rows(spec)[1] == {
        "model": "b", "class": "bee", "accuracy": 0.3333, "superclass": "insects",
    }  # fmt: skip
    assert choices(spec) == ("model", "b", ["b", "a"])  # the first is shown first
    assert "superclass" not in rows(charts.per_class_chart(accuracies, NAMES, None))[0]


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
