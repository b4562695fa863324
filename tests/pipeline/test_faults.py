"""Full disks, a server that goes away, a loss that is not finite, damaged files."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest
from hostile import pickled, with_lambda
from PIL import Image

pytestmark = [pytest.mark.torture, pytest.mark.timeout(900)]

EPOCHS = 3
PREPARE = ("python", "src/prepare.py")
TRAIN = ("python", "src/train.py", "baseline")
OPEN_STORE = """
from fifteen.tracking.runs import open_store
open_store("digits")
"""


def edit(params):
    """The baseline alone, on the digits."""
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = EPOCHS
    params["variants"] = params["searches"] = params["ensembles"] = {}


@pytest.fixture(scope="module")
def prepared(clone):
    """A project with prepared data."""
    project = clone(edit)
    project.run("dvc", "repro", "prepare")
    return project


@pytest.fixture(scope="module")
def undisturbed(prepared, tmp_path_factory):
    """A copy of it with the baseline trained."""
    project = prepared.copy(tmp_path_factory.mktemp("undisturbed"))
    project.run(*TRAIN)
    return project


@pytest.fixture
def project(prepared, tmp_path):
    """Another one, to meet a fault."""
    return prepared.copy(tmp_path)


def errors(output):
    """What is said of what went wrong."""
    assert "Traceback" not in output, output
    return [line for line in output.splitlines() if line.startswith("error: ")]


def fails(project, *command):
    """The one error of a command."""
    status, output = project.attempt(*command)
    assert status == 1, output
    (error,) = errors(output)
    return error, output


def assert_as_if_nothing_had_happened(project, undisturbed):
    """One finished run, with every epoch once and the numbers of an undisturbed training."""
    (run,), (other,) = project.runs().values(), undisturbed.runs().values()
    assert run.info.status == "FINISHED"
    for metric in ("train/loss", "val/accuracy", "learning_rate"):
        curve = project.curve(run.info.run_id, metric)
        assert curve == undisturbed.curve(other.info.run_id, metric)
    results = [p.json("models/baseline/result.json") for p in (project, undisturbed)]
    for key in ("validation", "best_epoch", "epochs", "temperature"):
        assert results[0][key] == results[1][key]
    assert not [path for path in project.root.rglob("*.partial*") if ".git" not in path.parts]


# Full disks


@contextmanager
def small_disk(folder, kibibytes):
    """A disk of its own at `folder`, with what is there; gives a function that makes it large."""

    def mount(*options):
        done = subprocess.run(["mount", *options, folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")

    def enlarge():
        mount("-o", "remount,size=200m")

    aside = folder.with_name(f"{folder.name} aside")
    folder.mkdir(exist_ok=True)
    folder.rename(aside)
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs")
        try:
            shutil.copytree(aside, folder, dirs_exist_ok=True)
            yield enlarge
        finally:
            # Lazily, as MLflow in this process may have its database open.
            subprocess.run(["umount", "--lazy", folder], check=True)
    finally:
        shutil.rmtree(aside)


needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux can mount a small disk"
)


@needs_root
@pytest.mark.parametrize("kibibytes", [64, 4600, 5100], ids=["at-once", "test-part", "checksums"])
def test_the_disk_is_full_in_prepare(project, faults, kibibytes):
    expected = project.json("data/trainval/checksums.json")
    shutil.rmtree(project.root / "data")
    with small_disk(project.root / "data", kibibytes) as enlarge:
        error, _ = fails(project, *PREPARE)
        assert error.startswith("error: no space is left on the disk")
        assert not list((project.root / "data").iterdir())
        enlarge()
        project.run(*PREPARE)
        assert project.json("data/trainval/checksums.json") == expected
    faults.record(
        "disk full", "`prepare`", "one line; nothing half-written; the rerun makes the same bytes"
    )


@needs_root
def test_the_disk_is_full_at_a_checkpoint(project, undisturbed, faults):
    # The weights have 5 MB and the state 15; in the second epoch there are two of each at times.
    with small_disk(project.root / ".fifteen", 22_000) as enlarge:
        error, _ = fails(project, *TRAIN)
        assert error.startswith("error: no space is left on the disk")
        assert {run.info.status for run in project.runs().values()} == {"FAILED"}
        assert not (project.root / "models").exists()
        enlarge()
        assert f"resuming after epoch 1 of {EPOCHS}" in project.run(*TRAIN)
    assert_as_if_nothing_had_happened(project, undisturbed)
    faults.record(
        "disk full", "a checkpoint", "one line; the run is marked failed; the rerun goes on from it"
    )


@needs_root
@pytest.mark.parametrize("spare", [72, 400], ids=["metrics", "artifacts"])
def test_the_disk_is_full_as_mlflow_logs(project, undisturbed, faults, spare):
    store = project.root / "mlruns"
    project.run("env", "DVC_ROOT=.", "python", "-c", OPEN_STORE)
    size = (store / "mlflow.db").stat().st_size // 1024
    with small_disk(store, size + spare) as enlarge:
        error, output = fails(project, *TRAIN)
        assert "full" in error or "no space is left" in error
        assert f"Epoch {EPOCHS}/{EPOCHS}" in output
        enlarge()
        assert f"resuming after epoch {EPOCHS} of {EPOCHS}" in project.run(*TRAIN)
        assert_as_if_nothing_had_happened(project, undisturbed)
    faults.record(
        "disk full", "MLflow's store", "training goes on to its end; one line; the rerun delivers"
    )


# A server that goes away


def test_the_server_is_killed_in_the_middle_of_a_training(prepared, server, tmp_path, faults):
    fast = {"MLFLOW_TRACKING_URI": server.address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    project = prepared.copy(tmp_path, no_proxy="127.0.0.1", **fast)
    process, output = project.start(*TRAIN), []
    for line in process.stdout:
        output.append(line)
        if line.startswith("Epoch 2/"):
            server.kill()
    assert process.wait() == 1
    output = "".join(output)
    assert f"Epoch {EPOCHS}/{EPOCHS}" in output
    assert "the curves wait, as the MLflow store failed" in output
    (error,) = errors(output)
    assert error.startswith(f"error: the MLflow store {server.address} failed: ")
    assert "What is trained is kept. Put the store right and run the same command again." in output

    server.start()
    assert f"resuming after epoch {EPOCHS} of {EPOCHS}" in project.run(*TRAIN)
    (run,) = project.runs().values()
    assert run.info.status == "FINISHED"
    for metric in ("train/loss", "val/accuracy"):
        curve = project.curve(run.info.run_id, metric)
        assert [step for step, _ in curve] == list(range(1, EPOCHS + 1))
    assert {"result.json", "images"} <= {
        file.path for file in project.client.list_artifacts(run.info.run_id)
    }
    faults.record(
        "tracking server killed",
        "in the middle of a training",
        "training goes on to its end; one line; the rerun delivers every epoch, to the same run",
    )


# A loss that is not finite


def test_a_loss_that_is_not_finite(project, undisturbed, faults):
    def explode(params):
        optimizer = {"name": "muon", "sgd_rate": 1000, "weight_decay_of_dense": 1.0}
        params["baseline"] |= {"optimizer": optimizer, "schedule": {"name": "constant", "rate": 10}}

    params = project.root / "params.yaml"
    good = params.read_bytes()
    project.edit(explode)
    error, _ = fails(project, *TRAIN)
    assert re.match(r"error: the loss became (nan|inf) .* in epoch \d; lower the learning", error)
    assert not (project.root / "models").exists()
    (failed,) = project.runs().values()
    assert failed.info.status == "FAILED"
    params.write_bytes(good)
    project.run(*TRAIN)
    assert project.runs()[failed.info.run_id].info.status == "FAILED"
    project.client.delete_run(failed.info.run_id)
    assert_as_if_nothing_had_happened(project, undisturbed)
    faults.record(
        "loss not finite", "training", "stopped after the epoch; marked failed; one line says why"
    )


# Damaged files


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[: len(content) // 2], id="truncated"),
        pytest.param(lambda content: content[:-1] + bytes([content[-1] ^ 1]), id="altered"),
    ],
)
def test_damaged_data(project, faults, damage, request):
    images = project.root / "data/trainval/train_images.npy"
    good = images.read_bytes()
    images.unlink()  # it may be a link into DVC's cache
    images.write_bytes(damage(good))
    kind = request.node.callspec.id
    if kind == "truncated":
        error, _ = fails(project, *TRAIN)
        assert "data/trainval is not usable" in error
        assert error.endswith("run `dvc repro prepare`")
    output = project.run("dvc", "repro", "prepare")
    assert "prepare" in output
    assert images.read_bytes() == good
    outcome = "one line in a stage called by hand; " if kind == "truncated" else ""
    faults.record(f"{kind} array", "`data/trainval`", f"{outcome}`dvc repro` restores it")


def truncated(model, trace):
    model.write_bytes(model.read_bytes()[: model.stat().st_size // 2])


@pytest.mark.parametrize(
    ("spoil", "what", "said"),
    [
        (truncated, "truncated model file", "damaged, or no Keras file"),
        (with_lambda, "model file with code in a Lambda layer", "`Lambda` layer"),
        (pickled, "model file with pickled code", "damaged, or no Keras file"),
    ],
    ids=["truncated", "lambda", "pickled"],
)
def test_spoiled_model_files(undisturbed, tmp_path, faults, spoil, what, said):
    project = undisturbed.copy(tmp_path)
    model, picture = "models/baseline/model.keras", tmp_path / "red.png"
    Image.new("RGB", (32, 32), "red").save(picture)
    trace = tmp_path / "trace"
    spoil(project.root / model, trace)
    error, _ = fails(project, "python", "src/predict.py", str(picture), "--model", model)
    assert error.startswith(f"error: {model} cannot be loaded (")
    assert said in error
    assert error.endswith("; `dvc repro` makes the models of this project anew")
    assert not trace.exists()
    faults.record(what, "`src/predict.py`", "one line; nothing of the file is executed")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[: len(content) // 2], id="truncated"),
        pytest.param(lambda content: b"no database" * 1000, id="overwritten"),
    ],
)
def test_a_damaged_store(undisturbed, tmp_path, faults, damage, request):
    project = undisturbed.copy(tmp_path)
    database = project.root / "mlruns" / "mlflow.db"
    bad = damage(database.read_bytes())
    database.write_bytes(bad)
    error, _ = fails(project, *TRAIN)
    assert f"{database} is damaged" in error
    assert "move it out of the way, and the next run begins a new one" in error
    assert database.read_bytes() == bad
    database.rename(tmp_path / "out of the way")
    project.run(*TRAIN)
    assert_as_if_nothing_had_happened(project, undisturbed)
    kind = request.node.callspec.id
    faults.record(f"{kind} mlflow.db", "training", "one line; moved away, the next run begins anew")


def test_an_emptied_lock_file(project, faults):
    project.run("dvc", "repro", "train_baseline")
    trained = project.json("models/baseline/result.json")
    (project.root / "dvc.lock").write_text("", encoding="utf-8")
    status, output = project.attempt("dvc", "repro", "train_baseline")
    assert status != 0
    assert "dvc.lock" in output
    project.run("git", "checkout", "--quiet", "dvc.lock")
    assert "Running stage" not in project.run("dvc", "repro", "train_baseline")
    assert project.json("models/baseline/result.json") == trained
    assert len(project.runs()) == 1
    outcome = "dvc names it; after `git checkout dvc.lock` what was trained comes from DVC's cache"
    faults.record("emptied dvc.lock", "`dvc repro`", outcome)


# A dvc that is ended alone


def test_an_orphan_is_waited_for(prepared, undisturbed, tmp_path, faults):
    """SIGTERM to dvc alone leaves its stage running; a second dvc takes turns with it."""
    project = prepared.copy(tmp_path)
    first = project.start("dvc", "repro", "train_baseline")
    for line in first.stdout:
        if line.startswith("Epoch 1/"):
            first.send_signal(signal.SIGTERM)
            break
    first.wait(timeout=60)
    assert project.processes(), "the stage has ended with dvc"
    project.run("dvc", "repro", "train_baseline")
    assert not project.processes()
    first.stdout.close()
    assert_as_if_nothing_had_happened(project, undisturbed)
    assert project.run("dvc", "status", "train_baseline").strip().endswith("up to date.")
    faults.record(
        "SIGTERM to dvc alone",
        "`train_baseline`",
        "its stage goes on, the rerun waits for it; the same metrics, one finished run",
    )
