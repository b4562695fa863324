"""A clone of this repository, in which benchmarks run `dvc` and single stages as a user would."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent
FOREIGN = ("DVC_", "GIT_", "MLFLOW_", "PYTHON")  # settings that are not those of the clone


@dataclass(frozen=True)
class Record:
    """What a run of a stage's script took.

    Attributes:
        command: the script, and its arguments.
        began: seconds since 1970.
        ended: the same.
        peak: most of its memory that was resident at once, in bytes.
        calls: how often, and how many seconds: import statements, and by name what it asked MLflow.
    """

    command: list[str]
    began: float
    ended: float
    peak: int
    calls: dict[str, tuple[int, float]]

    @property
    def seconds(self) -> float:
        """From its start to its end."""
        return self.ended - self.began

    @property
    def imports(self) -> float:
        """Seconds in import statements."""
        return self.calls["import"][1]

    @property
    def tracking(self) -> float:
        """Seconds in which it waited for MLflow."""
        return sum(seconds for name, (_, seconds) in self.calls.items() if name != "import")


@dataclass(frozen=True)
class Repro:
    """What a `dvc repro` took.

    Attributes:
        records: the stages that it ran, in turn.
        seconds: from its start to its end.
        after: for each stage the seconds until the next began, or all was done: DVC's own.
    """

    records: list[Record]
    seconds: float
    after: list[float]


@dataclass(frozen=True)
class Clone:
    """A repository of its own; in it `python` keeps records of the scripts that it runs."""

    root: Path
    records: Path
    environment: dict[str, str]

    def seconds(self, *command: str | Path) -> float:
        """How long a command takes that must succeed; what it prints goes to the standard error."""
        began = time.perf_counter()
        subprocess.run(command, cwd=self.root, env=self.environment, check=True, stdout=sys.stderr)
        return time.perf_counter() - began

    def output(self, *command: str) -> str:
        """What a command prints that must succeed."""
        return subprocess.check_output(command, cwd=self.root, env=self.environment, text=True)

    def repro(self, *arguments: str) -> Repro:
        """Run `dvc repro`."""
        self.records.write_text("", encoding="utf-8")
        seconds = self.seconds(PROGRAMS / "dvc", "repro", *arguments)
        records, ended = self._read_records(), time.time()
        next_began = [*(record.began for record in records[1:]), ended]
        after = [b - record.ended for record, b in zip(records, next_began, strict=False)]
        return Repro(records, seconds, after)

    def stage(self, *command: str) -> Record:
        """Run one script without DVC."""
        self.records.write_text("", encoding="utf-8")
        self.seconds("python", *command)
        return self._read_records()[0]

    def edit_params(self, edit: Callable[[dict[str, Any]], None]) -> None:
        """Change the content of params.yaml."""
        yaml, path = YAML(), self.root / "params.yaml"
        content = yaml.load(path)
        edit(content)
        yaml.dump(content, path)

    def _read_records(self) -> list[Record]:
        lines = self.records.read_text(encoding="utf-8").splitlines()
        return [Record(**json.loads(line)) for line in lines]


@contextmanager
def clone() -> Iterator[Clone]:
    """A temporary clone of what is committed, with an empty MLflow store."""
    with tempfile.TemporaryDirectory() as temporary:
        root, programs = Path(temporary) / "clone", Path(temporary) / "programs"
        records = Path(temporary) / "records"
        subprocess.run(["git", "clone", "--quiet", ROOT, root], check=True)
        programs.mkdir()
        recorded = ROOT / "benchmarks" / "recorded_stage.py"
        python = programs / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{recorded}" "{records}" "$@"\n')
        python.chmod(0o755)
        own = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        path = os.pathsep.join([str(programs), str(PROGRAMS), own["PATH"]])
        yield Clone(root, records, own | {"PATH": path})
