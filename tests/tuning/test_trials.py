from dataclasses import replace

from fifteen.common.errors import UserError
from fifteen.data.arrays import Classes, Part
from fifteen.inference.hardware import HardwareInUse
from fifteen.params.search_space import with_values
from fifteen.params.sections import Search, Training
from fifteen.tracking import runs
from fifteen.training.history import Epoch
from fifteen.tuning import trials as module
from fifteen.tuning.progress import Progress
from fifteen.tuning.trials import StepClock, Trials

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_tuner import HyperParameters
from keras_tuner.engine.trial import Trial

IMAGES, STEPS = 40, 5
SPACE = {
    "network": {
        "name": "convnet",
        "filters_1": 4,
        "filters_2": 4,
        "dense_units": 8,
        "dropout": {"low": 0.1, "high": 0.5},
    },
    "optimizer": ["adam", "sgd"],
    "schedule": {"name": "cosine", "peak": {"low": 0.001, "high": 10.0, "sampling": "log"}},
    "batch_size": 8,
}
SEARCH = Search(training={}, max_epochs=3, factor=3, patience=3, seed=3, space=SPACE)
VALUES = {"network.dropout": 0.25, "optimizer": "adam", "schedule.peak": 0.01}
NO_ROOM = "Graph execution error:\n\nDetected at node x\nOOM when allocating a tensor\n\t [[x]]\n"
FAILURES = [  # and what is said of them
    (UserError("the loss became nan"), "the loss became nan"),
    (MemoryError("no room\nfor 2 tensors"), "no room"),
    (MemoryError(), "MemoryError"),
    (tf.errors.ResourceExhaustedError(None, None, NO_ROOM), "OOM when allocating a tensor"),
]


def make_part(images, seed):
    """Three classes that differ in brightness, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, images, dtype=np.int32)
    noise = rng.integers(0, 150, (images, 32, 32, 3))
    return Part((noise + 50 * labels[:, None, None, None]).astype(np.uint8), labels)


def make_trial(number, epochs, parent=None, initial_epoch=0):
    found = HyperParameters()
    found.values = VALUES | {
        "tuner/epochs": epochs,
        "tuner/initial_epoch": initial_epoch,
        "tuner/bracket": 1 if epochs == 1 or parent else 0,
        "tuner/round": 1 if parent else 0,
    }
    if parent:
        found.values["tuner/trial_id"] = parent
    return Trial(found, trial_id=number, status="RUNNING")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A main repository whose MLflow store is there already, which takes seconds."""
    root = tmp_path_factory.mktemp("main repository")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_ROOT", str(root))
        with runs.new_run("toy", "search", "tune@tuned") as run:
            (root / "parent").write_text(run.id, encoding="utf-8")
    return root


@pytest.fixture
def trials(root, own_store, tmp_path, request):
    """What the trials of a search share; each test has its own."""
    policy = keras.config.dtype_policy()
    yield Trials(
        name="tuned",
        search=SEARCH,
        min_steps=1,
        classes=Classes("toy", ["dark", "medium", "bright"]),
        training=make_part(IMAGES, 1),
        validation=make_part(20, 2),
        machine=HardwareInUse("a device", "float32"),
        folder=tmp_path,
        key=request.node.name,
        parent_run=(root / "parent").read_text(encoding="utf-8"),
        progress=Progress(tmp_path / "tune.log"),
        save_clock=lambda: None,
    )
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def toy_train(monkeypatch):
    """In place of the training: `errors` are raised in turn, where there are any."""

    class Toy:
        def __init__(self):
            self.errors, self.configs, self.calls = [], [], 0

        def __call__(self, network, config, *args, publish=None, **kwargs):
            self.calls += 1
            self.configs.append(config)
            if self.errors:
                raise self.errors.pop(0)
            history = [
                Epoch(epoch, 2.0, 1.0, 0.5, 1.0, accuracy)
                for epoch, accuracy in enumerate([0.4, 0.7, 0.6][: config.epochs], start=1)
            ]
            for epoch in range(1, config.epochs + 1):
                args[5](history[:epoch])
            return history

    toy = Toy()
    monkeypatch.setattr(module, "train", toy)
    monkeypatch.setattr(module, "build_network", lambda *_: None)
    return toy


def own_runs(store, trials):
    """The MLflow runs of the trials, by trial."""
    experiment = store.get_experiment_by_name("fifteen-toy")
    logged = store.search_runs([experiment.experiment_id])
    key = runs.RESUME_KEY
    ours = [run for run in logged if run.data.tags.get(key, "").startswith(f"{trials.key}-")]
    by_trial = {run.data.tags[key].removeprefix(f"{trials.key}-"): run for run in ours}
    assert len(by_trial) == len(ours), "a trial has two runs"
    return by_trial


def curve(store, run, metric):
    history = store.get_metric_history(run.info.run_id, metric)
    return sorted((point.step, point.value) for point in history)


# The clock


@pytest.fixture
def perf_counter(monkeypatch):
    """Hands out given times in turn."""

    class Time:
        def __init__(self):
            self.times = []

        def perf_counter(self):
            return self.times.pop(0)

    time = Time()
    monkeypatch.setattr(module, "time", time)
    return time


def take_steps(clock, time, kind, *durations):
    for duration in durations:
        time.times = [100.0, 100.0 + duration]
        getattr(clock, f"on_{kind}_batch_begin")(0)
        getattr(clock, f"on_{kind}_batch_end")(0)


def test_the_step_clock_counts_the_first_step_as_the_mean_of_the_others(perf_counter, tmp_path):
    clock = StepClock(tmp_path / "steps.json")
    assert clock.seconds == 0
    take_steps(clock, perf_counter, "train", 9.0)
    assert clock.seconds == 9  # nothing to compare with
    take_steps(clock, perf_counter, "train", 1.0, 3.0)
    assert clock.seconds == 6  # 1 + 3, and 2 for the first
    take_steps(clock, perf_counter, "test", 5.0, 0.5)
    assert clock.seconds == 7  # and 0.5 twice
    take_steps(clock, perf_counter, "train", 8.0)
    assert clock.seconds == 1 + 3 + 8 + 4 + 1


def test_the_step_clock_takes_a_fast_first_step_as_it_is(perf_counter, tmp_path):
    clock = StepClock(tmp_path / "steps.json")
    take_steps(clock, perf_counter, "train", 1.0, 2.0, 4.0)
    assert clock.seconds == 7


def test_the_step_clock_leaves_out_what_is_between_steps(perf_counter, tmp_path):
    clock = StepClock(tmp_path / "steps.json")
    for began in (0.0, 1000.0):
        perf_counter.times = [began, began + 1]
        clock.on_train_batch_begin(0)
        clock.on_train_batch_end(0)
    assert clock.seconds == 2


def test_the_step_clock_goes_on_where_an_earlier_session_saved_it(perf_counter, tmp_path):
    clock = StepClock(tmp_path / "steps.json")
    take_steps(clock, perf_counter, "train", 1.0, 2.0)
    clock.save()
    take_steps(clock, perf_counter, "train", 4.0)  # of an epoch that was never finished
    again = StepClock(tmp_path / "steps.json")
    assert again.seconds == 3
    take_steps(again, perf_counter, "train", 2.0, 2.0)
    assert again.seconds == 7


# One trial


def test_a_trial_is_recorded(trials, toy_train, store):
    assert trials.train(make_trial("0000", 2)) == 0.7
    result = trials.result("0000")
    step_seconds, run_id = result.pop("step_seconds"), result.pop("run_id")
    assert step_seconds == 0  # no step was taken
    assert result == {
        "trial": "0000",
        "configuration": "0000",
        "status": "completed",
        "bracket": 0,
        "rung": 0,
        "epochs": 2,
        "promoted_from": None,
        "hyperparameters": VALUES,
        "val_accuracy": 0.7,
        "seconds": 4.0,
        "message": None,
        "accuracies": [0.4, 0.7],
    }
    (config,) = toy_train.configs
    assert (config.epochs, config.patience, config.batch_size) == (2, 3, 8)
    assert (config.network.dropout, config.schedule.peak) == (0.25, 0.01)

    run = own_runs(store, trials)["0000"]
    assert run.info.run_id == run_id
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "tuned trial 0000"
    assert run.data.tags["mlflow.parentRunId"] == trials.parent_run
    tags = {key: run.data.tags.get(key) for key in ("trial", "bracket", "rung", "promoted_from")}
    assert tags == {"trial": "0000", "bracket": "0", "rung": "0", "promoted_from": None}
    assert run.data.params["network.dropout"] == "0.25"
    assert run.data.params["seed"] == "3"
    assert run.data.metrics["val/best_accuracy"] == 0.7
    assert curve(store, run, "val/accuracy") == [(1, 0.4), (2, 0.7)]


def test_a_recorded_trial_is_not_run_again(trials, toy_train):
    trials.train(make_trial("0000", 2))
    assert trials.train(make_trial("0000", 2)) == 0.7
    assert toy_train.calls == 1


def test_a_promoted_trial_says_where_it_comes_from(trials, toy_train, store, capsys):
    trials.train(make_trial("0000", 1))
    capsys.readouterr()
    trials.train(make_trial("0001", 3, parent="0000", initial_epoch=1))
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "trial 0001 (bracket 1, rung 1, promoted from 0000): "
        "network.dropout=0.25, optimizer=adam, schedule.peak=0.01",
        "  epoch 2 of 3: validation accuracy 70.00%, 2 s",
        "  epoch 3 of 3: validation accuracy 60.00%, 2 s",
    ]
    result = trials.result("0001")
    assert result["configuration"] == result["promoted_from"] == "0000"
    assert (result["bracket"], result["rung"], result["epochs"]) == (1, 1, 3)
    assert result["val_accuracy"] == 0.7
    assert result["accuracies"] == [0.4, 0.7, 0.6]
    assert result["seconds"] == 4.0  # those of the two epochs that it trained itself
    run = own_runs(store, trials)["0001"]
    assert run.data.tags["promoted_from"] == "0000"
    assert [step for step, _ in curve(store, run, "val/accuracy")] == [1, 2, 3]


# Failures


@pytest.mark.parametrize(("error", "message"), FAILURES)
def test_a_failing_trial_is_recorded_and_the_next_one_runs(
    trials, toy_train, store, capsys, error, message
):
    toy_train.errors = [error]
    assert trials.train(make_trial("0000", 1)) == 0.0
    assert capsys.readouterr().out.endswith(f"  failed: {message}\n")
    result = trials.result("0000")
    assert result["status"] == "failed"
    assert result["message"] == message
    assert result["val_accuracy"] is None
    assert result["accuracies"] == []
    assert result["hyperparameters"] == VALUES
    assert trials.train(make_trial("0000", 1)) == 0.0  # not tried again
    assert toy_train.calls == 1

    assert trials.train(make_trial("0001", 1)) == 0.4
    runs = own_runs(store, trials)
    assert runs["0000"].info.status == "FAILED"
    assert runs["0000"].data.tags["failure"] == str(error)
    assert runs["0000"].data.tags["trial"] == "0000"
    assert runs["0001"].info.status == "FINISHED"
    assert "failure" not in runs["0001"].data.tags


def test_a_trial_promoted_from_a_failed_one_fails_too(trials, toy_train, store):
    toy_train.errors = [MemoryError("no room")]
    trials.train(make_trial("0000", 1))
    assert trials.train(make_trial("0001", 3, parent="0000", initial_epoch=1)) == 0.0
    result = trials.result("0001")
    assert result["status"] == "failed"
    assert result["message"] == "it was promoted from trial 0000, which failed"
    assert result["configuration"] == "0000"
    assert toy_train.calls == 1
    assert list(own_runs(store, trials)) == ["0000"]


@pytest.mark.parametrize(
    "error", [KeyError("a mistake"), KeyboardInterrupt()], ids=["KeyError", "Ctrl-C"]
)
def test_anything_else_is_no_result_of_the_trial(trials, toy_train, store, error):
    toy_train.errors = [error]
    with pytest.raises(type(error)):
        trials.train(make_trial("0000", 1))
    assert not list(trials.folder.glob("trial_*.json"))
    stopped = own_runs(store, trials)["0000"]
    assert stopped.info.status in ("FAILED", "KILLED")

    assert trials.train(make_trial("0000", 1)) == 0.4
    run = own_runs(store, trials)["0000"]
    assert run.info.run_id == stopped.info.run_id
    assert run.info.status == "FINISHED"


def test_a_trial_that_diverges_has_failed(trials, store, monkeypatch):
    """In earnest: a training whose loss is not a number."""

    def broken(*args):
        network = build_network(*args)
        network.trainable_weights[-1].assign([np.nan] * 3)  # of the last layer
        return network

    build_network = module.build_network
    monkeypatch.setattr(module, "build_network", broken)
    assert trials.train(make_trial("0000", 1)) == 0.0
    result = trials.result("0000")
    assert result["status"] == "failed"
    assert result["message"].startswith("the loss became nan")
    run = own_runs(store, trials)["0000"]
    assert run.info.status == "FAILED"
    assert run.data.tags["failure"].startswith("the loss became nan")
    assert curve(store, run, "val/accuracy") == []


# The winner with one thing taken back


def without(trials, name="optimizer", epochs=2):
    values = VALUES | {name: "sgd"}
    config = Training.model_validate(with_values(SPACE, values))
    return trials.take_back(name, config.model_copy(update={"epochs": epochs}))


def test_what_is_taken_back_is_trained_once(trials, toy_train, store):
    result = without(trials)
    (run,) = own_runs(store, trials).values()
    assert result == {"val_accuracy": 0.7, "message": None, "run_id": run.info.run_id}
    assert run.info.status == "FINISHED"
    assert run.data.tags["taken_back"] == "optimizer"
    assert run.data.tags["mlflow.parentRunId"] == trials.parent_run
    assert run.data.params["optimizer.name"] == "sgd"
    (config,) = toy_train.configs
    assert (config.optimizer.name, config.epochs) == ("sgd", 2)
    assert without(trials) == result
    assert toy_train.calls == 1
    without(trials, epochs=1)  # another training
    assert toy_train.calls == 2


def test_its_time_is_none_of_the_search_s(trials, toy_train):
    saved = []
    trials = replace(trials, save_clock=lambda: saved.append(1))
    without(trials)
    assert not saved
    trials.train(make_trial("0000", 1))
    assert saved


def test_without_something_it_may_fail(trials, toy_train, store):
    toy_train.errors = [UserError("the loss became nan")]
    result = without(trials)
    assert result == {"val_accuracy": None, "message": "the loss became nan", "run_id": None}
    (run,) = own_runs(store, trials).values()
    assert run.info.status == "FAILED"


# Promotion in earnest


def test_a_promoted_trial_goes_on_as_if_it_had_never_stopped(trials, store, monkeypatch):
    networks = []

    def watched(*args, callbacks, **kwargs):
        keep = keras.callbacks.LambdaCallback(on_train_begin=lambda _: networks.append(keep.model))
        return train(*args, callbacks=[*callbacks, keep], **kwargs)

    train = module.train
    monkeypatch.setattr(module, "train", watched)
    trials.train(make_trial("0000", 1))
    assert int(networks[0].optimizer.iterations) == STEPS
    trials.train(make_trial("0001", 3, parent="0000", initial_epoch=1))
    trials.train(make_trial("0002", 3))  # the same three epochs at once

    _, promoted, at_once = networks
    assert int(promoted.optimizer.iterations) == int(at_once.optimizer.iterations) == 3 * STEPS
    for ours, theirs in zip(promoted.get_weights(), at_once.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert trials.result("0001")["accuracies"] == trials.result("0002")["accuracies"]
    assert trials.result("0001")["accuracies"][:1] == trials.result("0000")["accuracies"]
    assert 0 < trials.result("0001")["step_seconds"] <= trials.result("0001")["seconds"]

    runs = own_runs(store, trials)
    for metric in ("train/loss", "val/loss", "val/accuracy", "learning_rate"):
        assert curve(store, runs["0001"], metric) == curve(store, runs["0002"], metric)
    rates = [rate for _, rate in curve(store, runs["0000"], "learning_rate")]
    assert rates == [rate for _, rate in curve(store, runs["0002"], "learning_rate")][:STEPS]
    assert rates[-1] > 0.005  # the cosine is that of the longest trials, and has not come down yet
    folders = sorted(path.name for path in trials.folder.glob("configuration_*"))
    assert folders == ["configuration_0000", "configuration_0002"]
