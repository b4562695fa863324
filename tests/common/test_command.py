import subprocess
import sys

from fifteen.common.command import name_argument

import pytest


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["train.py", *arguments])
    return name_argument("Train one model.", "a key of `variants`")


def test_the_name(monkeypatch):
    assert call(monkeypatch, "refined") == "refined"


def test_help_says_what_the_stage_does_and_which_names_there_are(monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, "--help")
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "usage: train.py [-h] name" in shown
    assert "Train one model." in shown
    assert "a key of `variants`" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: name"),
        (["refined", "cyclic"], "unrecognized arguments: cyclic"),
        (["--name", "refined"], "unrecognized arguments: --name"),
    ],
)
def test_mistakes_exit_with_2_before_any_work(monkeypatch, capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        call(monkeypatch, *arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_as_a_program():
    program = (
        "from fifteen.common.command import name_argument; print(name_argument('What.', 'which'))"
    )
    ends = [
        subprocess.run(
            [sys.executable, "-c", program, *names],
            capture_output=True, text=True, check=False,
        )
        for names in (["cyclic"], [])
    ]  # fmt: skip
    assert [(end.returncode, end.stdout) for end in ends] == [(0, "cyclic\n"), (2, "")]
    assert "Traceback" not in ends[1].stderr
