from math import sqrt

from fifteen.reporting.csv_rows import read_rows, rows_csv
from fifteen.reporting.ladder import (
    Measured,
    Row,
    errors_beyond_chance,
    ladder_chapters,
    ladder_figure,
    ladder_markdown,
    ladder_rows,
    largest_gains,
    pooled_deviation,
)
from fifteen.reporting.style import save_png

import pytest

CPU = {"device": "2 cores of a CPU", "precision": "float32"}
GPU = {"device": "a GPU", "precision": "float32"}


def rung(
    name,
    accuracies,
    part="ladder",
    seconds=100.0,
    hardware=CPU,
    commit="0123456789ab",
    modified=False,
):
    """A rung with the accuracies of some seeds."""
    results = {
        seed: {
            "source": "cifar100",
            "training": {"epochs": 15},
            "val_accuracy": accuracy,
            "last_val_accuracy": accuracy - 0.01,
            "seconds": seconds + seed,
            "parameters": 1000,
            "hardware": hardware,
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
    rung("wide", {2: 0.60}, hardware=GPU, modified=True),
    rung("no_flips", {1: 0.40, 2: 0.40}, part="leave_one_out"),
]
ONE_SEED = [rung("start", {1: 0.40}), rung("flips", {1: 0.50})]
# Squares around the means: 2·0.01² + 2·0.005² + 2·0.015², by three degrees of freedom.
SPREAD_OF_GAINS = sqrt((2e-4 + 0.5e-4 + 4.5e-4) / 3)
SPREAD = sqrt((0 + 2e-4 + 4.5e-4 + 0) / 4)


@pytest.fixture
def rows():
    return {row.rung: row for row in ladder_rows(MEASURED, "smoothing", "small")}


def test_pooled_deviation():
    assert pooled_deviation([[1.0, 3.0]]) == (pytest.approx(sqrt(2)), 1)
    assert pooled_deviation([[1.0, 3.0], [10.0, 10.0], [7.0]]) == (pytest.approx(1), 2)
    assert pooled_deviation([[1.0, 2.0, 3.0]]) == (pytest.approx(1), 2)
    assert pooled_deviation([[1.0], [2.0]]) == (None, 0)
    assert pooled_deviation([]) == (None, 0)


def test_few_degrees_of_freedom_ask_for_more():
    # As in any table of Student's t.
    assert [round(errors_beyond_chance(freedom), 3) for freedom in (1, 3, 10)] == [
        12.706,
        3.182,
        2.228,
    ]
    assert errors_beyond_chance(10**6) == pytest.approx(1.95996, abs=1e-5)


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
    assert rows["flips"].seconds == 101.0  # of 101 and 102
    assert rows["flips"].seeds == (1, 2)


def test_gains_of_what_is_left_out_are_against_the_reference(rows):
    assert rows["no_flips"].gain == pytest.approx(-0.115)


def test_a_gain_is_paired_over_the_seeds_that_both_have(rows):
    assert rows["wide"].gain == pytest.approx(0.60 - 0.53)  # not from the mean of both seeds


def test_standard_errors_are_from_the_spread_of_all_rungs(rows):
    for name in ("flips", "smoothing", "no_flips"):
        assert rows[name].gain_error == pytest.approx(SPREAD_OF_GAINS / sqrt(2))
        assert rows[name].error == pytest.approx(SPREAD / sqrt(2))


def test_the_error_of_one_seed_is_the_spread_itself(rows):
    assert rows["wide"].error == pytest.approx(SPREAD)
    assert rows["wide"].gain_error == pytest.approx(SPREAD_OF_GAINS)


def test_where_no_rung_has_two_seeds_nothing_is_judged():
    start, flips = ladder_rows(ONE_SEED, "start", "small")
    assert (start.error, start.gain, start.gain_error) == (None, None, None)
    assert flips.gain == pytest.approx(0.1)
    assert (flips.error, flips.gain_error, flips.threshold) == (None, None, None)
    assert flips.verdict == "unsure"
    assert "Nothing is judged" in ladder_markdown([start, flips])
    table = ladder_markdown([start, flips])
    assert "+10.00 ± – | not judged | 50.00 ± – |" in table
    legend = ladder_figure([start, flips]).legends[0].get_texts()
    assert [text.get_text() for text in legend] == ["not judged", "± one standard error"]


def test_verdicts(rows):
    verdicts = {name: row.verdict for name, row in rows.items()}
    assert verdicts == {
        "start": "unsure",
        "flips": "better",
        "smoothing": "unsure",  # 0.5 points, less than 3.18 times 1.08
        "wide": "better",  # 7 points, more than 3.18 times 1.53
        "no_flips": "worse",
    }


@pytest.mark.parametrize(("pairs", "verdict"), [(4, "unsure"), (12, "better")])
def test_the_same_gain_needs_enough_degrees_of_freedom(pairs, verdict):
    # Gains of 0.00 and ±0.02: each adds 2·0.01² to the squares and a degree of freedom.
    before = [rung(f"pair_{n}", {1: 0.4, 2: 0.4 + 0.02 * (n % 2)}) for n in range(pairs)]
    *_, row = ladder_rows([*before, rung("last", {1: 0.4 + 0.035})], "none", "none")
    assert row.freedom == pairs - 1
    assert row.gain_error == pytest.approx(sqrt(2) * 0.01)  # 2.47 of them
    assert row.verdict == verdict


def test_rungs_without_common_seeds_have_no_gain():
    _, apart = ladder_rows([rung("start", {1: 0.4}), rung("flips", {2: 0.5})], "start", "small")
    assert (apart.gain, apart.against) == (None, None)


def test_over_a_gap_no_gain_is_of_two_changes():
    gap = [MEASURED[0], rung("flips", {}), *MEASURED[2:]]
    start, smoothing, wide, no_flips = ladder_rows(gap, "smoothing", "small")
    assert (smoothing.rung, smoothing.gain, smoothing.against) == ("smoothing", None, None)
    assert wide.gain == pytest.approx(0.07)
    assert no_flips.against == "small"
    (walk, _) = ladder_figure([start, smoothing, wide, no_flips]).axes
    assert [bar.get_x() for bar in walk.patches] == pytest.approx([51.5])
    assert ladder_rows([rung("start", {})], "start", "small") == []


def test_without_the_reference_nothing_is_compared_with_it():
    rows = ladder_rows(MEASURED[-1:], "smoothing", "small")
    assert [row.gain for row in rows] == [None]
    assert "in place of what the reference has" in ladder_markdown(rows)


def test_markdown():
    lines = ladder_markdown(ladder_rows(MEASURED, "smoothing", "small")).splitlines()
    assert lines[0] == "### One change after the other"
    table = lines.index(
        "| rung | change, on top of the one before | gain, pp (± standard error) | verdict "
        "| validation accuracy % | after the last epoch % | parameters | train s | seeds |"
    )
    assert lines[table + 2 : table + 6] == [
        "| start | in words: start | – | – | 40.00 ± 0.90 | 39.00 | 1,000 | 101 | 1, 2 |",
        "| flips | in words: flips | +11.00 ± 1.08 | better | 51.00 ± 0.90 | 50.00 "
        "| 1,000 | 101 | 1, 2 |",
        "| smoothing | in words: smoothing | +0.50 ± 1.08 | not distinguishable from noise "
        "| 51.50 ± 0.90 | 50.50 | 1,000 | 101 | 1, 2 |",
        "| wide | in words: wide | +7.00 ± 1.53 | better | 60.00 ± 1.27 | 59.00 "
        "| 1,000 | 102 | 2 |",
    ]
    assert "### One thing of small left out or replaced" in lines
    assert any(
        line.startswith("| rung | in place of what small has | change, pp") for line in lines
    )
    assert any(
        line.startswith("| no_flips | in words: no_flips | −11.50 ± 1.08 | worse | 40.00 ± 0.90 |")
        for line in lines
    )
    assert "more than 3.18 times that error, Student's t for its 3 degrees of freedom" in lines[-1]
    assert "Trained on 2 cores of a CPU, float32; a GPU, float32. Seconds are" in lines[-1]
    assert lines[-1].endswith("Commits: 01234567, 01234567+ (+: with changes).")


def sentences(measured):
    return [c.sentences for c in ladder_chapters(ladder_rows(measured, "smoothing", "small"))]


def test_sentences_name_what_is_real_and_what_is_noise():
    walk, left_out = sentences(MEASURED)
    assert walk == [
        "From start to wide the validation accuracy goes from 40.00 to 60.00 %.",
        "The largest gain beyond noise: flips (in words: flips), +11.00 ± 1.08 pp.",
        "Also better than the one before: wide (+7.00 ± 1.53).",
        "Not distinguishable from noise: smoothing.",
    ]
    assert left_out == [
        "The largest loss beyond noise: no_flips (in words: no_flips), −11.50 ± 1.08 pp."
    ]


def test_sentences_rank_what_is_real_by_its_size():
    walk, left_out = sentences(
        [
            rung("start", {1: 0.40, 2: 0.40}),
            rung("smoothing", {1: 0.42, 2: 0.421}),  # +2.05
            rung("wide", {1: 0.47, 2: 0.47}),  # +4.95
            rung("slow", {1: 0.46, 2: 0.46}),  # −1.00
            rung("silu", {1: 0.43, 2: 0.431}, part="leave_one_out"),  # +1.00
            rung("none", {1: 0.42, 2: 0.421}, part="leave_one_out"),  # 0.00
        ]
    )
    assert walk[1].startswith("The largest gain beyond noise: wide (in words: wide), +4.95 ± ")
    assert walk[2].startswith("Also better than the one before: smoothing (+2.05 ± ")
    assert walk[3].startswith("Worse than the one before: slow (−1.00 ± ")
    assert len(walk) == 4
    assert left_out[0] == "No loss can be told from noise."
    assert left_out[1].startswith("Better than small: silu (+1.00 ± ")
    assert left_out[2] == "Not distinguishable from noise: none."


def test_where_nothing_is_compared_nothing_is_said_of_gains():
    assert sentences(MEASURED[:1]) == [[]]
    assert sentences(MEASURED[-1:]) == [
        [
            "Not judged, for want of a seed in common with the reference, or of a second one:"
            " no_flips."
        ]
    ]


def test_rows_come_back_from_csv_as_they_were(tmp_path):
    path, rows = tmp_path / "ladder.csv", ladder_rows(MEASURED, "smoothing", "small")
    path.write_text(rows_csv(Row, rows), encoding="utf-8")
    assert read_rows(Row, path) == rows


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
    assert {"+11.00 ± 1.08", "(+0.50 ± 1.08)", "+7.00 ± 1.53", "101 s", "51.00"} <= set(texts)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["better", "worse", "not told from noise", "± one standard error"]
    save_png(figure, tmp_path / "ladder.png")
    again = ladder_figure(ladder_rows(MEASURED, "smoothing", "small"))
    save_png(again, tmp_path / "again.png")
    assert (tmp_path / "ladder.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_whiskers_are_a_standard_error_to_either_side():
    walk = ladder_figure(ladder_rows(MEASURED, "smoothing", "small")).axes[0]
    half = 100 * SPREAD / sqrt(2)
    spans = [list(line.get_xdata()) for line in walk.get_lines()]
    assert any(span == pytest.approx([51 - half, 51 + half]) for span in spans)


def test_every_dot_of_the_walk_is_whole():
    walk = ladder_figure(ladder_rows(ONE_SEED, "start", "small")).axes[0]
    left, right = walk.get_xlim()
    assert left < 40 < 50 < right


def test_figure_of_one_part_alone():
    assert len(ladder_figure(ladder_rows(MEASURED[:2], "smoothing", "small")).axes) == 1
    assert len(ladder_figure(ladder_rows(MEASURED[-1:], "smoothing", "small")).axes) == 1


def test_the_largest_gains_answer_the_question(rows):
    assert largest_gains(list(rows.values())) == [
        "Of the 3 changes on the way from start to wide, which have 40.00 and 60.00 % of the "
        "validation images right, these bring most: in words: flips (+11.00 ± 1.08 pp); in words: "
        "wide (+7.00 ± 1.53 pp)."
    ]


def test_gains_that_cannot_be_judged_are_told_as_such():
    assert largest_gains(ladder_rows(ONE_SEED, "start", "small")) == [
        "Of the one change on the way from start to flips, which have 40.00 and 50.00 % of the "
        "validation images right, these bring most: in words: flips (+10.00 pp). How much of that "
        "is chance is not known, as none has two seeds."
    ]


def test_gains_that_may_be_noise_are_none(rows):
    (sentence,) = largest_gains([rows["flips"], rows["smoothing"]])
    assert sentence.startswith("None of the one change on the way from flips to smoothing,")
    assert sentence.endswith(" brings a gain that can be told from noise.")


def test_without_a_walk_there_is_no_answer(rows):
    assert largest_gains([rows["no_flips"]]) == []
    assert largest_gains([rows["start"], rows["no_flips"]]) == []
