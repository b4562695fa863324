from dataclasses import replace

from fifteen.reporting.csv_rows import read_rows, rows_csv
from fifteen.reporting.ensembles import (
    RULES,
    Row,
    best_designs,
    ensemble_row,
    ensembles_chapters,
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
        "source": "cifar100",
        "models": 3,
        "training": {"epochs": 5},
        "members": 2,
        "member_accuracy": [single - 0.1, single],
        "single": scored(single, shift),
        "rules": rules,
        "sum_of_views": scored(together + 0.01, shift),
        "disagreement": 0.25,
        "error_correlation": 0.5,
        "weight_distance": 0.75,
        "seconds": 100.0,
        "hardware": {"device": "2 cores of a CPU", "precision": "float32"},
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
    assert (one.verdict, one.difference, one.low, one.high) == ("same", 0.0, 0.0, 0.0)
    assert five.control == one.control == pytest.approx(0.51)
    assert five.difference == pytest.approx(0.1)
    assert five.verdict == "better"
    assert five.best_rule == "sum"  # of equal ones the first
    by_sum = (five.difference, five.low, five.high)
    assert (five.best_difference, five.best_low, five.best_high) == by_sum
    np.testing.assert_allclose(five.of_members, [0.35, 0.45])
    assert five.sum == pytest.approx(0.61)
    assert five.average is None
    assert (five.source, five.epochs) == ("cifar100", 15)
    assert five.seeds == (1, 2)


def test_the_best_rule_is_compared_on_the_same_images():
    other = {1: result(0.5, 0.5) | {"rules": result(0.5, 0.5)["rules"] | {"vote": scored(0.6)}}}
    row = ensemble_row("a", "x", "small", other, {1: CONTROL[1]})
    assert (row.verdict, row.difference) == ("same", 0)
    assert (row.best_rule, row.best_difference) == ("vote", pytest.approx(0.1))
    # A tenth of the images is won, none is lost.
    error = np.sqrt(0.1 * 0.9 / (IMAGES - 1))
    assert row.best_low == pytest.approx(0.1 - 1.96 * error)
    assert row.best_high == pytest.approx(0.1 + 1.96 * error)


def test_seeds_that_only_one_has_do_not_count_for_the_difference():
    row = ensemble_row("five", "x", "small", OTHER, {2: CONTROL[2]})
    assert row.control == pytest.approx(0.52)
    assert row.difference == pytest.approx(0.1)
    assert row.sum == pytest.approx(0.61)
    with pytest.raises(ValueError, match="five and its control have no seed in common"):
        ensemble_row("five", "x", "small", OTHER, {3: CONTROL[1]})


def test_markdown(rows):
    text = ensembles_markdown(rows)
    assert "### small: one model of the whole budget has 51.00 %, NLL 1.000\n" in text
    (line,) = [line for line in text.splitlines() if line.startswith("| five")]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:3] == ["five", "five models", "+10.00"]
    assert cells[3].startswith("+")
    assert cells[4:7] == ["better", "sum", "+10.00"]
    assert cells[7] == cells[3]
    assert cells[8:11] == ["better", "35.00–45.00", "61.00"]
    assert cells[15] == "–"  # no average
    assert cells[17:] == ["1.000", "25.00", "0.50", "0.75", "100", "1, 2"]
    assert "one \\| cycle" in text
    assert "after at most 15 epochs of all members together" in text
    used = "Trained on 2 cores of a CPU, float32; seconds are those of the seed that took least."
    assert text.rstrip().endswith(used)


def test_other_work_beside_a_seed_does_not_count_as_its_cost():
    slow = {1: result(0.5, 0.5), 2: result(0.5, 0.5) | {"seconds": 300.0}}
    assert ensemble_row("one", "x", "small", slow, slow).seconds == 100.0


def row(design, difference, error, variant="small"):
    """A design by its difference from one model and half of the interval."""
    made = ensemble_row(design, f"in words: {design}", variant, OTHER, CONTROL)
    low, high = difference - error, difference + error
    verdict = "better" if low > 0 else "worse" if high < 0 else "same"
    by_sum = replace(made, difference=difference, low=low, high=high, verdict=verdict)
    return replace(by_sum, best_difference=difference, best_low=low, best_high=high)


def test_the_best_design_of_each_variant():
    of_small = [row("a", 0.01, 0.02), row("b", 0.03, 0.01)]
    first, second = best_designs([*of_small, row("c", 0.1, 0.01, "large")])
    assert first == sentences(*of_small)[0][0]
    assert second.startswith("Where several models share the 15 epochs of large, c (in words: c)")
    assert best_designs([]) == []


def sentences(*rows):
    return [chapter.sentences for chapter in ensembles_chapters(rows)]


def test_the_best_design_is_judged_and_the_others_are_named():
    made = [row("a", 0.01, 0.02), row("b", 0.03, 0.01), row("c", -0.03, 0.01), row("d", 0.02, 0.01)]
    assert sentences(*made) == [
        [
            "Where several models share the 15 epochs of small, b (in words: b) does best on the "
            "validation images: its 2 members are better than one model of the whole budget by "
            "3.00 pp (95 % interval 2.00 to 4.00).",
            "Others that by their best rule are better than one model: d.",
            "Others that by their best rule are not distinguishable from one model: a.",
            "Others that by their best rule are worse than one model: c.",
        ]
    ]


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (
            0.005,
            "not distinguishable from one model of the whole budget (difference +0.50 pp, 95 % "
            "interval −0.50 to +1.50).",
        ),
        (
            -0.02,
            "worse than one model of the whole budget by 2.00 pp (95 % interval 1.00 to 3.00).",
        ),
    ],
)
def test_the_best_design_may_be_no_better_than_one_model(difference, words):
    ((sentence,),) = sentences(row("a", difference, 0.01))
    assert sentence.endswith(f" members are {words}")


def test_where_another_rule_than_the_sum_does_best_both_are_judged():
    by_sum = row("a", 0.0, 0.01)
    other = replace(row("b", 0.02, 0.01), difference=-0.03, low=-0.04, high=-0.02)
    (sentence,) = best_designs([by_sum, replace(other, best_rule="weighted")])
    assert sentence == (
        "Where several models share the 15 epochs of small, b (in words: b) does best on the "
        "validation images: its 2 members are by their best rule, weighted, better than one model "
        "of the whole budget by 2.00 pp (95 % interval 1.00 to 3.00); their sum is worse than it "
        "by 3.00 pp (95 % interval 2.00 to 4.00)."
    )


def test_each_variant_is_a_chapter():
    first, second = ensembles_chapters([row("a", 0.1, 0.01), row("b", 0.2, 0.01, "large")])
    assert (first.title.split(":")[0], second.title.split(":")[0]) == ("small", "large")
    assert [cells[0] for cells in first.rows] == ["a"]
    assert "epochs of small, a (" in first.sentences[0]
    assert "epochs of large, b (" in second.sentences[0]


def test_rows_come_back_from_csv_as_they_were(rows, tmp_path):
    path = tmp_path / "ensembles.csv"
    path.write_text(rows_csv(Row, rows), encoding="utf-8")
    assert read_rows(Row, path) == rows


def test_figure(rows, tmp_path):
    figure = ensembles_figure([*rows, row("a", -0.02, 0.01, "large")])
    small, large = figure.axes
    assert [label.get_text() for label in small.get_yticklabels()] == ["one | cycle", "five models"]
    assert (small.get_title("left"), large.get_title("left")) == ("small", "large")
    # The dot is the sum, beside the control, in a scale of its own.
    dots = [line for line in large.get_lines() if line.get_marker() == "s"]
    assert [list(dot.get_xdata()) for dot in dots] == [pytest.approx([51 - 2])]
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == [
        "members",
        "one model of the whole budget",
        "their sum: better",
        "their sum: not distinguishable",
        "their sum: worse",
    ]
    save_png(figure, tmp_path / "x.png")
