"""The ladder of changes, measured by real `dvc` on the digits."""

import json
import re
import signal

from fifteen.config import Training
from fifteen.reporting.csv_rows import read_rows
from fifteen.reporting.ladder import Row

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.timeout(900)

EPOCHS, SEEDS = 1, [1, 2]
LADDER, LEFT_OUT = ["larger_batches", "smoothing"], ["small_batches"]
STAGES = [f"ladder@{rung}-{seed}" for rung in LADDER for seed in SEEDS]
STAGES += [f"leave_one_out@{rung}-{seed}" for rung in LEFT_OUT for seed in SEEDS]


def step(**change):
    return {"what": f"now {change}", "change": change}


def plan(batch_size):
    """A walk of two rungs, the second of which is the variant `small`, and on to `slow`."""
    return {
        "reference": "small",
        "seeds": {
            "ladder": SEEDS,
            "leave_one_out": SEEDS,
            "more": {"rungs": [], "seeds": []},
        },
        "ladder": {
            "larger_batches": step(batch_size=batch_size),
            "smoothing": step(label_smoothing=0.1),
        },
        "variants": {"slow": "a lower rate"},
        "leave_one_out": {"small_batches": step(batch_size=64)},
    }


def small(batch_size):
    return {"network": "baseline", "batch_size": batch_size, "label_smoothing": 0.1}


SLOW = small(256) | {"schedule": {"name": "constant", "rate": 0.0001}}


def measured_by_make_seeds():
    """An entry of reports/seeds.json; what it says is made up."""
    training = Training.model_validate(SLOW).model_copy(update={"epochs": EPOCHS})
    return {
        "seed": 1,
        "training": training.model_dump(mode="json"),
        "parameters": 7,
        "validation_accuracy": 0.25,
        "last_validation_accuracy": 0.125,
        "train_seconds": 3.0,
        "hardware": {"device": "a GPU", "precision": "float32"},
        "commit": "0" * 40,
        "modified": False,
    }


def edit(params):
    """Digits, and the one variant that the walk reaches."""
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = EPOCHS
    for name in set(params["variants"]) - {"tuned"}:
        del params["variants"][name]
    params["variants"] |= {"small": small(256), "slow": SLOW}
    params["ensembles"].clear()


def write_plan(project, batch_size):
    YAML().dump(plan(batch_size), project.root / "ablations" / "params.yaml")


@pytest.fixture(scope="module")
def project(clone):
    """A clone in which the ladder has been measured, its results committed."""
    project = clone(edit)
    (project.root / "ablations" / "dvc.lock").unlink(missing_ok=True)
    for result in (project.root / "ablations").glob("results/*"):
        result.unlink()
    write_plan(project, 256)
    early = project.run("python", "ablations/summarize.py")
    assert "not measured yet: larger_batches-1, larger_batches-2, smoothing-1," in early
    assert (
        "`dvc repro ablations/dvc.yaml` does it\nnot measured yet: slow; `make seeds` do" in early
    )
    mine = measured_by_make_seeds()
    other = mine | {"seed": 2, "training": mine["training"] | {"label_smoothing": 0.5}}
    of_workspace = {key: value for key, value in mine.items() if key != "commit"} | {"seed": 42}
    outdated = mine | {"seed": 3, "training": mine["training"] | {"no_such_key": 1}}
    found = json.dumps({"slow": [of_workspace, mine, other, outdated]})
    (project.root / "reports" / "seeds.json").write_text(found)
    assert table(project) == {}
    project.commit()
    output = project.run("dvc", "repro", "ablations/dvc.yaml")
    assert "Traceback" not in output
    own = [f"ablations/dvc.yaml:{stage}" for stage in ["trainings", *STAGES]]
    assert sorted(stages_run(output)) == sorted(["prepare", *own])
    assert "not measured yet" not in project.run("python", "ablations/summarize.py")
    return project


def stages_run(output):
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)


def runs(project):
    """The MLflow runs of the ladder."""
    experiment = project.client.get_experiment_by_name("fifteen-digits-ablations")
    return {run.info.run_id: run for run in project.client.search_runs([experiment.experiment_id])}


def results(project):
    files = (project.root / "ablations" / "results").iterdir()
    return {file.stem: project.json(str(file.relative_to(project.root))) for file in files}


def table(project):
    return {row.rung: row for row in read_rows(Row, project.root / "reports/ablations/ladder.csv")}


def test_results(project):
    head = project.run("git", "rev-parse", "HEAD").strip()
    found = results(project)
    assert set(found) == {stage.partition("@")[2] for stage in STAGES}
    for name, result in found.items():
        assert name == f"{result['rung']}-{result['seed']}"
        assert result["epochs"] == result["best_epoch"] == EPOCHS
        assert result["val_accuracy"] == result["last_val_accuracy"]
        assert 0 <= result["val_accuracy"] <= 1
        assert 0 <= result["train_accuracy"] <= 1
        assert result["seconds"] > 0
        assert result["parameters"] > 1_000_000
        assert (result["commit"], result["modified"]) == (head, False)
        assert (result["source"], set(result["hardware"])) == (
            "digits",
            {"device", "precision"},
        )
    settings = {name: result["training"] for name, result in found.items()}
    assert {
        name: (training["batch_size"], training["label_smoothing"])
        for name, training in settings.items()
        if name.endswith("-1")
    } == {
        "larger_batches-1": (256, 0.0),
        "smoothing-1": (256, 0.1),
        "small_batches-1": (64, 0.1),
    }
    # Seeds make a difference.
    assert found["smoothing-1"]["val_loss"] != found["smoothing-2"]["val_loss"]
    kept = list((project.root / ".fifteen").glob("*/state.npz"))
    assert len(kept) <= 1  # those of the last stage


def test_runs(project):
    found = runs(project)
    for result in results(project).values():
        run = found.pop(result["run_id"])
        assert run.info.run_name == f"{result['rung']} seed {result['seed']}"
        assert run.info.status == "FINISHED"
        assert run.data.params["seed"] == str(result["seed"])
        assert run.data.params["batch_size"] == str(result["training"]["batch_size"])
        assert run.data.metrics["val/best_accuracy"] == result["val_accuracy"]
        assert run.data.tags["commit"] == result["commit"]
        curve = project.curve(run.info.run_id, "val/accuracy")
        assert curve == [(EPOCHS, result["last_val_accuracy"])]
    assert not found
    assert not project.runs()  # none among those of the models


def test_table_and_figure(project):
    rows, found = table(project), results(project)
    assert list(rows) == [*LADDER, "slow", *LEFT_OUT]
    slow = rows.pop("slow")
    assert (slow.accuracy, slow.last_accuracy, slow.seconds, slow.seeds) == (0.25, 0.125, 3, (1,))
    first = found["smoothing-1"]["val_accuracy"]
    assert (slow.against, slow.gain) == ("smoothing", pytest.approx(0.25 - first))
    for rung, row in rows.items():
        both = [found[f"{rung}-{seed}"] for seed in SEEDS]
        mean = sum(result["val_accuracy"] for result in both) / 2
        assert row.accuracy == pytest.approx(mean)
        assert row.seeds == (1, 2)
        assert (row.source, row.epochs) == ("digits", EPOCHS)
    assert [row.against for row in rows.values()] == [None, "larger_batches", "small"]
    gain = rows["smoothing"].accuracy - rows["larger_batches"].accuracy
    assert rows["smoothing"].gain == pytest.approx(gain)
    text = (project.root / "reports/ablations/ladder.md").read_text(encoding="utf-8")
    assert all(f"| {rung} |" in text for rung in rows)
    assert (project.root / "reports/ablations/ladder.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_is_measured_twice_and_a_change_reruns_what_it_decides(project):
    project.commit()
    before = runs(project)
    assert stages_run(project.run("dvc", "repro", "ablations/dvc.yaml")) == []
    assert project.changes() == []

    # The second rung stands on the first; what is left out of the reference replaces the change.
    write_plan(project, 128)
    params = YAML().load(project.root / "params.yaml")
    params["variants"]["small"] = small(128)
    YAML().dump(params, project.root / "params.yaml")
    old = results(project)
    ran = stages_run(project.run("dvc", "repro", "ablations/dvc.yaml"))
    again = [f"ladder@{rung}-{seed}" for rung in LADDER for seed in SEEDS]
    expected = [f"ablations/dvc.yaml:{stage}" for stage in ["trainings", *again]]
    assert sorted(ran) == sorted(expected)
    assert len(runs(project)) == len(before) + len(again)
    new = results(project)
    assert new["smoothing-1"]["training"]["batch_size"] == 128
    assert {name for name in old if new[name] == old[name]} == {
        f"small_batches-{seed}" for seed in SEEDS
    }


def test_an_interrupted_walk_goes_on_where_it_stopped(project, tmp_path):
    project = project.copy(tmp_path)
    project.edit(lambda params: params["budget"].update(epochs=3))
    project.run("dvc", "repro", "ablations/dvc.yaml:trainings")
    before = set(runs(project))
    train = ("python", "ablations/train.py", "smoothing", "1")
    assert project.stop(*train, signum=signal.SIGKILL, line="Epoch 3/")[0] == -signal.SIGKILL

    stage = "ablations/dvc.yaml:ladder@smoothing-1"
    output = project.run("dvc", "repro", "--single-item", stage)
    assert "resuming after epoch 2 of 3" in output
    result = results(project)["smoothing-1"]
    assert result["epochs"] == 3
    new = {run_id: run for run_id, run in runs(project).items() if run_id not in before}
    assert list(new) == [result["run_id"]]  # the run of the training that was killed
    curve = project.curve(result["run_id"], "val/accuracy")
    assert [epoch for epoch, _ in curve] == [1, 2, 3]


def test_a_walk_that_misses_the_variant_stops_at_once(project):
    write_plan(project, 32)
    status, output = project.attempt("dvc", "repro", "ablations/dvc.yaml")
    assert status != 0
    assert stages_run(output) == ["ablations/dvc.yaml:trainings"]
    assert "Traceback" not in output
    assert "no rung of `ladder` comes out as variants.small of params.yaml" in output
    assert "the closest, smoothing, differs in batch_size" in output  # and slow in its rate too
