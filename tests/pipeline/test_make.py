"""`make run` without network on a fresh clone: the demo, and nothing of the user's changed."""

import dataclasses
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(400)


def edit(params):
    """Only the baseline, for one epoch."""
    params["data"]["source"] = "cifar100"
    params["budget"]["epochs"] = 1
    params["variants"], params["ensembles"] = {}, {}


@pytest.fixture(scope="module")
def fresh(clone):
    """A clone as a user gets it: committed results, but nothing in DVC's cache.

    Its .venv borrows the files of this interpreter, so that nothing has to be installed.
    """
    project = clone(edit, results=True)
    venv = project.root / ".venv"
    venv.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".ready":
            (venv / path.name).symlink_to(path)
    (venv / ".ready").touch()
    # Should make want to install, it cannot.
    return dataclasses.replace(project, environment=project.environment | {"PYTHON": "false"})


def test_run_without_network_is_the_demo(fresh):
    committed = (fresh.root / "params.yaml").read_text()
    process, began = fresh.start("make", "run"), time.monotonic()
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "cifar100 is not" in line:
            seconds = time.monotonic() - began
    output = "".join(lines)
    assert process.wait(timeout=60) == 0, output

    assert "cifar100 is not" in lines[0]
    assert seconds < 10
    archive = Path("downloads/manual/cifar-100-binary.tar.gz")
    assert str(Path(fresh.environment["TFDS_DATA_DIR"]) / archive) in lines[0]
    assert "Running stage 'report'" in output
    assert "Traceback" not in output
    assert any(line.startswith("baseline  single") for line in lines), output

    assert fresh.changes() == []
    assert (fresh.root / "params.yaml").read_text() == committed
    assert not (fresh.root / "data").exists()
    assert not (fresh.root / "models").exists()
    assert fresh.run("dvc", "exp", "list", "--name-only").split() == ["demo"]
    runs = fresh.runs()
    assert {run.info.run_name for run in runs.values()} == {"baseline"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert {run.data.tags["dvc.exp_name"] for run in runs.values()} == {"demo"}

    again = fresh.run("make", "demo")
    assert "Running stage" not in again
    assert "baseline  single" in again
    assert fresh.changes() == []
    assert set(fresh.runs()) == set(runs)
