"""Many experiments on one store at once, and two users of one tracking server.

FIFTEEN_EXPERIMENTS says how many; `make torture` asks for more than a test can afford.
"""

import os
import re

import pytest

pytestmark = [pytest.mark.torture, pytest.mark.timeout(1800)]

JOBS, EXPERIMENTS = 4, int(os.environ.get("FIFTEEN_EXPERIMENTS", "4"))
FINISHED_WITHIN = 1500  # seconds
TROUBLE = re.compile("is locked|acquire lock|Traceback|error", re.IGNORECASE)


def edit(params):
    """The baseline alone, for one epoch, on the digits."""
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = 1
    params["variants"] = params["searches"] = params["ensembles"] = {}


@pytest.fixture(scope="module")
def prepared(clone):
    """A project with prepared data, committed."""
    project = clone(edit)
    project.run("dvc", "repro", "prepare")
    project.commit()
    return project


def test_a_queue_of_experiments(prepared, tmp_path, faults):
    project, seeds = prepared.copy(tmp_path), range(1, EXPERIMENTS + 1)
    sweep = f"seed={','.join(map(str, seeds))}"
    output = project.run("dvc", "exp", "run", "--queue", "-S", sweep, "train_baseline")
    queued = re.findall(r"Queued experiment '(.+?)'", output)
    assert len(queued) == EXPERIMENTS
    status, logs = project.run_queue(queued, JOBS, FINISHED_WITHIN)
    assert len(re.findall("Success$", status, re.MULTILINE)) == EXPERIMENTS, logs
    trouble = [line for log in logs for line in log.splitlines() if TROUBLE.search(line)]
    assert not trouble

    runs = project.runs().values()
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sorted(run.data.tags["dvc.exp_name"] for run in runs) == sorted(queued)
    assert sorted(int(run.data.params["seed"]) for run in runs) == list(seeds)
    (baseline,) = (
        shown
        for shown in project.read("dvc", "exp", "show", "--json", "--all-commits")
        if shown["experiments"]
    )
    assert {shown["name"] for shown in baseline["experiments"]} == set(queued)
    faults.record(
        f"{JOBS} workers at once",
        f"`dvc queue`, {EXPERIMENTS} experiments on one store",
        "all in MLflow and in `dvc exp show`, each once; no error of a lock",
        EXPERIMENTS,
    )


def test_two_users_of_one_server(prepared, server, tmp_path, faults):
    team = {"MLFLOW_TRACKING_URI": server.address, "no_proxy": "127.0.0.1"}
    users = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        users.append(prepared.copy(tmp_path / name, **team))
    working = [user.start("dvc", "repro", "train_baseline") for user in users]
    for process in working:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        assert "Traceback" not in output
    runs = users[0].runs()
    assert {user.json("models/baseline/result.json")["run_id"] for user in users} == set(runs)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    for run in runs:
        assert [step for step, _ in users[1].curve(run, "val/accuracy")] == [1]
    faults.record("two users at once", "one tracking server, new", "a run for each, nothing mixed")
