import csv
import io
from math import sqrt

from fifteen.reporting.ladder import (
    Measured,
    ladder_csv,
    ladder_figure,
    ladder_markdown,
    ladder_rows,
    pooled_deviation,
)
from fifteen.reporting.style import save_png

import pytest


def rung(name, accuracies, part="ladder", seconds=100.0, commit="0123456789ab", modified=False):
    """A rung with the accuracies of some seeds."""
    results = {
        seed: {
            "val_accuracy": accuracy,
            "last_val_accuracy": accuracy - 0.01,
            "seconds": seconds + seed,
            "parameters": 1000,
            "commit": commit,
            "modified": modified,
        }
        for seed, accuracy in accuracies.items()
    }
    return Measured(name, part, f"in words: {name}", results)


# By hand: gains of `flips` 0.10 and 0.12, of `smoothing` 0.00 and 0.01; of `no_flips` −0.10 and
# −0.13 from `smoothing`. `wide` has seed 3 alone in common with nothing.
MEASURED = [
    rung("start", {1: 0.40, 2: 0.40}),
    rung("flips", {1: 0.50, 2: 0.52}),
    rung("smoothing", {1: 0.50, 2: 0.53}),
    rung("wide", {2: 0.60}, modified=True),
    rung("no_flips", {1: 0.40, 2: 0.40}, part="leave_one_out"),
]
# Squares around the means: 2·0.01² + 2·0.005² + 2·0.015², by three degrees of freedom.
SPREAD_OF_GAINS = sqrt((2e-4 + 0.5e-4 + 4.5e-4) / 3)
SPREAD = sqrt((0 + 2e-4 + 4.5e-4 + 0) / 4)


@pytest.fixture
def rows():
    return {row.rung: row for row in ladder_rows(MEASURED, "smoothing", "small")}


def test_pooled_deviation():
    assert pooled_deviation([[1.0, 3.0]]) == pytest.approx(sqrt(2))
    assert pooled_deviation([[1.0, 3.0], [10.0, 10.0], [7.0]]) == pytest.approx(1)
    assert pooled_deviation([[1.0], [2.0]]) is None
    assert pooled_deviation([]) is None


def test_gains_are_against_the_rung_before(rows):
    assert list(rows) == ["start", "flips", "smoothing", "wide", "no_flips"]
    assert [row.against for row in rows.values()] == [
        *(None, "start", "flips", "smoothing"),
        "small",
    ]
    assert rows["start"].gain is None
    assert rows["flips"].gain == pytest.approx(0.11)
    assert rows["smoothing"].gain == pytest.approx(0.005)
    assert rows["flips"].accuracy == pytest.approx(0.51)
    assert rows["flips"].last_accuracy == pytest.approx(0.50)
    assert rows["flips"].seconds == 101.5
    assert rows["flips"].seeds == (1, 2)


def test_gains_of_what_is_left_out_are_against_the_reference(rows):
    assert rows["no_flips"].gain == pytest.approx(-0.115)


def test_a_gain_is_paired_over_the_seeds_that_both_have(rows):
    assert rows["wide"].gain == pytest.approx(0.60 - 0.53)  # not from the mean of both seeds


def test_standard_errors_are_from_the_spread_of_all_rungs(rows):
    for name in ("flips", "smoothing", "no_flips"):
        assert rows[name].gain_error == pytest.approx(SPREAD_OF_GAINS / sqrt(2))
        assert rows[name].error == pytest.approx(SPREAD / sqrt(2))


def test_one_seed_has_no_error(rows):
    assert rows["wide"].error is None
    assert rows["wide"].gain_error is None
    assert rows["wide"].verdict == "unsure"
    (alone,) = ladder_rows([rung("start", {1: 0.4})], "start", "small")
    assert (alone.error, alone.gain, alone.gain_error) == (None, None, None)


def test_verdicts(rows):
    verdicts = {name: row.verdict for name, row in rows.items()}
    assert verdicts == {
        "start": "unsure",
        "flips": "better",
        "smoothing": "unsure",  # 0.5 points, less than twice 1.08
        "wide": "unsure",
        "no_flips": "worse",
    }


def test_rungs_without_common_seeds_have_no_gain():
    _, apart = ladder_rows([rung("start", {1: 0.4}), rung("flips", {2: 0.5})], "start", "small")
    assert (apart.gain, apart.against) == (None, None)


def test_without_the_reference_nothing_is_compared_with_it():
    rows = ladder_rows(MEASURED[-1:], "smoothing", "small")
    assert [row.gain for row in rows] == [None]
    assert "in place of what the reference has" in ladder_markdown(rows)


def test_markdown():
    lines = ladder_markdown(ladder_rows(MEASURED, "smoothing", "small")).splitlines()
    assert lines[0] == (
        "| rung | change, on top of the one before | gain, pp | validation accuracy % "
        "| after the last epoch % | s | seeds |"
    )
    assert lines[2:6] == [
        "| start | in words: start | – | 40.00 ± 0.90 | 39.00 | 102 | 1, 2 |",
        "| flips | in words: flips | +11.00 ± 1.08 | 51.00 ± 0.90 | 50.00 | 102 | 1, 2 |",
        "| smoothing | in words: smoothing | (+0.50 ± 1.08) | 51.50 ± 0.90 | 50.50 | 102 | 1, 2 |",
        "| wide | in words: wide | +7.00 ± – | 60.00 ± – | 59.00 | 102 | 2 |",
    ]
    assert lines[7].startswith("| rung | in place of what small has | change, pp |")
    assert lines[9].startswith("| no_flips | in words: no_flips | −11.50 ± 1.08 | 40.00 ± 0.90 |")
    assert lines[11].endswith("Commits: 01234567, 01234567+ (+: with changes).")


def test_csv():
    rows = list(
        csv.DictReader(io.StringIO(ladder_csv(ladder_rows(MEASURED, "smoothing", "small"))))
    )
    assert [row["rung"] for row in rows] == [measured.name for measured in MEASURED]
    assert rows[0]["gain"] == rows[0]["gain_error"] == rows[0]["against"] == ""
    assert float(rows[1]["gain"]) == pytest.approx(0.11)
    assert rows[1]["verdict"] == "better"
    assert rows[1]["seeds"] == "1 2"
    assert rows[4]["part"] == "leave_one_out"


def test_figure(tmp_path):
    figure = ladder_figure(ladder_rows(MEASURED, "smoothing", "small"))
    walk, left_out = figure.axes
    labels = [label.get_text() for label in walk.get_yticklabels()]
    assert labels == [f"in words: {name}" for name in ("start", "flips", "smoothing", "wide")]
    assert [label.get_text() for label in left_out.get_yticklabels()] == ["in words: no_flips"]
    # A bar goes from one rung to the next; the first has none.
    bars = [(bar.get_x(), bar.get_width()) for bar in walk.patches]
    assert bars[0] == pytest.approx((40, 11))
    assert bars[1] == pytest.approx((51, 0.5))
    assert [bar.get_width() for bar in left_out.patches] == pytest.approx([-11.5])
    texts = [text.get_text() for text in walk.texts]
    assert {"+11.00 ± 1.08", "(+0.50 ± 1.08)", "+7.00 ± –", "102 s", "51.00"} <= set(texts)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["better", "worse", "not told from noise, or one seed", "two standard errors"]
    save_png(figure, tmp_path / "ladder.png")
    again = ladder_figure(ladder_rows(MEASURED, "smoothing", "small"))
    save_png(again, tmp_path / "again.png")
    assert (tmp_path / "ladder.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_whiskers_are_two_standard_errors_to_either_side():
    walk = ladder_figure(ladder_rows(MEASURED, "smoothing", "small")).axes[0]
    half = 200 * SPREAD / sqrt(2)
    spans = [list(line.get_xdata()) for line in walk.get_lines()]
    assert any(span == pytest.approx([51 - half, 51 + half]) for span in spans)


def test_figure_of_one_part_alone():
    assert len(ladder_figure(ladder_rows(MEASURED[:2], "smoothing", "small")).axes) == 1
    assert len(ladder_figure(ladder_rows(MEASURED[-1:], "smoothing", "small")).axes) == 1
