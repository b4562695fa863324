from fifteen.reporting.formats import (
    Column,
    Table,
    gain,
    interval,
    listed,
    p_value,
    percent,
    points,
    points_with_error,
    setting,
    share_with_error,
    share_with_half,
    span,
    verdict,
)

import pandas as pd
import pytest

FRAME = pd.DataFrame(
    {"name": ["a|b", "<i>", "c"], "share": [0.5, 0.75, None], "low": [0.4, 0.7, None]}
)


def both(share, low):
    return f"{percent(share)} from {percent(low)}"


COLUMNS = [
    Column("name", "name"),
    Column("share %", "share", both, ("low",), "max"),
    Column("nothing", "absent"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (percent(0.12345), "12.35"),
        (points(0.012), "+1.20"),
        (points(-0.0035), "−0.35"),
        (points(-0.00004), "0.00"),
        (points_with_error(0.012, 0.0031), "+1.20 ± 0.31"),
        (points_with_error(0.012, float("nan")), "+1.20 ± –"),
        (share_with_error(0.5, float("nan")), "50.00"),
        (share_with_half(0.5, 0.49, 0.52), "50.00 ± 1.50"),
        (interval(-0.002, 0.0035), "−0.20 to +0.35"),
        (gain(0.01, float("nan"), float("nan")), "+1.00"),
        (p_value(0.00009), "< 0.0001"),
        (p_value(0.00054), "0.0005"),
        (p_value(0.25), "0.250"),
        (verdict("same"), "not distinguishable"),
        (span(33, 1068), "33–1,068"),
        (span(100, 100), "100"),
        (setting({"name": "cosine", "on": True}), "name cosine, on true"),
        (setting(0.003241), "0.00324"),
        (listed(["a"]), "a"),
        (listed(["a", "b", "c"]), "a, b and c"),
    ],
)
def test_numbers_as_text(text, expected):
    assert text == expected


def test_a_table_in_markdown_marks_the_best_and_escapes_text():
    lines = Table(FRAME, COLUMNS).markdown().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    assert cells[0] == ["name", "share %"]  # a column without values is left out
    assert cells[2:] == [
        ["a\\|b", "50.00 from 40.00"],
        ["&lt;i&gt;", "**75.00 from 70.00**"],
        ["c", "–"],
    ]
    assert lines[1].endswith("-:|")  # numbers to the right


def test_a_table_in_html_sorts_by_the_numbers_of_the_frame():
    text = Table(FRAME, COLUMNS).html('of "all"')
    assert 'aria-label="of &quot;all&quot;"' in text
    assert '<th scope="row">&lt;i&gt;</th>' in text
    assert '<td class="number best" data-value="0.75">75.00 from 70.00</td>' in text
    assert '<td class="number">–</td>' in text


def test_equal_values_are_all_best_and_none_where_all_are_equal():
    column = [Column("n", "n", best="min")]
    assert Table(pd.DataFrame({"n": [1, 2, 1]}), column).markdown().count("**") == 4
    assert "**" not in Table(pd.DataFrame({"n": [1, 1]}), column).markdown()
