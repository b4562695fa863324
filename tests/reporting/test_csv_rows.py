from dataclasses import dataclass
from typing import Literal

from fifteen.common.errors import UserError
from fifteen.reporting.csv_rows import read_rows, rows_csv

import pytest


@dataclass(frozen=True)
class Row:
    name: str
    kind: Literal["new", "old"]
    size: int
    share: float
    error: float | None
    other: str | None
    seeds: tuple[int, ...]
    shares: tuple[float, ...]
    words: tuple[str, ...]


ROWS = [
    Row('a, "b" | −1', "new", 3, 0.1 + 0.2, 1e-17, "x", (1, 20), (1 / 3, 2.0), ("ab", "cd+")),
    Row("two\nlines", "old", -3, 1.0, None, None, (), (0.5,), ()),
]
HEADER = "name,kind,size,share,error,other,seeds,shares,words\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rows.csv"


@pytest.mark.parametrize("rows", [ROWS, ROWS[1:], []], ids=len)
def test_rows_come_back_as_they_were(path, rows):
    path.write_text(rows_csv(Row, rows), encoding="utf-8")
    assert read_rows(Row, path) == rows


def test_the_file_by_hand():
    row = Row("a", "new", 3, 0.5, None, "x", (1, 2), (0.25,), ("p", "q"))
    assert rows_csv(Row, [row]) == HEADER + "a,new,3,0.5,,x,1 2,0.25,p q\n"
    assert rows_csv(Row, []) == HEADER


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "a,new,3,0.5,,,,,\na,new,3,half,,,,,\n", "share of row 2 is 'half'"),
        (HEADER + "a,newer,3,0.5,,,,,\n", "kind of row 1 is 'newer'"),
        (HEADER + "a,new,3,0.5,,,1 x,,\n", "seeds of row 1 is 'x'"),
        (HEADER + "a,new\n", "size of row 1 is None"),
        (
            HEADER.replace("size,", "") + "a,new,0.5,,,,,\n",
            "size of row 1 is missing: Field required;",
        ),
        (HEADER + "<<<<<<< ours\n", "kind of row 1 is None"),
    ],
)
def test_what_cannot_be_read_is_named(path, text, message):
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        read_rows(Row, path)
    assert str(path) in str(caught.value)
    assert "summarize.py" in str(caught.value)


def test_a_missing_file_is_named(path):
    with pytest.raises(UserError, match=r"rows\.csv is missing; `git checkout"):
        read_rows(Row, path)
