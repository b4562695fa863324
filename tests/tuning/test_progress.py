import re

from fifteen.tuning import progress as module
from fifteen.tuning.oracle import Rung
from fifteen.tuning.progress import Progress, duration

import pytest

# Three trials of 2 epochs, the best of which goes on for 4 more: 4 trials, 10 epochs.
RUNGS = [
    Rung(bracket=1, number=0, trials=3, epochs=2, new_epochs=2),
    Rung(bracket=1, number=1, trials=1, epochs=6, new_epochs=4),
]


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until `now` is changed."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def progress(tmp_path):
    return Progress(tmp_path / "tune.log")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (45.3, "45 s"),
        (89, "89 s"),
        (90, "2 min"),  # 1.5, rounded to even
        (100, "2 min"),
        (720, "12 min"),
        (3540, "59 min"),
        (3569, "59 min"),
        (3571, "1 h 00 min"),
        (3600, "1 h 00 min"),
        (3900, "1 h 05 min"),
        (7140, "1 h 59 min"),
        (90_000, "25 h 00 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_a_line_after_each_trial(progress, clock, capsys):
    progress.begin(RUNGS, 0)
    clock.now += 30
    progress.ended(1, 2, 0.5)  # 15 s an epoch, 8 epochs left
    clock.now += 10
    progress.ended(2, 4, 0.61239)  # 10 s an epoch, 6 left
    clock.now += 20
    progress.ended(3, 6, 0.61239)  # still 10 s an epoch, 4 left
    clock.now += 400
    progress.ended(4, 10, 1.0)
    assert capsys.readouterr().out.splitlines() == [
        "1 of 4 trials, best validation accuracy 50.00%, about 2 min left",
        "2 of 4 trials, best validation accuracy 61.24%, about 60 s left",
        "3 of 4 trials, best validation accuracy 61.24%, about 40 s left",
        "4 of 4 trials, best validation accuracy 100.00%, about 0 s left",
    ]


def test_a_resumed_search_counts_all_trials_but_the_time_of_its_own(progress, clock, capsys):
    progress.begin(RUNGS, 4)
    clock.now += 14
    progress.ended(3, 6, 0.7)  # 7 s an epoch in this session, 4 left
    assert capsys.readouterr().out == (
        "3 of 4 trials, best validation accuracy 70.00%, about 28 s left\n"
    )


def test_nothing_is_known_before_this_session_has_trained(progress, clock, capsys):
    progress.begin(RUNGS, 4)
    clock.now += 14
    progress.ended(2, 4, 0.7)
    assert capsys.readouterr().out == (
        "2 of 4 trials, best validation accuracy 70.00%, time left unknown\n"
    )


def test_the_time_left_is_never_negative(progress, clock, capsys):
    progress.begin(RUNGS, 0)
    clock.now += 14
    progress.ended(4, 12, 0.7)
    assert capsys.readouterr().out.endswith(", about 0 s left\n")


def test_the_log_has_the_same_lines_with_their_time(progress, clock, capsys):
    progress.begin(RUNGS, 0)
    progress.say("search for tuned: größer")
    clock.now += 30
    progress.ended(1, 2, 0.5)
    printed = capsys.readouterr().out.splitlines()
    logged = progress.log.read_text(encoding="utf-8").splitlines()
    time = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d "
    assert len(logged) == len(printed) == 2
    for line, text in zip(logged, printed, strict=True):
        assert re.fullmatch(time + re.escape(text), line)


def test_a_later_session_adds_to_the_log(progress, clock, tmp_path):
    progress.say("the first session")
    Progress(tmp_path / "tune.log").say("the second")
    lines = progress.log.read_text(encoding="utf-8").splitlines()
    assert [line.split(" ", 2)[2] for line in lines] == ["the first session", "the second"]
