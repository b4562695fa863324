import os
import re
import sqlite3
import subprocess
import sys

from fifteen.common.errors import UserError
from fifteen.tracking.runs import (
    BATCH_LIMIT,
    LEARNING_RATES_PER_EPOCH,
    RESUME_KEY,
    continued_run,
    new_run,
    resumable_run,
)

import keras
import mlflow
import numpy as np
import pytest
from mlflow.entities import LoggedModelStatus, RunStatus
from mlflow.exceptions import MlflowException

PROGRAM = """
import sys
from pathlib import Path
from fifteen.tracking.runs import new_run
with new_run("together", sys.argv[1], "train " + sys.argv[1]) as run:
    run.log_series({"val/accuracy": [(1, 0.5)]})
    run.log_file(Path(sys.argv[2]), "notes")
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A main repository, in a path with a space, whose store three processes make at once.

    They work elsewhere, as the stages of `dvc exp run --temp` do.
    """
    root = tmp_path_factory.mktemp("main repository")
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    note = elsewhere / "note.txt"
    note.write_text("hello")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    environment |= {"DVC_ROOT": str(root)}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, name, str(note)],
            cwd=elsewhere,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in ("one", "two", "three")
    ]
    errors = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    assert [path.name for path in elsewhere.iterdir()] == ["note.txt"]
    return root


@pytest.fixture(autouse=True)
def outside_dvc(own_store, monkeypatch):
    for name in ("DVC_EXP_NAME", "DVC_EXP_BASELINE_REV"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
    return keras.Sequential(layers)


def runs_of(store, source):
    experiment = store.get_experiment_by_name(f"fifteen-{source}")
    return store.search_runs([experiment.experiment_id])


def models_of(store, source):
    experiment = store.get_experiment_by_name(f"fifteen-{source}")
    return store.search_logged_models([experiment.experiment_id])


def status(store, run_id):
    return store.get_run(run_id).info.status


def series(store, run_id, metric):
    return sorted((m.step, m.value) for m in store.get_metric_history(run_id, metric))


kept: list[str] = []  # the ids of the runs of `train`, in order


def train(source, key="k", until=2, name="baseline", error=None, parent=None):
    """A training that logs the epochs it has not logged, and may end in an error; its run's id."""
    with resumable_run(source, name, f"train {name}", key, parent) as run:
        rows = [{"epoch": epoch, "val_accuracy": epoch / 10} for epoch in range(1, until + 1)]
        run.log_history(rows, np.zeros(until, np.float32), 1)
        kept.append(run.id)
        if error:
            raise error
    return run.id


def killed(store, *arguments, **options):
    """As `train`, but the process got no chance to close its run."""
    run_id = train(*arguments, **options)
    store.update_run(run_id, RunStatus.to_string(RunStatus.RUNNING))
    return run_id


def test_three_processes_made_one_store(store, root):
    runs = runs_of(store, "together")
    assert sorted(run.info.run_name for run in runs) == ["one", "three", "two"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert {run.data.metrics["val/accuracy"] for run in runs} == {0.5}
    assert {run.data.tags["dvc.stage"] for run in runs} == {"train one", "train two", "train three"}
    assert (root / "mlruns" / "mlflow.db").is_file()


def test_artifacts_are_in_the_main_repository(root):
    notes = list((root / "mlruns" / "artifacts").rglob("note.txt"))
    assert [note.read_text() for note in notes] == ["hello"] * 3


def test_one_experiment_per_source(store):
    with new_run("apples", "a", "train a") as one:
        pass
    with new_run("pears", "b", "train b") as other:
        pass
    assert [run.info.run_id for run in runs_of(store, "apples")] == [one.id]
    assert [run.info.run_id for run in runs_of(store, "pears")] == [other.id]


def test_a_run_says_where_it_comes_from(store, monkeypatch):
    with new_run("tags", "plain", "train plain") as plain:
        pass
    monkeypatch.setenv("DVC_EXP_NAME", "upper-barn")
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "0123abc")
    with new_run("tags", "inside", "train inside") as inside:
        inside.set_tags({"md5.x": "00"})
    tags = store.get_run(inside.id).data.tags
    assert (tags["dvc.exp_name"], tags["dvc.baseline_rev"]) == ("upper-barn", "0123abc")
    assert (tags["dvc.stage"], tags["md5.x"]) == ("train inside", "00")
    assert "dvc.exp_name" not in store.get_run(plain.id).data.tags
    assert store.get_run(plain.id).info.run_name == "plain"


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), SystemExit(143)])
def test_an_error_closes_the_run_as_failed(store, error):
    with pytest.raises(type(error)), new_run("errors", "x", "train x") as run:
        raise error
    assert status(store, run.id) == "FAILED"
    assert mlflow.active_run() is None


def test_parameters_are_flattened(store):
    params = {
        "network": "baseline",
        "schedule": {"name": "piecewise", "factors": [[1, 1.0], [7, 0.1]]},
        "deep": {"er": {"est": 1}},
        "patience": None,
    }
    with new_run("params", "x", "train x") as run:
        run.log_params(params)
        run.log_params(params)  # as a resumed training does
    assert store.get_run(run.id).data.params == {
        "network": "baseline",
        "schedule.name": "piecewise",
        "schedule.factors": "[[1, 1.0], [7, 0.1]]",
        "deep.er.est": "1",
        "patience": "None",
    }


def test_all_points_of_long_series_arrive(store):
    given = {
        "learning_rate": [(step, step / 7) for step in range(2 * BATCH_LIMIT + 345)],
        "val/accuracy": [(1, np.float32(0.25)), (2, 0.5)],
    }
    with new_run("series", "x", "train x") as run:
        run.log_series(given)
        run.log_series({"val/accuracy": [(3, 0.75)]})
        run.log_series({})
    assert series(store, run.id, "learning_rate") == given["learning_rate"]
    assert series(store, run.id, "val/accuracy") == [(1, 0.25), (2, 0.5), (3, 0.75)]


def epochs(count):
    """What `asdict` makes of as many epochs of a history."""
    return [
        {
            "epoch": epoch,
            "seconds": 9.0,
            "train_loss": 2 / epoch,
            "train_accuracy": epoch / 8,
            "val_loss": 3 / epoch,
            "val_accuracy": epoch / 16,
        }
        for epoch in range(1, count + 1)
    ]


def test_the_history_is_logged_by_epoch_and_the_learning_rate_by_step(store):
    with new_run("history", "x", "train x") as run:
        run.log_history(epochs(2), np.array([0.5, 0.25, 0.125, 1, 2, 3], np.float32), 3)
    assert set(store.get_run(run.id).data.metrics) == {
        "train/loss", "train/accuracy", "val/loss", "val/accuracy", "learning_rate",
    }  # fmt: skip
    assert series(store, run.id, "train/loss") == [(1, 2), (2, 1)]
    assert series(store, run.id, "train/accuracy") == [(1, 0.125), (2, 0.25)]
    assert series(store, run.id, "val/loss") == [(1, 3), (2, 1.5)]
    assert series(store, run.id, "val/accuracy") == [(1, 0.0625), (2, 0.125)]
    assert series(store, run.id, "learning_rate") == [
        (0, 0.5), (1, 0.25), (2, 0.125), (3, 1), (4, 2), (5, 3),
    ]  # fmt: skip


def test_only_what_is_missing_of_a_history_is_logged(store):
    rates = np.arange(8, dtype=np.float32)
    with new_run("missing", "x", "train x") as run:
        for count in (0, 1, 1, 3, 2, 4, 4):
            run.log_history(epochs(count), rates, 2)
            expected = [epoch for epoch in range(1, 5) if epoch <= max(count, 3 * (count == 2))]
            logged = store.get_metric_history(run.id, "val/accuracy")
            assert [metric.step for metric in logged] == expected
    assert series(store, run.id, "learning_rate") == [(step, step) for step in range(8)]
    assert [step for step, _ in series(store, run.id, "train/loss")] == [1, 2, 3, 4]


def test_long_epochs_have_thinned_learning_rates(store):
    steps = 2 * LEARNING_RATES_PER_EPOCH + 1  # every third
    with new_run("thinned", "x", "train x") as run:
        run.log_history(epochs(2), np.arange(2 * steps, dtype=np.float32), steps)
    expected = [*range(0, steps, 3), *range(steps, 2 * steps, 3)]
    assert series(store, run.id, "learning_rate") == [(step, step) for step in expected]


def test_metrics_of_the_whole_run_are_not_logged_twice(store):
    with new_run("once", "x", "train x") as run:
        run.set_metrics({"val/best_accuracy": np.float32(0.1), "best_epoch": 2})
        run.set_metrics({"val/best_accuracy": np.float32(0.1), "best_epoch": 3})
        run.set_metrics({"val/best_accuracy": np.float32(0.1), "best_epoch": 3})
        run.set_series({"val/member_accuracy": [(1, 0.5), (2, 0.25)]})
        run.set_series({"val/member_accuracy": [(1, 0.5), (2, 0.25)]})
    assert series(store, run.id, "val/best_accuracy") == [(0, np.float32(0.1))]
    assert series(store, run.id, "best_epoch") == [(0, 2), (0, 3)]  # evaluated anew, say
    assert series(store, run.id, "val/member_accuracy") == [(1, 0.5), (2, 0.25)]


def test_files_pictures_and_data(store, tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test" / "a.csv").write_text("1")
    (tmp_path / "b.txt").write_text("2")
    with new_run("files", "x", "train x") as run:
        run.log_file(tmp_path / "test", "test")
        run.log_file(tmp_path / "b.txt")
        run.log_image(np.zeros((4, 5, 3), np.uint8), "confusion_matrix")
        digests = {"train_images.npy": "0123abcd", "validation_images.npy": "4567cdef"}
        run.log_data("cifar100", digests | {"train_labels.npy": "89ab"})
    actual = {file.path for file in store.list_artifacts(run.id)}
    assert {"test", "b.txt", "images"} <= actual
    assert [file.path for file in store.list_artifacts(run.id, "test")] == ["test/a.csv"]
    images = [file.path for file in store.list_artifacts(run.id, "images")]
    assert any("confusion_matrix" in image and image.endswith(".png") for image in images)
    inputs = store.get_run(run.id).inputs.dataset_inputs
    assert {(i.dataset.name, i.dataset.digest, i.tags[0].value) for i in inputs} == {
        ("cifar100", "0123abcd", "train"),
        ("cifar100", "4567cdef", "validation"),
    }
    assert store.get_run(run.id).data.tags["md5.train_labels.npy"] == "89ab"


def test_what_is_logged_already_is_not_doubled(store, network):
    digests = {"train_images.npy": "0123abcd", "validation_images.npy": "4567cdef"}
    for _ in range(2):  # as a training that was killed at its end does
        with resumable_run("doubled", "x", "train x", "k") as run:
            run.log_data("cifar100", digests)
            run.log_image(np.zeros((4, 5, 3), np.uint8), "confusion_matrix")
            run.log_image(np.zeros((4, 5, 3), np.uint8), "confusion_matrix_test")
            run.log_model(network, (4, 4, 3), ["cat", "dog"], 1.5)
    assert len(store.get_run(run.id).inputs.dataset_inputs) == 2
    images = [re.split("[%+]", file.path)[0] for file in store.list_artifacts(run.id, "images")]
    assert len(images) == 4  # each with its thumbnail
    assert set(images) == {"images/confusion_matrix", "images/confusion_matrix_test"}
    assert len(models_of(store, "doubled")) == 1


def test_a_model_whose_logging_was_killed_is_logged_anew(store, network):
    with resumable_run("half", "x", "train x", "k") as run:
        experiment = store.get_experiment_by_name("fifteen-half").experiment_id
        store.create_logged_model(experiment, "model", source_run_id=run.id)
        run.log_model(network, (4, 4, 3), ["cat", "dog"], 1.5)
    (model,) = models_of(store, "half")
    assert model.status == LoggedModelStatus.READY
    mlflow.pyfunc.load_model(f"runs:/{run.id}/model")


@pytest.mark.parametrize(
    "cause",
    [
        "(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.experiment_id, datasets.name",
        "(psycopg2.errors.UniqueViolation) duplicate key value violates unique constraint",
    ],
)
def test_a_data_set_that_another_run_adds_at_the_same_moment(store, monkeypatch, cause):
    digests = {"train_images.npy": "0123abcd", "validation_images.npy": "4567cdef"}
    with new_run("moment", "x", "train x") as run:
        log_inputs, errors = run._client.log_inputs, [MlflowException(cause)] * 2

        def too_late(*arguments):
            if errors:
                raise errors.pop()
            log_inputs(*arguments)

        monkeypatch.setattr(run._client, "log_inputs", too_late)
        run.log_data("cifar100", digests)
        assert not errors
    assert len(store.get_run(run.id).inputs.dataset_inputs) == 2


@pytest.mark.parametrize("cause", ["the server is away", "UNIQUE constraint failed: for ever"])
def test_a_data_set_that_cannot_be_logged_fails(store, monkeypatch, cause):
    def fails(*_):
        raise MlflowException(cause)

    with pytest.raises(UserError, match=cause), new_run("never", "x", "train x") as run:
        monkeypatch.setattr(run._client, "log_inputs", fails)
        run.log_data("cifar100", {"train_images.npy": "0123abcd"})


def test_an_experiment_that_another_process_makes_at_the_same_moment(store, monkeypatch):
    """As two users of a new server do."""
    create = mlflow.create_experiment

    def too_late(*arguments):
        create(*arguments)
        create(*arguments)

    monkeypatch.setattr(mlflow, "create_experiment", too_late)
    with new_run("raced", "x", "train x") as run:
        pass
    assert [actual.info.run_id for actual in runs_of(store, "raced")] == [run.id]


def test_a_killed_run_is_continued(store):
    first = killed(store, "killed", until=2)
    assert train("killed", until=4) == first
    assert status(store, first) == "FINISHED"
    assert store.get_run(first).info.run_name == "baseline"
    assert [step for step, _ in series(store, first, "val/accuracy")] == [1, 2, 3, 4]
    assert len(runs_of(store, "killed")) == 1


def test_a_run_killed_between_its_checkpoint_and_its_log_is_continued(store):
    first = killed(store, "behind", until=1)
    assert train("behind", until=3) == first
    assert [step for step, _ in series(store, first, "val/accuracy")] == [1, 2, 3]


@pytest.mark.parametrize("error", [ValueError(), SystemExit(143)])
def test_a_failed_run_is_continued(store, error):
    source = f"failed-{type(error).__name__}"
    with pytest.raises(type(error)):
        train(source, until=1, error=error)
    assert status(store, kept[-1]) == "FAILED"
    assert train(source) == kept[-2]
    assert status(store, kept[-1]) == "FINISHED"


def test_a_finished_run_is_continued(store):
    first = train("finished", until=2)  # its process died after that, or its trial was promoted
    assert train("finished", until=3) == first
    assert status(store, first) == "FINISHED"
    assert [step for step, _ in series(store, first, "val/accuracy")] == [1, 2, 3]
    assert len(runs_of(store, "finished")) == 1


def test_another_key_is_another_training(store):
    first = killed(store, "keys", key="k1")
    second = train("keys", key="k2")
    assert second != first
    assert status(store, first) == "RUNNING"  # perhaps another process is at it
    assert store.get_run(second).data.tags[RESUME_KEY] == "k2"


def test_a_run_below_another(store):
    with resumable_run("nested", "search", "tune", "search") as parent:
        child = train("nested", key="child", parent=parent.id)
        parent.set_tags({"after": "the child"})  # the parent is still open
        assert status(store, parent.id) == "RUNNING"
    other = train("nested", key="other", name="alone")
    tags = store.get_run(child).data.tags
    assert tags["mlflow.parentRunId"] == parent.id
    assert tags[RESUME_KEY] == "child"
    assert store.get_run(child).info.run_name == "baseline"
    assert status(store, child) == status(store, parent.id) == "FINISHED"
    for run_id in (parent.id, other):
        assert "mlflow.parentRunId" not in store.get_run(run_id).data.tags


def test_a_run_below_one_of_another_process(store):
    """As that of a worker, which has not opened the search's own run."""
    parent = killed(store, "worker", key="search")
    child = train("worker", key="child", parent=parent)
    assert store.get_run(child).data.tags["mlflow.parentRunId"] == parent
    assert status(store, parent) == "RUNNING"


@pytest.mark.parametrize("was", ["FINISHED", "FAILED", "RUNNING", "KILLED"])
def test_a_run_below_another_is_opened_again_whatever_became_of_it(store, was):
    source = f"reopened-{was}"
    parent = killed(store, source, key="search")
    child = train(source, key="child", until=1, parent=parent)
    store.update_run(child, was)
    with resumable_run(source, "search", "tune", "search") as search:
        assert search.id == parent
        assert train(source, key="child", until=3, parent=parent) == child
    assert status(store, child) == "FINISHED"
    assert store.get_run(child).data.tags["mlflow.parentRunId"] == parent
    assert [step for step, _ in series(store, child, "val/accuracy")] == [1, 2, 3]
    assert len(runs_of(store, source)) == 2


def test_an_evaluation_is_added_to_the_run_of_the_training(store):
    first = train("evaluated")
    with continued_run("evaluated", first, "baseline", "evaluate baseline") as run:
        run.set_metrics({"test/accuracy": 0.5})
    assert run.id == first
    data = store.get_run(first).data
    assert (data.metrics["test/accuracy"], data.metrics["val/accuracy"]) == (0.5, 0.2)
    assert data.tags["dvc.stage"] == "train baseline"
    assert status(store, first) == "FINISHED"


def test_an_unknown_run_is_replaced(store, capsys):
    unknown = "0" * 32
    with continued_run("unknown", unknown, "baseline", "evaluate baseline") as run:
        run.set_metrics({"test/accuracy": 0.5})
    assert run.id != unknown
    assert f"run {unknown} of baseline is not" in capsys.readouterr().out
    actual = store.get_run(run.id)
    assert actual.info.run_name == "baseline"
    assert actual.data.tags["dvc.stage"] == "evaluate baseline"


def test_a_run_deleted_in_the_ui_is_replaced(store):
    deleted = train("deleted")
    store.delete_run(deleted)
    with continued_run("deleted", deleted, "baseline", "evaluate baseline") as run:
        run.set_metrics({"test/accuracy": 0.5})
    assert run.id != deleted
    assert [r.info.run_id for r in runs_of(store, "deleted")] == [run.id]


def test_a_logged_model_answers_and_says_what_it_takes(network):
    with new_run("model", "x", "train x") as run:
        run.log_model(network, (4, 4, 3), ["cat", "dog"], 1.5)
    loaded = mlflow.pyfunc.load_model(f"runs:/{run.id}/model")
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), np.uint8)
    expected = network.predict(images, verbose=0)
    np.testing.assert_allclose(loaded.predict(images), expected, atol=1e-6)
    assert loaded.metadata.signature.inputs.inputs[0].shape == (-1, 4, 4, 3)
    assert loaded.metadata.signature.outputs.inputs[0].shape == (-1, 2)
    assert loaded.metadata.metadata == {"classes": ["cat", "dog"], "temperature": 1.5}


def test_a_team_s_server_wins(root, store, tmp_path, monkeypatch):
    address = f"sqlite:///{tmp_path / 'team.db'}"
    with (  # a copy, as making a new store takes seconds
        sqlite3.connect(root / "mlruns" / "mlflow.db") as ours,
        sqlite3.connect(tmp_path / "team.db") as team,
    ):
        ours.backup(team)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.chdir(tmp_path)
    with new_run("team", "x", "train x") as run:
        pass
    assert store.get_experiment_by_name("fifteen-team") is None
    team = mlflow.MlflowClient(address)
    assert [r.info.run_id for r in runs_of(team, "team")] == [run.id]
    # Where the artifacts go is for the server to say.
    location = team.get_experiment_by_name("fifteen-team").artifact_location
    assert str(root) not in location


def test_while_the_store_fails_the_curves_wait(store, capsys, monkeypatch):
    """Nothing of what a failed call had to log is missing after the next one."""
    with new_run("away", "x", "train x") as run:
        log_batch = run._client.log_batch

        def fails(*_, **__):
            raise MlflowException("the server\nis away")

        run.publish(epochs(1), np.ones(9, np.float32), 1)
        monkeypatch.setattr(run._client, "log_batch", fails)
        run.publish(epochs(2), np.ones(9, np.float32), 1)
        out = capsys.readouterr().out
        assert "the server is away" in out
        with pytest.raises(MlflowException):
            run.log_history(epochs(2), np.ones(9, np.float32), 1)
        monkeypatch.setattr(run._client, "log_batch", log_batch)
        run.publish(epochs(3), np.ones(9, np.float32), 1)
    assert [m.step for m in store.get_metric_history(run.id, "val/accuracy")] == [1, 2, 3]


def test_a_store_that_fails_in_the_end_is_one_message(store):
    with (
        pytest.raises(UserError, match=r"mlflow\.db failed: no way\n.* is kept"),
        new_run("failing", "x", "train x"),
    ):
        raise MlflowException("no way")
    (run,) = runs_of(store, "failing")
    assert status(store, run.info.run_id) == RunStatus.to_string(RunStatus.FAILED)
