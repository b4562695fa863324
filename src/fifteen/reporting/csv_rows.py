"""Frozen dataclasses as lines of a CSV file, and back without loss.

A column is a field: text and numbers as they are, None as an empty cell, the members of a tuple
with spaces between them.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

from fifteen.common.errors import UserError

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


def rows_csv(kind: type[T], rows: Iterable[T]) -> str:
    """The rows below a header; the header alone where there are none.

    Args:
        kind: the dataclass; its fields are text that is not empty, numbers, None, or tuples of
            numbers or of words.
        rows: of that kind.
    """
    columns = [field.name for field in fields(kind)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(getattr(row, column)) for column in columns] for row in rows)
    return file.getvalue()


def read_rows(kind: type[T], path: Path) -> list[T]:
    """The rows that `rows_csv` wrote.

    Raises:
        UserError: the file is missing, or something in it is not what `kind` has there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing; `git checkout {path}` brings it back") from None
    lists = {name for name, hint in get_type_hints(kind).items() if get_origin(hint) is tuple}

    def value(name: str, cell: str | None) -> str | list[str] | None:
        return (cell or "").split() if name in lists else cell or None

    lines = [
        {name: value(name, cell) for name, cell in line.items()}
        for line in csv.DictReader(io.StringIO(text))
    ]
    try:
        return TypeAdapter(list[kind]).validate_python(lines)
    except ValidationError as error:
        details = error.errors()[0]
        number, column, *_ = details["loc"]
        wrong = "missing" if details["type"] == "missing" else repr(details["input"])
        raise UserError(
            f"{path}: {column} of row {number + 1} is {wrong}: {details['msg']};"
            " summarize.py of the pipeline that measured it writes the file anew"
        ) from None


def _cell(value: Any) -> str:  # noqa: ANN401 - of any field
    if isinstance(value, tuple):
        return " ".join(map(_cell, value))
    return "" if value is None else str(value)
