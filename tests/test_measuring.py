import json
import sys

from fifteen.errors import UserError
from fifteen.measuring import planned

import pytest


def test_a_plan_is_read_by_the_name_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["measure.py", "two", "3"])
    with pytest.raises(UserError, match=r"nothing is called 'two' in walk/params\.yaml, .*`dvc re"):
        planned("walk", "Measure.")
    (tmp_path / "walk" / "trainings").mkdir(parents=True)
    (tmp_path / "walk" / "trainings" / "two.json").write_text(json.dumps({"epochs": 2}))
    assert planned("walk", "Measure.") == ("two", 3, {"epochs": 2})
