"""Clones of the working tree, in which tests run `dvc` and `make` as a user would."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import psutil
import pytest
from faults import Faults
from mlflow import MlflowClient
from mlflow.entities import Run
from ruamel.yaml import YAML
from servers import Server, free_port

ROOT = Path(__file__).parents[2]
RESULTS = ("dvc.lock", "reports/")
MEASURED = ("reports/provenance.json",)  # no stage of dvc.yaml makes it
COMMAND_TIMEOUT = 400  # seconds


@dataclass(frozen=True)
class Project:
    """A repository of its own in a folder with a space in its name."""

    root: Path
    environment: dict[str, str]

    def copy(self, folder: Path, **variables: str) -> "Project":
        """A copy of it in a folder, with further variables in its environment."""
        root = shutil.copytree(self.root, folder / "another clone")
        return Project(root, self.environment | variables)

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the content of params.yaml."""
        yaml, params = YAML(), self.root / "params.yaml"
        content = yaml.load(params)
        change(content)
        yaml.dump(content, params)

    def start(self, *command: str) -> subprocess.Popen[str]:
        """A running command, both of whose streams can be read from its `stdout`."""
        return subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def stop(
        self, *command: str, signum: signal.Signals, line: str, occurrence: int = 1
    ) -> tuple[int, float]:
        """Send a signal as a line appears for the nth time; the exit status, and how long it took.

        Args:
            command: what is run.
            signum: the signal.
            line: a regular expression of how the line begins.
            occurrence: n.
        """
        process = self.start(*command)
        seen, output = 0, []
        for text in process.stdout:
            output.append(text)
            seen += bool(re.match(line, text))
            if seen == occurrence:
                break
        assert seen == occurrence, "".join(output)
        process.send_signal(signum)
        began = time.monotonic()
        process.communicate(timeout=60)
        return process.returncode, time.monotonic() - began

    def attempt(self, *command: str) -> tuple[int, str]:
        """The exit status and the output of a command."""
        process = self.start(*command)
        try:
            output, _ = process.communicate(timeout=COMMAND_TIMEOUT)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # and the stage that dvc has started
            raise
        return process.returncode, output

    def run(self, *command: str) -> str:
        """The output of a command that must succeed."""
        status, output = self.attempt(*command)
        assert status == 0, output
        return output

    def read(self, *command: str) -> Any:
        """The JSON that a command prints."""
        printed = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            timeout=COMMAND_TIMEOUT,
            check=True,
        )
        return json.loads(printed.stdout)

    def json(self, path: str) -> Any:
        """The content of a JSON file."""
        return json.loads((self.root / path).read_text(encoding="utf-8"))

    def commit(self) -> None:
        """Commit everything; no git identity is configured, as on a fresh machine."""
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        self.run("git", "add", "--all")
        self.run("git", *identity, "commit", "--quiet", "--message", "test")

    def changes(self) -> list[str]:
        """What `git status` says of each changed or new file."""
        return self.run("git", "status", "--porcelain").splitlines()

    def restore(self) -> None:
        """Bring the workspace back to what was committed."""
        self.run("git", "reset", "--quiet", "--hard")
        self.run("git", "clean", "--quiet", "-d", "--force")
        self.run("dvc", "checkout", "--quiet", "--force")

    def run_queue(self, queued: list[str], workers: int, within: float) -> tuple[str, list[str]]:
        """What `dvc queue status` says once all queued experiments have ended, and their logs.

        Args:
            queued: their names.
            workers: how many work at once.
            within: seconds that all of them may take.
        """
        # Its exit is not awaited: DVC forks the workers, and has been seen not to end after that on
        # a busy machine.
        started = self.start("dvc", "queue", "start", "--jobs", str(workers))
        try:
            ends = time.monotonic() + within
            while re.search("Queued|Running", status := self.run("dvc", "queue", "status")):
                assert time.monotonic() < ends, status
                time.sleep(2)
            return status, [self.run("dvc", "queue", "logs", name) for name in queued]
        finally:
            self.attempt("dvc", "queue", "stop", "--kill")
            ends = time.monotonic() + 60
            while "0 active, 0 idle" not in self.run("dvc", "queue", "status"):
                assert time.monotonic() < ends, "the workers do not stop"
                time.sleep(1)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait()
            started.stdout.close()

    def processes(self) -> list[psutil.Process]:
        """What runs with this as its working directory."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):  # it has just ended
                if process.cwd() == str(self.root):
                    found.append(process)
        return found

    @property
    def tracking_uri(self) -> str:
        server = self.environment.get("MLFLOW_TRACKING_URI")
        return server or f"sqlite:///{self.root / 'mlruns' / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.tracking_uri)

    def runs(self) -> dict[str, Run]:
        """The MLflow runs of the digits experiment by id."""
        file = Path(self.tracking_uri.removeprefix("sqlite:///"))
        if self.tracking_uri.startswith("sqlite:///") and not file.exists():
            return {}  # MLflow would make it
        experiment = self.client.get_experiment_by_name("fifteen-digits")
        found = self.client.search_runs([experiment.experiment_id]) if experiment else []
        return {run.info.run_id: run for run in found}

    def curve(self, run_id: str, metric: str) -> list[tuple[int, float]]:
        """Every value logged of a metric with its step, sorted by step."""
        history = self.client.get_metric_history(run_id, metric)
        return sorted((point.step, point.value) for point in history)


def git_files() -> list[str]:
    """What git knows of the working tree, or would add."""
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [file for file in listed.stdout.split("\0") if (ROOT / file).is_file()]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """This interpreter's programs, no settings of the user, no data set and no network."""
    foreign = ("DVC_", "GIT_", "MAKE", "MFLAGS", "MLFLOW_", "PYTHON", "TF_")
    home = tmp_path_factory.mktemp("home")
    nowhere = "http://127.0.0.1:9"
    return {key: value for key, value in os.environ.items() if not key.startswith(foreign)} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "TFDS_DATA_DIR": str(home / "tensorflow_datasets"),
        "http_proxy": nowhere,
        "https_proxy": nowhere,
        "no_proxy": "",
        "CUDA_VISIBLE_DEVICES": "-1",  # the same numbers again to the last bit: on a CPU only
    }


@pytest.fixture(scope="session")
def clone(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> Callable[..., Project]:
    """A function that makes a repository with this working tree, committed.

    Its `edit` changes the content of params.yaml; with `results` it has the committed results too.
    """

    def make(edit: Callable[[dict[str, Any]], None], results: bool = False) -> Project:
        project = Project(tmp_path_factory.mktemp("a clone"), environment)
        for file in git_files():
            result = file.startswith(RESULTS) and not file.startswith(MEASURED)
            if file.startswith("tests/") or (result and not results):
                continue
            (project.root / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, project.root / file)
        project.edit(edit)
        project.run("git", "init", "--quiet", "--initial-branch", "main")
        project.commit()
        return project

    return make


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """MLflow's tracking server, which runs, with all it keeps in one folder."""
    folder, port = tmp_path / "server", free_port()
    folder.mkdir()
    command = [str(Path(sys.executable).parent / "mlflow"), "server", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = Server(folder, f"http://127.0.0.1:{port}", command, environment)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def faults(request: pytest.FixtureRequest) -> Iterator[Faults]:
    """Takes down what was tried, for the page that FIFTEEN_RELIABILITY names, if all went well."""
    faults = Faults()
    yield faults
    page = os.environ.get("FIFTEEN_RELIABILITY")
    if page and not request.session.testsfailed:
        faults.write(ROOT / page)


@pytest.fixture
def hears_interrupts() -> Iterator[None]:
    """Commands hear Ctrl-C, also where the tests run in the background, deaf to it."""
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, kept)
