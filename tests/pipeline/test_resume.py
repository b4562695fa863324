"""A training stopped at any moment and started again ends as if nothing had happened."""

import csv
import re
import signal

import keras
import numpy as np
import pytest

pytestmark = pytest.mark.timeout(400)

EPOCHS = 8
TRAIN = ("python", "src/train.py", "baseline")


def edit(params):
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = EPOCHS


@pytest.fixture(scope="module")
def untrained(clone):
    """A project with prepared data."""
    project = clone(edit)
    project.run("python", "src/prepare.py")
    return project


@pytest.fixture
def disturbed(untrained, tmp_path):
    """A copy of it, to be trained with interruptions."""
    return untrained.copy(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(untrained, tmp_path_factory):
    """Another one, trained in one go."""
    project = untrained.copy(tmp_path_factory.mktemp("undisturbed"))
    project.run(*TRAIN)
    return project


def history(project):
    """The rows of history.csv without the time they took."""
    with (project.root / "models/baseline/history.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def weights(project):
    return keras.models.load_model(project.root / "models/baseline/model.keras").get_weights()


@pytest.mark.parametrize(
    ("signum", "line", "occurrence", "exit_status", "run_statuses"),
    [
        pytest.param(signal.SIGKILL, "Epoch 3/", 1, -9, {"RUNNING"}, id="killed-within-an-epoch"),
        # Keras prints the numbers of an epoch just before the checkpoint is written.
        pytest.param(
            signal.SIGTERM, r"\d+/\d+ - ", 2, 143, {"FAILED", "KILLED"}, id="stopped-at-its-end"
        ),
    ],
)
def test_resume(undisturbed, disturbed, signum, line, occurrence, exit_status, run_statuses):
    status, seconds = disturbed.stop(*TRAIN, signum=signum, line=line, occurrence=occurrence)
    assert status == exit_status
    assert seconds < 15
    assert not (disturbed.root / "models/baseline").exists()
    (stopped,) = disturbed.runs().values()
    assert stopped.info.status in run_statuses

    output = disturbed.run(*TRAIN)
    assert re.search(rf"resuming after epoch [12] of {EPOCHS}$", output, re.MULTILINE)

    assert len(history(disturbed)) == EPOCHS
    assert history(disturbed) == history(undisturbed)
    results = [p.json("models/baseline/result.json") for p in (disturbed, undisturbed)]
    for key in ("validation", "best_epoch", "epochs", "images_seen"):
        assert results[0][key] == results[1][key]
    for ours, theirs in zip(weights(disturbed), weights(undisturbed), strict=True):
        np.testing.assert_array_equal(ours, theirs)

    (run,) = disturbed.runs().values()  # the same run: one per resume key
    assert run.info.run_id == stopped.info.run_id == results[0]["run_id"]
    assert run.info.status == "FINISHED"
    (other,) = undisturbed.runs().values()
    keys = [r.data.tags["resume.key"] for r in (run, stopped, other)]
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]  # each checkout resumes its own runs only ...
    assert keys[0].rpartition("-")[0] == keys[2].rpartition("-")[0]  # ... of the same training
    for metric in ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "learning_rate"):
        curve = disturbed.curve(run.info.run_id, metric)
        assert curve == undisturbed.curve(other.info.run_id, metric)
        steps = range(1, EPOCHS + 1) if "/" in metric else range(len(curve))
        assert [step for step, _ in curve] == list(steps)


def test_a_training_is_kept_until_dvc_has_recorded_it(undisturbed, tmp_path):
    project = undisturbed.copy(tmp_path)  # as a kill leaves it after the training's end
    (key,) = (run.data.tags["resume.key"] for run in project.runs().values())
    output = project.run("dvc", "repro", "--single-item", "train_baseline")
    assert f"resuming after epoch {EPOCHS} of {EPOCHS}" in output
    (run,) = project.runs().values()
    result = project.json("models/baseline/result.json")
    assert result == undisturbed.json("models/baseline/result.json")
    assert (result["run_id"], run.data.tags["resume.key"]) == (run.info.run_id, key)
    assert run.info.status == "FINISHED"
    for metric in ("val/accuracy", "val/best_accuracy", "train/seconds", "learning_rate"):
        curve = project.curve(run.info.run_id, metric)
        assert curve == undisturbed.curve(run.info.run_id, metric)
    assert len(project.client.search_logged_models([run.info.experiment_id])) == 1
    images = project.client.list_artifacts(run.info.run_id, "images")
    assert images == undisturbed.client.list_artifacts(run.info.run_id, "images")
    for ours, theirs in zip(weights(project), weights(undisturbed), strict=True):
        np.testing.assert_array_equal(ours, theirs)

    # What DVC has recorded is trained anew, and what was kept makes room for it.
    output = project.run("dvc", "repro", "--force", "--single-item", "train_baseline")
    assert "resuming" not in output
    assert len(project.runs()) == 2
    (kept,) = (project.root / ".fifteen").glob("*/state.npz")
    (name,) = (path.name for path in (project.root / ".fifteen").iterdir() if path.is_dir())
    assert kept.parent.name == name
