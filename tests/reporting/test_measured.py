from dataclasses import replace

from fifteen.common.errors import UserError
from fifteen.reporting.csv_rows import rows_csv
from fifteen.reporting.measured import read_measured

import pytest


def write(path, rows):
    path.parent.mkdir()
    path.write_text(rows_csv(type(rows[0]), rows), encoding="utf-8")


def test_what_was_measured_on_other_data_is_left_out(tmp_path, changes, designs):
    of_digits = replace(changes[0], source="digits")
    write(tmp_path / "ablations" / "ladder.csv", [of_digits, *changes])
    with pytest.raises(UserError, match=r"ensembles/ensembles\.csv is missing"):
        read_measured(tmp_path, "digits")
    write(tmp_path / "ensembles" / "ensembles.csv", designs)
    assert read_measured(tmp_path, "cifar100") == (changes, designs)
    assert read_measured(tmp_path, "digits") == ([of_digits], [])
