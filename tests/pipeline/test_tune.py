"""The search for hyperparameters: alone, killed, with workers, and what a user changes about it."""

import copy
import dataclasses
import os
import re
import signal
import subprocess
import time

from fifteen.params.sections import Training

import pytest
from ruamel.yaml import YAML
from servers import free_port

pytestmark = pytest.mark.timeout(400)

SEARCH = "tune@tuned"
# Three trials of 1 epoch, the best of which has 2 more; two of 3 epochs.
RUNGS = {"0000": (1, 0, 1), "0001": (1, 0, 1), "0002": (1, 0, 1), "0003": (1, 1, 3)}
RUNGS |= {"0004": (0, 0, 3), "0005": (0, 0, 3)}
TRIALS = list(RUNGS)
MADE = ["prepare", SEARCH, "train_tuned@tuned"]
SPACE = {
    "network": {
        "name": "convnet",
        "filters_1": 8,
        "filters_2": 8,
        "conv_activation": ["relu", "leaky_relu"],
        "conv_slope": {"low": 0.1, "high": 0.3, "when": {"conv_activation": "leaky_relu"}},
        "dense_units": [16, 32],
        "dropout": {"low": 0.1, "high": 0.5},
        "normalize_input": [False, True],
    },
    "optimizer": ["adam", "sgd"],
    "schedule": {"name": "cosine", "peak": {"low": 0.001, "high": 0.02, "sampling": "log"}},
    "label_smoothing": [0.0, 0.1],
    "batch_size": 64,
}
WITHIN = 120  # seconds, for anything that a test waits for


def edit(params):
    """One search, a small network, few epochs, on the digits."""
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = 1
    params["variants"] = params["ensembles"] = {}
    training = {"network": {"name": "convnet", "dropout": None}}
    search = {"training": training, "max_epochs": 3, "space": copy.deepcopy(SPACE)}
    params["searches"]["tuned"].update(search)


@pytest.fixture(scope="module")
def prepared(clone):
    """A project with prepared data."""
    project = clone(edit)
    project.run("dvc", "repro", "prepare")
    project.commit()
    return project


@pytest.fixture(scope="module")
def searched(prepared, tmp_path_factory):
    """A copy of it in which `dvc repro` has searched and trained, its results committed."""
    project = prepared.copy(tmp_path_factory.mktemp("searched"))
    output = project.run("dvc", "repro", "train_tuned@tuned")
    assert stages_run(output) == MADE[1:]
    assert "Traceback" not in output
    (project.root / "output.txt").write_text(output, encoding="utf-8")
    project.commit()
    return project


@pytest.fixture
def workspace(searched):
    """The same, to be changed."""
    yield searched
    searched.run("git", "reset", "--quiet", "--hard")
    searched.run("git", "clean", "--quiet", "-d", "--force")
    searched.run("dvc", "checkout", "--quiet", "--force", *MADE)


@pytest.fixture
def fresh(prepared, tmp_path):
    """A copy of the project with prepared data only."""
    return prepared.copy(tmp_path)


def stages_run(output):
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)


def search_runs(project):
    """The run of the one search there was, those of its trials by trial, and the others."""
    runs = [run for run in project.runs().values() if run.data.tags["dvc.stage"] == SEARCH]
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in runs if run is not parent]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} <= {parent.info.run_id}
    trials = [run for run in children if "trial" in run.data.tags]
    by_trial = {run.info.run_name.removeprefix("tuned trial "): run for run in trials}
    assert len(by_trial) == len(trials), "a trial has two runs"
    return parent, by_trial, [run for run in children if run not in trials]


def decided(project):
    """search.json without what differs between two equal searches."""
    record = project.json("models/tuned/search.json")
    for section in (record, *record["trials"], *record["taken_back"]):
        for key in ("seconds", "step_seconds", "run_id"):
            section.pop(key, None)
    return record


def by_values(record):
    """The results by bracket, rung and values; the order in which trials begin is left out."""
    keys = ("bracket", "rung", "hyperparameters", "accuracies")
    return sorted(str([trial[key] for key in keys]) for trial in record["trials"])


# The search has run once


def test_the_record(searched):
    record = searched.json("models/tuned/search.json")
    trials = {trial["trial"]: trial for trial in record["trials"]}
    found = {name: (t["bracket"], t["rung"], t["epochs"]) for name, t in trials.items()}
    assert found == RUNGS
    for trial in trials.values():
        assert trial["status"] == "completed"
        assert len(trial["accuracies"]) == trial["epochs"]
        assert trial["val_accuracy"] == max(trial["accuracies"])
        values = trial["hyperparameters"]
        leaky = values["network.conv_activation"] == "leaky_relu"
        assert ("network.conv_slope" in values) == leaky
    best_of_three = max(TRIALS[:3], key=lambda name: trials[name]["val_accuracy"])
    assert trials["0003"]["promoted_from"] == best_of_three
    assert trials["0003"]["hyperparameters"] == trials[best_of_three]["hyperparameters"]
    assert trials["0003"]["accuracies"][:1] == trials[best_of_three]["accuracies"]
    best = max(trial["val_accuracy"] for trial in trials.values())
    assert trials[record["winner"]]["val_accuracy"] == best
    assert (record["workers"], record["seed"]) == (1, 42)
    assert 0 < record["step_seconds"] < record["seconds"]


def best_training(project):
    """All that the search of a project has found."""
    content = project.json("models/tuned/hyperparameters.json")
    assert list(content) == ["training"]
    return content["training"]


def test_the_best_hyperparameters_are_a_training_and_nothing_else(searched):
    found = best_training(searched)
    assert "tuner" not in str(found)
    config = Training.model_validate(found)
    assert config.network.filters_1 == 8
    record = searched.json("models/tuned/search.json")
    winner = next(trial for trial in record["trials"] if trial["trial"] == record["winner"])
    values = winner["hyperparameters"]
    assert found["network"]["dropout"] == values["network.dropout"]
    assert found["schedule"] == {"name": "cosine", "peak": values["schedule.peak"]}
    assert type(found["network"]["normalize_input"]) is bool


def test_the_training_has_what_was_found(searched):
    found = Training.model_validate(best_training(searched))
    run = searched.runs()[searched.json("models/tuned/result.json")["run_id"]]
    assert run.data.params["network.dropout"] == str(found.network.dropout)
    assert run.data.params["optimizer.name"] == found.optimizer.name
    assert run.data.params["epochs"] == "1"  # those of the budget, not of the trials


def test_a_run_for_the_search_and_one_for_each_trial(searched):
    parent, children, _ = search_runs(searched)
    record = searched.json("models/tuned/search.json")
    best = max(trial["val_accuracy"] for trial in record["trials"])
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["val/best_accuracy"] == best
    assert parent.data.metrics["search/trials"] == len(TRIALS)
    assert parent.data.params["max_epochs"] == "3"
    artifacts = {file.path for file in searched.client.list_artifacts(parent.info.run_id)}
    assert artifacts == {"hyperparameters.json", "search.json", "tune.log"}

    assert sorted(children) == TRIALS
    for trial in record["trials"]:
        run = children[trial["trial"]]
        assert run.info.run_id == trial["run_id"]
        assert run.info.status == "FINISHED"
        for key in ("bracket", "rung", "promoted_from"):
            expected = None if trial[key] is None else str(trial[key])
            assert run.data.tags.get(key) == expected
        assert run.data.params["schedule.peak"] == str(trial["hyperparameters"]["schedule.peak"])
        assert run.data.metrics["val/best_accuracy"] == trial["val_accuracy"]
        accuracies = searched.curve(run.info.run_id, "val/accuracy")
        assert accuracies == list(enumerate(trial["accuracies"], start=1))
        for metric in ("train/loss", "train/accuracy", "val/loss", "learning_rate"):
            assert searched.curve(run.info.run_id, metric)


def test_the_winner_with_one_thing_taken_back(searched):
    _, _, without = search_runs(searched)
    runs = {run.data.tags["taken_back"]: run for run in without}
    assert len(runs) == len(without), "something was taken back twice"
    record = searched.json("models/tuned/search.json")
    winner = next(trial for trial in record["trials"] if trial["trial"] == record["winner"])
    items = {item["name"]: item for item in record["taken_back"]}
    assert items.keys() == runs.keys()
    assert {"network.filters_1", "schedule"} <= items.keys()  # 8 and a cosine in any case
    assert items["network.filters_1"]["winner"] == 8
    assert items["network.filters_1"]["baseline"] == 32
    assert items["schedule"]["baseline"] == {"name": "constant", "rate": 0.001}
    for name, item in items.items():
        run = runs[name]
        assert (run.info.run_id, run.info.status) == (item["run_id"], "FINISHED")
        assert run.info.run_name == f"tuned without {name}"
        accuracies = [value for _, value in searched.curve(run.info.run_id, "val/accuracy")]
        assert item["val_accuracy"] == max(accuracies)
        assert len(accuracies) <= winner["epochs"]
    assert runs["network.filters_1"].data.params["network.filters_1"] == "32"


def test_it_says_how_far_it_is(searched):
    output = (searched.root / "output.txt").read_text(encoding="utf-8")
    line = r"(\d) of 6 trials, best validation accuracy \d+\.\d\d%, about .+ left"
    assert re.findall(rf"^{line}$", output, re.MULTILINE) == list("123456")
    log = (searched.root / ".fifteen/tune.log").read_text(encoding="utf-8")
    assert re.findall(rf"^[-\d]+ [:\d]+ {line}$", log, re.MULTILINE) == list("123456")
    assert not list((searched.root / ".fifteen").glob("tune-*/**/*.npz"))  # no checkpoint stays


# What a user changes


def test_a_value_of_ones_own_trains_again_without_a_search(workspace):
    runs = set(workspace.runs())
    output = workspace.run(
        *("dvc", "exp", "run", "train_tuned@tuned"),
        *("-S", "searches.tuned.training.network.dropout=0.45"),
    )
    assert stages_run(output) == ["train_tuned@tuned"]
    (run,) = [run for name, run in workspace.runs().items() if name not in runs]
    assert run.data.params["network.dropout"] == "0.45"
    found = Training.model_validate(best_training(workspace))
    assert found.network.dropout != 0.45
    assert run.data.params["network.dense_units"] == str(found.network.dense_units)
    assert run.data.params["optimizer.name"] == found.optimizer.name


def test_another_search(workspace):
    before = decided(workspace)
    output = workspace.run(
        *("dvc", "exp", "run", SEARCH),
        *("-S", "searches.tuned.max_epochs=2", "-S", "searches.tuned.seed=7"),
        *("-S", "~searches.tuned.space.label_smoothing"),
    )
    assert stages_run(output) == [SEARCH]
    record = decided(workspace)
    assert [(t["bracket"], t["rung"], t["epochs"]) for t in record["trials"]] == [(0, 0, 2)] * 2
    assert (record["seed"], record["max_epochs"]) == (7, 2)
    names = [dimension["name"] for dimension in record["dimensions"]]
    assert "label_smoothing" not in names
    assert len(names) == len(before["dimensions"]) - 1
    assert "label_smoothing" not in best_training(workspace)
    values = [trial["hyperparameters"] for trial in record["trials"]]
    assert values[0] != before["trials"][0]["hyperparameters"]


def test_a_search_all_of_whose_trials_fail(fresh):
    params, yaml = fresh.root / "params.yaml", YAML()
    content = yaml.load(params)
    content["searches"]["tuned"]["max_epochs"] = 2
    yaml.dump(content, params)
    (fresh.root / "src/fifteen/networks/build.py").write_text(
        "from fifteen.common.errors import UserError\n\n\n"
        "def build_network(*_):\n"
        '    raise UserError("it cannot be built")\n'
    )
    status, output = fresh.attempt("python", "src/tune.py", "tuned")
    assert status == 1
    assert "Traceback" not in output
    assert output.splitlines()[-1] == (
        "error: all 2 trials failed, the last with: it cannot be built; "
        "change searches.tuned.space in params.yaml"
    )
    assert not (fresh.root / "models/tuned").exists()
    parent, children, _ = search_runs(fresh)
    statuses = {run.info.status for run in (parent, *children.values())}
    assert statuses == {"FAILED"}
    assert len(children) == 2
    assert {run.data.tags["failure"] for run in children.values()} == {"it cannot be built"}


# Kills, and workers


def stage_of(process):
    """The process that a shell of `dvc` runs for a stage."""
    deadline = time.monotonic() + WITHIN
    while time.monotonic() < deadline:
        listed = subprocess.run(
            ("ps", "-A", "-o", "pid=,ppid=,args="), stdout=subprocess.PIPE, text=True, check=True
        )
        rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
        ours = {process.pid}
        for _ in rows:  # until no descendant is new
            ours |= {int(pid) for pid, parent, *_ in rows if int(parent) in ours}
        found = [
            int(pid)
            for pid, _, *args in rows
            if int(pid) in ours and re.match(r"\S*python\S* src/tune.py", "".join(args))
        ]
        if found:
            return found[0]
        time.sleep(0.1)
    raise AssertionError("no stage runs")


def test_a_search_killed_in_a_trial_goes_on(searched, fresh):
    process = fresh.start("dvc", "repro", SEARCH)
    try:
        for line in process.stdout:
            if line.startswith("  epoch 1 of 3"):  # trial 0004; that epoch is on disk
                os.kill(stage_of(process), signal.SIGKILL)
                break
        process.communicate(timeout=WITHIN)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode != 0
    assert not (fresh.root / "models/tuned/search.json").exists()
    parent, children, without = search_runs(fresh)
    assert not without
    assert parent.info.status == "RUNNING"
    statuses = {name: run.info.status for name, run in children.items()}
    assert statuses == dict.fromkeys(TRIALS[:4], "FINISHED") | {"0004": "RUNNING"}
    known = {name: run.info.run_id for name, run in children.items()}

    output = fresh.run("dvc", "repro", SEARCH)
    assert "resuming: 4 of 6 trials are done" in output
    assert re.search(r"^resuming after epoch [12] of 3$", output, re.MULTILINE)
    assert re.findall(r"^trial (\d+) ", output, re.MULTILINE) == TRIALS[4:]
    assert decided(fresh) == decided(searched)
    assert best_training(fresh) == best_training(searched)
    again, children, without = search_runs(fresh)
    assert again.info.run_id == parent.info.run_id
    assert known.items() <= {name: run.info.run_id for name, run in children.items()}.items()
    assert sorted(children) == TRIALS
    assert {run.info.status for run in (again, *children.values(), *without)} == {"FINISHED"}
    trial = children["0004"].info.run_id
    accuracies = decided(searched)["trials"][4]["accuracies"]
    assert fresh.curve(trial, "val/accuracy") == list(enumerate(accuracies, start=1))


def test_a_chief_and_two_workers_share_a_search(searched, fresh):
    shared = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": str(free_port())}
    shared["no_proxy"] = "127.0.0.1"  # gRPC too obeys http_proxy
    commands = {
        "chief": ("dvc", "repro", SEARCH),
        "worker0": ("python", "src/tune.py", "tuned"),
        "worker1": ("python", "src/tune.py", "tuned"),
    }
    processes = {}
    try:
        for name, command in commands.items():
            environment = fresh.environment | shared | {"KERASTUNER_TUNER_ID": name}
            processes[name] = dataclasses.replace(fresh, environment=environment).start(*command)
        outputs = {name: p.communicate(timeout=WITHIN)[0] for name, p in processes.items()}
    finally:
        for process in processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    for name, process in processes.items():
        assert process.returncode == 0, outputs[name]
        assert "Traceback" not in outputs[name]

    done = {
        name: re.findall(r"^trial (\d+) ", output, re.MULTILINE) for name, output in outputs.items()
    }
    assert sorted(done["worker0"] + done["worker1"]) == TRIALS
    assert done["worker0"]
    assert done["worker1"]
    assert not done["chief"]

    record = decided(fresh)
    assert record["workers"] == 2
    values = {str(trial["hyperparameters"]) for trial in record["trials"]}
    assert values == {str(trial["hyperparameters"]) for trial in decided(searched)["trials"]}
    assert by_values(record) == by_values(decided(searched))
    assert best_training(fresh) == best_training(searched)
    parent, children, without = search_runs(fresh)
    assert sorted(children) == TRIALS
    assert {run.info.status for run in (parent, *children.values(), *without)} == {"FINISHED"}
    for trial in record["trials"]:
        accuracies = fresh.curve(children[trial["trial"]].info.run_id, "val/accuracy")
        assert accuracies == list(enumerate(trial["accuracies"], start=1))
    assert not list((fresh.root / ".fifteen").glob("tune-*/**/*.npz"))
    assert fresh.run("dvc", "status", SEARCH) == "Data and pipelines are up to date.\n"
