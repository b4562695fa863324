"""A stage's script, with a record of the time and the memory that it takes.

Usage: python benchmarks/recorded_stage.py RECORDS SCRIPT [ARGUMENT…]

Adds a line of JSON to the file RECORDS; `Record` in clone.py says what it holds.
"""

import builtins
import functools
import json
import os
import runpy
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

RSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of getrusage(2)
RUNS = ("new_run", "resumable_run", "continued_run")


class Clock:
    """How often the main thread calls what is watched, and the seconds that takes.

    Of calls within calls the outermost counts: what MLflow imports once it is asked is MLflow's.
    """

    def __init__(self) -> None:
        self.calls: dict[str, tuple[int, float]] = {}
        self._running = False

    @property
    def busy(self) -> bool:
        """Whether what comes now is part of a call that counts, or is another thread's."""
        return self._running or threading.current_thread() is not threading.main_thread()

    @contextmanager
    def time(self, what: str) -> Iterator[None]:
        """Time the block as one call."""
        if self.busy:
            yield
            return
        self._running, began = True, time.perf_counter()
        try:
            yield
        finally:
            self._running = False
            count, seconds = self.calls.get(what, (0, 0.0))
            self.calls[what] = count + 1, seconds + time.perf_counter() - began

    def function(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, watched."""

        @functools.wraps(call)
        def timed(*args: object, **more: object) -> object:
            with self.time(call.__name__):
                return call(*args, **more)

        return timed

    def manager(
        self, make: Callable[..., AbstractContextManager[Any]]
    ) -> Callable[..., AbstractContextManager[Any]]:
        """The same context manager, its entrance and its exit watched, the block not."""

        @contextmanager
        def timed(*args: object, **more: object) -> Iterator[Any]:
            with ExitStack() as stack:
                with self.time(make.__name__):
                    value = stack.enter_context(make(*args, **more))
                yield value
                with self.time(make.__name__):
                    stack.close()

        return timed


def watch(clock: Clock) -> None:
    """Watch all import statements, and once they have brought it the library's use of MLflow."""
    plain, parts = builtins.__import__, {"tracking": watch_tracking, "registry": watch_registry}

    def timed(*args: object, **more: object) -> ModuleType:
        if clock.busy:
            return plain(*args, **more)
        with clock.time("import"):
            module = plain(*args, **more)
        for name in [name for name in parts if f"fifteen.{name}" in sys.modules]:
            parts.pop(name)(sys.modules[f"fifteen.{name}"], clock)
        return module

    builtins.__import__ = timed


def watch_tracking(tracking: ModuleType, clock: Clock) -> None:
    """Watch what a stage asks MLflow for its run."""
    for name in RUNS:
        setattr(tracking, name, clock.manager(getattr(tracking, name)))
    for name, method in list(vars(tracking.TrackedRun).items()):
        if not name.startswith("_"):
            setattr(tracking.TrackedRun, name, clock.function(method))


def watch_registry(registry: ModuleType, clock: Clock) -> None:
    """Watch what `report` asks of the model registry."""
    registry.register = clock.function(registry.register)


def main() -> None:
    """Run the script in a fork, whose memory is then its own alone, and write the record."""
    records, *command = sys.argv[1:]
    reading, writing = os.pipe()
    began = time.time()
    child = os.fork()
    if not child:
        sys.argv, sys.path[0] = command, str(Path(command[0]).parent)
        clock = Clock()
        watch(clock)
        try:
            runpy.run_path(command[0], run_name="__main__")
        finally:
            os.write(writing, json.dumps(clock.calls).encode())
        return

    os.close(writing)
    _, status, usage = os.wait4(child, 0)
    record = {
        "command": command,
        "began": began,
        "ended": time.time(),
        "peak": usage.ru_maxrss * RSS_UNIT,
    }
    with os.fdopen(reading) as pipe:
        record["calls"] = json.loads(pipe.read() or "{}")
    with Path(records).open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(record)}\n")
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
