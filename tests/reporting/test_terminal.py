from pathlib import Path

from fifteen.reporting.terminal import next_steps


def test_the_next_steps_are_of_these_results():
    text = next_steps(Path("a/report.html"), "digits", "dvc exp run -S seed=1")
    steps = {
        what: how.strip() for what, how in (line.split(":  ", 1) for line in text.splitlines())
    }
    assert steps["Report, with figures"] == "a/report.html"
    assert steps["Ask the best model"] == "make serve MODEL=fifteen-digits@champion"
    assert steps["Change one thing"] == "dvc exp run -S seed=1"
