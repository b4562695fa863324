"""A study of the digits, from its file to its results, interrupted once."""

import re
import signal

from fifteen.evaluation.packing import unpacked

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.timeout(400)

STUDY = {
    "question": "Do two models of one epoch beat one of two?",
    "base": "small",
    "compare": "alone",
    "seeds": [1],
    "test": True,
    "rows": {
        "alone": {"what": "one model", "change": {"snapshots": 2}},
        "snapshots": {"what": "its snapshots", "change": {"snapshots": 2}, "rule": "sum"},
        "two": {"what": "two models", "models": 2, "change": {"epochs": 1}, "rule": "sum"},
    },
}
RUN = ("python", "src/study.py", "run", "shared")


def edit(params):
    """Digits, and one variant."""
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = 2
    params["variants"] = {"small": {"network": "baseline", "batch_size": 256}}
    params["searches"] = params["ensembles"] = {}


@pytest.fixture(scope="module")
def project(clone):
    """A clone in which the study has been run, killed in its first training and run again."""
    project = clone(edit)
    for file in (project.root / "studies").glob("*.yaml"):
        file.unlink()
    YAML().dump(STUDY, project.root / "studies" / "shared.yaml")
    project.commit()
    project.run("dvc", "repro", "--quiet", "prepare")
    project.commit()
    assert "0 of 3" in project.run("python", "src/study.py", "list")
    assert project.stop(*RUN, signum=signal.SIGKILL, line="Epoch 2/")[0] == -signal.SIGKILL
    output = project.run(*RUN)
    assert "resuming after epoch 1 of 2" in output
    assert re.findall(r"^(\d of \d: \w+), seed 1$", output, re.M) == [
        "1 of 2: alone",
        "2 of 2: two",
    ]
    assert "Not measured" not in output
    return project


def results(project):
    files = (project.root / "studies" / "results" / "digits").iterdir()
    content = (project.json(str(file.relative_to(project.root))) for file in files)
    return {result["label"]: result for result in content}


def test_a_training_has_one_result_whatever_rows_it_stands_in(project):
    by_label = results(project)
    head = project.run("git", "rev-parse", "HEAD").strip()
    assert set(by_label) == {"alone", "two"}
    for result in by_label.values():
        assert (result["commit"], result["modified"]) == (head, False)
        assert result["data"]["source"] == "digits"
        assert result["adapted"] == {"batch_size": 67}  # 1,347 training images in 20 steps
        assert result["training"]["batch_size"] == 256
        assert result["ensemble"]["members"] == 2
        judged = (result["single"], result["test"], *result["ensemble"]["rules"].values())
        for scores in judged:
            assert unpacked(scores["right"]).mean() == pytest.approx(scores["accuracy"])
        assert set(result["test"]["rules"]) == {"sum", "logits", "vote"}
        assert result["single"]["accuracy"] == pytest.approx(result["val_accuracy"])
    alone, two = by_label["alone"], by_label["two"]
    assert (alone["epochs"], two["epochs"], two["models"]) == (2, 1, 2)
    assert set(alone["ensemble"]["rules"]) == {*two["ensemble"]["rules"], "average"}
    assert two["ensemble"]["disagreement"] > 0  # other seeds


def test_runs(project):
    experiment = project.client.get_experiment_by_name("fifteen-digits-studies")
    runs = {run.info.run_id: run for run in project.client.search_runs([experiment.experiment_id])}
    assert {run.info.run_name for run in runs.values()} == {
        *("alone seed 1", "two-1 seed 1000", "two-2 seed 1001")
    }
    assert set(runs) == {id for result in results(project).values() for id in result["run_ids"]}
    for run in runs.values():
        assert run.info.status == "FINISHED"
        assert run.data.tags["study"] == "shared"
    (killed,) = results(project)["alone"]["run_ids"]  # the run of the training that was killed
    assert [epoch for epoch, _ in project.curve(killed, "val/accuracy")] == [1, 2]
    assert not project.runs()  # none among those of the models
    assert not list((project.root / ".fifteen").glob("*/"))


def test_what_is_measured_is_not_trained_again(project):
    output = project.run(*RUN)
    assert "1 of" not in output
    shown = re.findall(r"^ +(alone|snapshots|two) +1 +[\d.]+ ± – +[\d.]+ ± –", output, re.M)
    assert shown == ["alone", "snapshots", "two"]
    assert "3 of 3" in project.run("python", "src/study.py", "list")
    assert project.changes() == ["?? studies/results/digits/"]


def test_other_data_than_named(project, tmp_path):
    project = project.copy(tmp_path)
    project.edit(lambda params: params["data"].update(source="cifar10"))
    status, output = project.attempt(*RUN)
    assert status == 1
    assert "data/trainval is of digits, params.yaml of cifar10; `dvc repro prepare`" in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--rows", "alone", "three"], "no row of shared: three; rows: alone, snapshots, two"),
        (["--seeds", "1", "7"], "no seed of these rows: [7]; seeds: [1]"),
    ],
)
def test_rows_and_seeds_that_the_study_does_not_have(project, options, message):
    status, output = project.attempt(*RUN, *options)
    assert (status, "Traceback" in output) == (1, False)
    assert message in output
