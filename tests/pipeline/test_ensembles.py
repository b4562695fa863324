"""Designs that share the epochs, measured by real `dvc` on the digits."""

import re

from fifteen.reporting.csv_rows import read_rows
from fifteen.reporting.ensembles import Row, unpacked

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.timeout(900)

PLAN = {
    "seeds": [1],
    "designs": {
        "alone": {"what": "one model", "variant": "small", "change": {"snapshots": 2}},
        "two": {
            "what": "two models of one epoch",
            "variant": "small",
            "models": 2,
            "change": {"epochs": 1},
        },
    },
}
STAGES = ["trainings", "measure@alone-1", "measure@two-1"]


def edit(params):
    """Digits, and one variant."""
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = 2
    for name in set(params["variants"]) - {"tuned"}:
        del params["variants"][name]
    params["variants"]["small"] = {"network": "baseline", "batch_size": 256}
    params["ensembles"].clear()


@pytest.fixture(scope="module")
def project(clone):
    """A clone in which the designs have been measured, its results committed."""
    project = clone(edit)
    (project.root / "ensembles" / "dvc.lock").unlink(missing_ok=True)
    for result in (project.root / "ensembles").glob("results/*"):
        result.unlink()
    YAML().dump(PLAN, project.root / "ensembles" / "params.yaml")
    project.commit()
    output = project.run("dvc", "repro", "ensembles/dvc.yaml")
    assert "Traceback" not in output
    own = [f"ensembles/dvc.yaml:{stage}" for stage in STAGES]
    assert sorted(stages_run(output)) == sorted(["prepare", *own])
    assert "not measured yet" not in project.run("python", "ensembles/summarize.py")
    project.commit()
    return project


def stages_run(output):
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)


def test_results(project):
    alone, two = (project.json(f"ensembles/results/{name}-1.json") for name in ("alone", "two"))
    assert (alone["models"], alone["members"]) == (1, 2)
    assert (two["models"], two["members"]) == (2, 2)
    assert set(alone["rules"]) == {*two["rules"], "average"}
    for result in (alone, two):
        for scores in (result["single"], result["sum_of_views"], *result["rules"].values()):
            assert unpacked(scores["right"]).mean() == pytest.approx(scores["accuracy"])
            assert scores["nll"] > 0
        assert result["weight_distance"] > 0
        assert 0 <= result["disagreement"] < 1
    # The last snapshot is the model of the second, and last, epoch.
    assert alone["member_accuracy"][1] <= alone["single"]["accuracy"]
    assert two["disagreement"] > 0  # other seeds


def test_runs(project):
    experiment = project.client.get_experiment_by_name("fifteen-digits-ensembles")
    runs = {run.info.run_id: run for run in project.client.search_runs([experiment.experiment_id])}
    found = [
        project.json(f"ensembles/results/{name}-1.json")["run_ids"] for name in ("alone", "two")
    ]
    assert set(runs) == {run_id for run_ids in found for run_id in run_ids}
    assert sorted(run.info.run_name for run in runs.values()) == [
        *("alone seed 1", "two-1 seed 1000", "two-2 seed 1001")
    ]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    kept = list((project.root / ".fifteen").glob("*/state.npz"))
    assert len(kept) <= 2  # those of the last stage


def test_table_and_figure(project):
    rows = read_rows(Row, project.root / "reports/ensembles/ensembles.csv")
    assert [row.design for row in rows] == ["alone", "two"]
    for row in rows:
        result = project.json(f"ensembles/results/{row.design}-1.json")
        assert row.sum == pytest.approx(result["rules"]["sum"]["accuracy"])
        assert (row.source, row.epochs) == ("digits", 2)
    assert (project.root / "reports/ensembles/ensembles.png").stat().st_size > 5000


def test_nothing_is_left_to_do(project):
    assert stages_run(project.run("dvc", "repro", "ensembles/dvc.yaml")) == []


def test_what_is_measured_of_another_training_is_no_result(project):
    path = project.root / "ensembles" / "params.yaml"
    plan = YAML().load(path)
    plan["designs"]["alone"]["change"]["batch_size"] = 128
    YAML().dump(plan, path)
    status, output = project.attempt("python", "ensembles/summarize.py")
    project.run("git", "checkout", "--quiet", "ensembles")
    assert status == 1
    assert "alone-1.json was measured with other values of batch_size" in output


def test_an_unknown_design(project):
    status, output = project.attempt("python", "ensembles/measure.py", "three", "1")
    assert status == 1
    assert "nothing is called 'three'" in output
