from fifteen.reporting.comparisons import compared, members_compared, relative_to

import pytest


def test_relative_to_turns_the_reference_to_second_place(metrics):
    rows = relative_to(metrics["comparisons"], "baseline")
    assert [(row["a"], row["b"], row["verdict"]) for row in rows] == [
        ("snapshot", "baseline", "better"),
        ("snapshot_sum", "baseline", "better"),
    ]
    assert rows[0]["difference"] == 0.0838
    assert rows[0]["ci95"] == pytest.approx([0.0778, 0.0898])
    assert rows[0]["mcnemar_p"] == 1e-9


def test_turning_twice_changes_nothing(metrics):
    original = metrics["comparisons"][0]
    turned = relative_to([original], "baseline")
    assert relative_to(turned, "snapshot") == [original]


def test_turning_keeps_same(metrics):
    assert relative_to(metrics["comparisons"][4:], "snapshot_sum")[0]["verdict"] == "same"


def test_compared_either_way_round(metrics):
    forth = compared(metrics["comparisons"], "snapshot", "snapshot_sum")
    back = compared(metrics["comparisons"], "snapshot_sum", "snapshot")
    assert (forth["difference"], forth["verdict"]) == (-0.015, "worse")
    assert (back["difference"], back["verdict"]) == (0.015, "better")


def test_compared_says_what_is_missing(metrics):
    with pytest.raises(KeyError, match="snapshot is not compared with tuned"):
        compared(metrics["comparisons"], "snapshot", "tuned")


def test_an_ensemble_is_compared_with_its_last_and_its_best_member():
    assert members_compared([0.1, 0.3, 0.3, 0.2]) == {"last_snapshot": 3, "best_snapshot": 1}
    assert members_compared([0.1, 0.2, 0.3]) == {"last_snapshot": 2}
    assert members_compared([0.3, 0.2, 0.3]) == {"last_snapshot": 2}  # none is better
