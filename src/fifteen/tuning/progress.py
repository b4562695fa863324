"""How far a search is, for a person at a terminal and in a file."""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from fifteen.tuning.oracle import Rung


class Progress:
    """Says in one line after each trial how many are done, the best so far, and the time left."""

    def __init__(self, log: Path) -> None:
        """Add what is said to the file `log` too."""
        self.log = log

    def begin(self, rungs: Sequence[Rung], epochs_done: int) -> None:
        """Start the clock of a search of `rungs`; earlier sessions have trained `epochs_done`."""
        self._trials = sum(rung.trials for rung in rungs)
        self._epochs = sum(rung.trials * rung.new_epochs for rung in rungs)
        self._epochs_before = epochs_done
        self._began = time.monotonic()

    def say(self, line: str) -> None:
        """Print a line, and add it to the file with the time of day."""
        print(line, flush=True)
        with self.log.open("a", encoding="utf-8") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M:%S} {line}\n")

    def ended(self, trials_done: int, epochs_done: int, best: float) -> None:
        """Say how far the search is; `best` is the best validation accuracy so far."""
        self.say(
            f"{trials_done} of {self._trials} trials, best validation accuracy {best:.2%}, "
            f"{self._left(epochs_done)}"
        )

    def _left(self, epochs_done: int) -> str:
        """The time left, if epochs go on taking what they took in this session."""
        new = epochs_done - self._epochs_before
        if new <= 0:
            return "time left unknown"
        per_epoch = (time.monotonic() - self._began) / new
        return f"about {duration(per_epoch * max(self._epochs - epochs_done, 0))} left"


def duration(seconds: float) -> str:
    """Seconds for reading: `45 s`, `12 min`, `1 h 05 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
