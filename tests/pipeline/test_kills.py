"""A pipeline of whose stages each is killed at random moments ends as an undisturbed one.

FIFTEEN_KILLS says how often each stage is killed, FIFTEEN_SEED when: `make torture` asks for more
than a test can afford.
"""

import itertools
import os
import random
import re
import signal
import subprocess
import time
from collections import Counter

import pytest
from faults import SEED

pytestmark = [
    pytest.mark.torture,
    pytest.mark.timeout(3600),
    pytest.mark.usefixtures("hears_interrupts"),
]

KILLS = int(os.environ.get("FIFTEEN_KILLS", "1"))
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
NETWORK = {"name": "convnet", "filters_1": 8, "filters_2": 8, "dense_units": 16}
PEAK = {"low": 0.001, "high": 0.02, "sampling": "log"}
GONE_WITHIN = 60  # seconds
REPEATABLE = ("prepare", "evaluate", "report")  # forced to run again, they add nothing to MLflow
PASSING = {"train_seconds", "run_id", "seconds", "step_seconds"}  # differ from run to run


def edit(params):
    """One stage of every kind, small, on the digits."""
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = 2
    schedule = {"name": "cosine", "peak": None}
    training = {"network": NETWORK, "schedule": schedule, "snapshots": 2}
    params["variants"] = {}
    params["ensembles"] = {"small_sum": {"variant": "small", "method": "sum"}}
    space = {"network": NETWORK, "schedule": {"name": "cosine", "peak": PEAK}, "batch_size": 128}
    search = {"training": training, "max_epochs": 2, "factor": 2, "space": space}
    params["searches"] = {"small": {**params["searches"]["tuned"], **search}}


@pytest.fixture(scope="module")
def prepared(clone):
    return clone(edit)


@pytest.fixture(scope="module")
def undisturbed(prepared, tmp_path_factory):
    """A copy in which the pipeline has run, and how long each stage took in seconds."""
    project = prepared.copy(tmp_path_factory.mktemp("undisturbed"))
    process, begun, output = project.start("dvc", "repro"), {}, []
    for line in process.stdout:
        output.append(line)
        if stage := re.match(r"Running stage '(.+)':", line):
            begun[stage[1]] = time.monotonic()
    assert process.wait() == 0, "".join(output)
    ends = [*list(begun.values())[1:], time.monotonic()]
    return project, {name: end - begun[name] for name, end in zip(begun, ends, strict=True)}


def kill(project, stage, signum, moment):
    """Send a signal to a stage, and to the dvc that runs it, so many seconds after its beginning.

    False where the stage has ended before.
    """
    force = ["--force"] if stage.startswith(REPEATABLE) else []
    process = project.start("dvc", "repro", "--single-item", *force, stage)
    try:
        for line in process.stdout:
            if line.startswith("Running stage"):
                break
        process.wait(moment)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signum)
        process.communicate(timeout=GONE_WITHIN)
        deadline = time.monotonic() + GONE_WITHIN
        while left := project.processes():
            assert time.monotonic() < deadline, f"{stage}: after {signum.name} remain {left}"
            time.sleep(0.1)
        return True
    finally:
        process.stdout.close()
    return False


def reproduce(project, stages):
    """Run the last of `stages` to its end; whether dvc.lock had to be taken from git for that.

    DVC writes dvc.lock in place, so that a kill at that moment leaves it empty. Then the stages
    before are recorded anew too.
    """
    status, output = project.attempt("dvc", "repro", "--single-item", stages[-1])
    lost = status != 0 and "'./dvc.lock'" in output
    if lost:
        project.run("git", "checkout", "--quiet", "dvc.lock")
        status, output = project.attempt("dvc", "repro", *stages)
    assert status == 0, output
    assert "Traceback" not in output
    return lost


def plain(value):
    """Numbers without times and names of runs."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in PASSING}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def curves(project):
    """The runs by name, each with its curves."""
    metrics = ("val/accuracy", "train/loss", "learning_rate", "val/member_accuracy")
    return sorted(
        (run.info.run_name, [project.curve(id, metric) for metric in metrics])
        for id, run in project.runs().items()
    )


def models(project):
    """How many models are logged to the runs of each name."""
    runs = project.runs()
    experiments = list({run.info.experiment_id for run in runs.values()})
    logged = project.client.search_logged_models(experiments)
    return Counter(runs[model.source_run_id].info.run_name for model in logged)


def check(project, whole):
    """The project, whose pipeline has run to its end, has what an undisturbed one has."""
    assert "Running stage" not in project.run("dvc", "repro")
    results = "reports/metrics.json"
    assert plain(project.json(results)) == plain(whole.json(results))
    assert {run.info.status for run in project.runs().values()} == {"FINISHED"}
    assert curves(project) == curves(whole)
    assert models(project) == models(whole)
    assert not [path for path in project.root.rglob("*.partial*") if ".git" not in path.parts]
    checkpoints = {path.parent for path in (project.root / ".fifteen").rglob("*.npz")}
    assert len(checkpoints) <= 1  # those of the training that ended last


def test_kills(prepared, undisturbed, faults, tmp_path_factory):
    whole, seconds = undisturbed
    rng, signals = random.Random(SEED), itertools.cycle(SIGNALS)
    print(f"FIFTEEN_SEED={SEED}")
    stages, project = list(seconds), prepared
    kills, lost, ended_early = Counter(), set(), []
    for number, stage in enumerate(stages, start=1):
        once = not stage.startswith(REPEATABLE)
        before = project.copy(tmp_path_factory.mktemp("before")) if once else None
        for signum in itertools.islice(signals, KILLS):
            while not kill(project, stage, signum, rng.uniform(0, seconds[stage])):
                # It came too late. A stage that cannot be repeated is killed in another project,
                # where it has not run yet; this one has to come to its end all the same.
                if before:
                    ended_early.append((project, number))
                    project = before.copy(tmp_path_factory.mktemp("again"))
                elif reproduce(project, stages[:number]):
                    lost.add(stage)
            kills[stage, signum.name] += 1
        if reproduce(project, stages[:number]):
            lost.add(stage)

    for ended, number in [*ended_early, (project, len(stages))]:
        if reproduce(ended, stages[:number]):
            lost.add(stages[number - 1])
        ended.run("dvc", "repro")
        check(ended, whole)

    assert kills.total() == KILLS * len(stages)
    for stage in stages:
        counts = {signum.name: kills[stage, signum.name] for signum in SIGNALS}
        outcome = "the same metrics and curves in the end, one finished run in MLflow"
        if stage in lost:
            outcome += "; once after `git checkout dvc.lock`"
        of_each = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        faults.record(f"killed: {of_each}", f"`{stage}`", outcome, sum(counts.values()))
