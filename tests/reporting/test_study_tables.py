from math import sqrt
from pathlib import Path

from fifteen.reporting.study_tables import against_single, changes_table, designs_table, seeds_table

import numpy as np
import pandas as pd
import pytest


def test_changes_by_hand(studies):
    table = changes_table(studies["changes"]).set_index("row")
    assert list(table.index) == ["start", "flips", "wide", "wide", "no_flip", "no_crop"]
    table = table[table["study"].eq("ladder") | table["gain"].notna()]
    # start and flips have two seeds each: (2·0.01² + 2·0.015²) / 2 degrees of freedom
    spread = sqrt((2 * 0.01**2 + 2 * 0.015**2) / 2)
    assert table.loc["flips", "error"] == pytest.approx(spread / sqrt(2))
    assert table.loc["wide", "error"] == pytest.approx(spread)
    # gains: flips has 0.10 and 0.11, the others one each; 1 degree of freedom
    gain_spread = sqrt(2 * 0.005**2)
    assert table.loc["flips", "gain"] == pytest.approx(0.105)
    assert table.loc["flips", "gain_error"] == pytest.approx(gain_spread / sqrt(2))
    assert table.loc["no_flip", "gain"] == pytest.approx(-0.10)
    assert table.loc["no_flip", "gain_error"] == pytest.approx(gain_spread)
    assert table["freedom"].unique() == [1]
    assert table["errors"].iloc[0] == pytest.approx(12.706, abs=1e-3)  # Student's t
    assert list(table["verdict"].fillna("")) == ["", "better", "same", "worse", "same"]
    assert table.loc["start", "seeds"] == (1, 2)
    assert table.loc["start", "seconds"] == 101
    assert np.isnan(table.loc["start", "gain"])


def test_nothing_is_judged_without_repeated_seeds(studies):
    once = studies["changes"].query("seed == 1")
    table = changes_table(once)
    assert table["verdict"].isna().all()
    assert table["gain"].notna().sum() == 4


def test_a_row_whose_reference_was_not_measured_has_no_gain(studies):
    without = studies["changes"].query("row != 'flips'")
    assert changes_table(without).query("row == 'wide'")["gain"].isna().all()


def test_the_first_edition_comes_out_as_it_did():
    """Gains, errors and verdicts that the first edition's code made of the same accuracies."""
    recorded = pd.read_csv(Path(__file__).parent / "first_edition.csv", keep_default_na=False)
    recorded["compared_with"] = recorded["compared_with"].replace("", None)
    reference = recorded[recorded["row"] == "swift_tiny"]
    reference = reference.assign(study="leave_one_out", compared_with=None)
    trainings = pd.concat([recorded, reference])
    trainings = trainings.assign(what=trainings["row"], training=trainings["row"])
    trainings = trainings.assign(parameters=1, seconds=1.0)
    table = changes_table(trainings)
    table = table[table["gain"].notna()].set_index("row")
    expected = recorded[recorded["gain"] != ""].drop_duplicates("row").set_index("row")
    assert len(expected) == 29
    for column in ("gain", "gain_error"):
        numbers = expected[column].astype(float)
        np.testing.assert_allclose(table.loc[expected.index, column], numbers, atol=1e-12)
    assert (table.loc[expected.index, "verdict"] == expected["verdict"]).all()
    assert (table["freedom"] == 14).all()


def test_designs_by_hand(studies):
    table = designs_table(studies["designs"]).set_index("row")
    # 2 of 100 images more than one model of 50; all differences are 0 or 1
    cycle = table.loc["cycle"]
    assert cycle["sum_gain"] == pytest.approx(0.02)
    error = sqrt(0.02 * 0.98 * 100 / 99) / 10
    assert (cycle["sum_low"], cycle["sum_high"]) == pytest.approx(
        (0.02 - 1.96 * error, 0.02 + 1.96 * error)
    )
    assert cycle["sum_verdict"] == "same"
    five = table.loc["five"]  # against the single model of `cycle`, not its own
    assert (five["single"], five["rule"]) == (0.5, "sum")
    assert five["best_gain"] == pytest.approx(0.15)
    assert five["best_verdict"] == "better"


def test_designs_without_the_images_are_judged_over_seeds(studies):
    one = studies["designs"].assign(right=None)
    table = designs_table(one).set_index("row")
    assert table.loc["five", "sum_gain"] == pytest.approx(0.15)
    assert table["sum_verdict"].isna().all()  # one seed
    two = pd.concat([one, one.assign(seed=2, rules=[{"sum": 0.53}, {"sum": 0.66}])])
    table = designs_table(two).set_index("row")
    assert table.loc["five", "sum_gain"] == pytest.approx(0.155)
    assert table.loc["five", "sum_verdict"] == "better"


def test_seeds_by_hand(studies):
    table = seeds_table(studies["seeds"]).set_index("row")
    assert table.loc["swift", "validation"] == pytest.approx(0.715)
    assert table.loc["swift", "validation_deviation"] == pytest.approx(0.01 / sqrt(2))
    assert table.loc["swift", "seeds"] == (1, 2)
    assert table["tta"].isna().all()
    gains = against_single(studies["seeds"])
    assert len(gains) == 1
    assert gains.loc[0, "difference"] == pytest.approx(0.02)
    assert (gains.loc[0, "verdict"], gains.loc[0, "seeds"]) == ("better", 2)
