from fifteen.reporting.content import report_content
from fifteen.reporting.findings import findings
from fifteen.reporting.frames import (
    comparisons_frame,
    leave_one_out_frame,
    models_frame,
    parts_frame,
    search_cost,
    trials_frame,
    worst_classes_frame,
)
from fifteen.reporting.recorded import trials_table

import numpy as np
import pandas as pd
import pytest


def test_models_are_sorted_by_test_accuracy_and_set_beside_the_baseline(metrics):
    frame = models_frame(metrics).set_index("model")
    assert list(frame.index) == ["swift_sum", "swift", "baseline"]
    assert list(frame["kind"]) == ["sum of 2", "single", "single"]
    shown = frame.loc["swift", ["test", "test_low", "test_high"]].tolist()
    assert shown == pytest.approx([0.8, 0.79, 0.82])
    assert frame.loc["swift", "difference"] == pytest.approx(0.3)
    assert frame.loc["swift", "verdict"] == "better"
    assert np.isnan(frame.loc["baseline", "difference"])
    assert frame.loc["baseline", "apart"] == pytest.approx(0.5 - 0.4134)  # the original study
    assert frame["superclass_accuracy"].isna().all()


def test_another_data_set_has_no_original_study(metrics):
    assert models_frame(metrics | {"source": "digits"})["original"].isna().all()


def test_one_model_alone(metrics, models):
    alone = metrics | {"models": {"baseline": models["baseline"]}, "comparisons": []}
    assert models_frame(alone)["difference"].isna().all()
    assert comparisons_frame(alone).empty
    assert findings(alone)["second"] is None


def test_what_models_start_from(metrics):
    told = findings(metrics)
    judged = {one["name"]: (one["reference"], one["comparison"]["b"]) for one in told["judged"]}
    # its best member, number 2, is the last one
    assert judged == {
        "swift": ("baseline", "baseline"),
        "swift_sum": ("last and best snapshot", "swift:last_snapshot"),
    }
    assert told["best"]["name"] == "swift_sum"
    assert told["second"]["comparison"]["a"] == "swift"
    assert (told["tied"], told["small_validation"]) == ([], False)
    assert told["commits"] == ["0123abc"]
    metrics["models"]["swift"]["validation"]["accuracy"] = 0.76
    assert findings(metrics | {"validation_images": 999})["small_validation"]
    assert findings(metrics)["tied"] == ["swift_sum"]


def test_the_parts_of_the_data(data):
    rows = parts_frame(data).set_index("part")
    assert rows.loc["train", ["images", "fewest", "most"]].tolist() == [1500, 499, 501]
    assert np.isnan(rows.loc["train", "copies"])
    assert rows.loc["test", "copies"] == 2


def test_leave_one_out_by_hand(search):
    frame = leave_one_out_frame(search, 1000).set_index("name")
    assert list(frame.index) == ["augmentation", "dropout", "schedule"]  # a failure comes last
    assert frame.loc["augmentation", "winner"] == {"crop": 2}  # where they differ
    assert frame.loc["augmentation", "change"] == pytest.approx(-0.14)
    error = (0.36 * 0.64 / 1000 + 0.5 * 0.5 / 1000) ** 0.5
    assert frame.loc["augmentation", "error"] == pytest.approx(error)
    assert frame["verdict"].dropna().tolist() == ["worse", "same"]
    assert frame.loc["schedule", "message"] == "nan"


def test_what_a_search_took(search):
    # 2 + 2 + 0 epochs, and 2 that the promoted trial added
    cost = {"trials": 4, "failed": 1, "configurations": 3, "epochs": 6}
    assert search_cost(search) == cost
    assert len(trials_frame(search)) == 6
    table = trials_table({"swift": search})
    assert list(table["trial"]) == ["0003", "0000", "0001", "0002"]
    assert table["schedule.peak"].iloc[0] == 0.001
    assert list(trials_table({}).columns[:2]) == ["variant", "trial"]


def test_the_worst_classes_with_wilsons_intervals():
    classes = pd.DataFrame(
        {
            "model": ["a"] * 3 + ["b"],
            "class": ["x", "y", "z", "x"],
            "images": [10, 100, 10, 10],
            "accuracy": [0.3, 0.0, 0.9, 0.5],
        }
    )
    worst = worst_classes_frame(classes, count=2)
    assert list(zip(worst["model"], worst["class"], worst["place"], strict=True)) == [
        *(("a", "y", 1), ("a", "x", 2), ("b", "x", 1)),
    ]
    # by hand: (k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n + z²) with z = 1.96
    bounds = worst[["low", "high"]].to_numpy()
    expected = [[0.0, 0.0370], [0.1078, 0.6032], [0.2366, 0.7634]]
    np.testing.assert_allclose(bounds, expected, atol=1e-4)


def test_the_files_of_reports_are_read(recorded, models):
    assert recorded.models == models
    assert recorded.answers["swift_sum"].shape == (3, 300)
    assert (recorded.answers["baseline"] == recorded.labels).mean() == 0.5
    assert list(recorded.histories["model"].unique()) == ["baseline", "swift"]
    assert recorded.rates.query("model == 'swift'")["epoch"].tolist() == [0, 0.5, 1, 1.5]
    assert recorded.classes.query("model == 'swift'")["accuracy"].tolist() == [0.8] * 3


def test_a_walk_is_told_from_a_set_of_variations(metrics, recorded, studies):
    content = report_content(metrics, recorded, studies)
    walk, variations = content["changes"]["studies"]
    assert (walk["is_walk"], variations["is_walk"]) == (True, False)
    assert variations["reference"] == "wide"
    assert [row["row"] for row in walk["largest"]] == ["flips"]
    assert report_content(metrics, recorded, {})["changes"] is None
