"""`make run` without network on a fresh clone: the demo, and nothing of the user's changed."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

pytestmark = pytest.mark.timeout(400)


def edit(params):
    """Only the baseline, for one epoch."""
    params["data"]["source"] = "cifar100"
    params["budget"]["epochs"] = 1
    params["variants"] = params["searches"] = params["ensembles"] = {}


@pytest.fixture(scope="module")
def fresh(clone):
    """A clone as a user gets it: committed results, but nothing in DVC's cache.

    Its .venv borrows the files of this interpreter, so that nothing has to be installed.
    """
    project = clone(edit, results=True)
    (project.root / "demo.txt").write_text("data.source=digits  # all there is to change here\n")
    project.commit()
    venv = project.root / ".venv"
    venv.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".ready":
            (venv / path.name).symlink_to(path)
    (venv / ".ready").write_text(f"{project.root}\n")
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
    assert any(line.split()[:1] == ["baseline"] for line in lines), output
    assert "make serve MODEL=fifteen-digits@champion\n" in output
    assert "On CIFAR-100: " in output

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
    assert " baseline " in again
    assert fresh.changes() == []
    assert set(fresh.runs()) == set(runs)


@pytest.fixture
def demo(fresh):
    """The same, with the demo run."""
    fresh.run("make", "demo")
    return fresh


def digit(path):
    """A picture file of the first of scikit-learn's digits, a zero, enlarged."""
    pixels = (load_digits().images[0] * 15.9).astype(np.uint8)
    Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC).save(path)
    return str(path)


def post(port, body):
    """The status and the answer of the scoring server."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_prediction_and_serving_of_the_demo_s_champion(demo, tmp_path):
    picture = digit(tmp_path / "zero.png")
    model = "fifteen-digits@champion"
    (answer,) = demo.read("python", "src/predict.py", picture, "--model", model, "--json")
    assert answer["picture"] == picture
    ranking = [entry["class"] for entry in answer["classes"]]
    assert len(set(ranking) & set("0123456789")) == 5

    status, output = demo.attempt("python", "src/predict.py", picture)
    assert status == 1
    assert "error: no model fifteen-cifar100@champion" in output
    assert model in output

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = demo.start("make", "serve", f"MODEL={model}", f"SCORING_PORT={port}")
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and server.poll() is None:
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5),
            ):
                break
            time.sleep(0.5)
        request = demo.run("python", "src/predict.py", picture, "--request")
        status, found = post(port, request.encode())
        assert status == 200, found
        (probabilities,) = json.loads(found)["predictions"]
        assert sum(probabilities) == pytest.approx(1, abs=1e-3)
        assert str(int(np.argmax(probabilities))) == ranking[0]
        for garbage in (b"garbage", b"{}", b'{"inputs": [[1, 2]]}', b'{"inputs": "a"}'):
            status, found = post(port, garbage)
            assert 400 <= status < 500, found
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        output, _ = server.communicate(timeout=60)
    assert "Uvicorn running on http://127.0.0.1" in output
