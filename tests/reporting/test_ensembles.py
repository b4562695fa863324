import csv

from fifteen.reporting.ensembles import (
    RULES,
    ensemble_row,
    ensembles_csv,
    ensembles_figure,
    ensembles_markdown,
    over_seeds,
    packed,
    unpacked,
)
from fifteen.reporting.style import save_png

import numpy as np
import pytest

IMAGES = 400


def right(share, shift=0):
    """The first `share` of the images, turned round by `shift` images."""
    return np.roll(np.arange(IMAGES) < share * IMAGES, shift)


def scored(share, shift=0):
    found = right(share, shift)
    return {"accuracy": float(found.mean()), "nll": 1.0, "right": packed(found)}


def result(single, together, shift=0, average=True):
    rules = {rule: scored(together, shift) for rule in RULES if average or rule != "average"}
    return {
        "members": 2,
        "member_accuracy": [single - 0.1, single],
        "single": scored(single, shift),
        "rules": rules,
        "sum_of_views": scored(together + 0.01, shift),
        "disagreement": 0.25,
        "seconds": 100.0,
    }


CONTROL = {1: result(0.5, 0.5), 2: result(0.52, 0.52, 7)}
OTHER = {1: result(0.45, 0.6, average=False), 2: result(0.45, 0.62, 7, average=False)}


@pytest.fixture
def rows():
    return [
        ensemble_row("one", "one | cycle", "small", CONTROL, CONTROL),
        ensemble_row("five", "five models", "small", OTHER, CONTROL),
    ]


@pytest.mark.parametrize("count", [1, 7, 8, 9, 5000])
def test_packed(count):
    given = np.random.default_rng(count).random(count) < 0.5
    np.testing.assert_array_equal(unpacked(packed(given)), given)
    assert len(packed(given)) < count / 5 + 12


def test_over_seeds_by_hand():
    # Image by image the differences are 1, 0.5, 0, 0: mean 0.375, deviation √(0.6875 / 3).
    a = np.array([[1, 1, 1, 0], [1, 0, 1, 0]], bool)
    b = np.array([[0, 0, 1, 0], [0, 0, 1, 0]], bool)
    error = np.sqrt(0.6875 / 3 / 4)
    np.testing.assert_allclose(
        over_seeds(a, b), [0.375, 0.375 - 1.96 * error, 0.375 + 1.96 * error]
    )


def test_rows(rows):
    one, five = rows
    assert (one.verdict, one.difference) == ("same", (0.0, 0.0, 0.0))
    assert five.control == one.single == pytest.approx(0.51)
    assert five.difference[0] == pytest.approx(0.1)
    assert five.verdict == "better"
    np.testing.assert_allclose(five.of_members, [0.35, 0.45])
    assert five.rules["sum"] == pytest.approx(0.61)
    assert "average" not in five.rules
    assert five.seeds == (1, 2)


def test_seeds_that_only_one_has_do_not_count_for_the_difference():
    row = ensemble_row("five", "x", "small", OTHER, {2: CONTROL[2]})
    assert row.control == pytest.approx(0.52)
    assert row.difference[0] == pytest.approx(0.1)
    assert row.rules["sum"] == pytest.approx(0.61)
    with pytest.raises(ValueError, match="five and its control have no seed in common"):
        ensemble_row("five", "x", "small", OTHER, {3: CONTROL[1]})


def test_markdown(rows):
    text = ensembles_markdown(rows)
    assert "### small\n\nOne model of the whole budget: 51.00 %." in text
    (line,) = [line for line in text.splitlines() if line.startswith("| five")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:4] == ["five", "five models", "35.00–45.00", "61.00"]
    assert cells[8] == "–"  # no average
    assert cells[11].startswith("+10.00 (+")
    assert cells[11].endswith("), better")
    assert "one \\| cycle" in text


def test_csv(rows):
    one, five = csv.DictReader(ensembles_csv(rows).splitlines())
    assert (one["design"], five["design"]) == ("one", "five")
    assert float(five["sum"]) == pytest.approx(0.61)
    assert five["average"] == ""
    assert five["verdict"] == "better"


def test_figure(rows, tmp_path):
    figure = ensembles_figure(rows)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["one | cycle", "five models"]
    save_png(figure, tmp_path / "x.png")
