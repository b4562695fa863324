"""The pipeline from end to end, and what a user changes about it."""

import csv
import json
import re
import typing
from dataclasses import replace
from itertools import combinations

from fifteen.params.sections import Rule

import keras
import mlflow
import numpy as np
import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.timeout(600)

EPOCHS, STEPS_PER_EPOCH = 2, 11
TRAINED = ["baseline", "refined", "snapshot", "swift"]
METHODS = {f"snapshot_{method}": method for method in ("sum", "vote", "average", "best")}
COMBINED = list(METHODS)
STAGES = {
    "baseline": "train_baseline",
    "refined": "train_variant@refined",
    "snapshot": "train_variant@snapshot",
    "swift": "train_variant@swift",
    **{name: f"ensemble@{name}" for name in COMBINED},
}
MODELS = [*TRAINED, *COMBINED]
FINISHED_WITHIN = 300  # seconds, for two queued experiments


def edit(params):
    """Few models and epochs, on the digits."""
    params["data"]["source"] = "digits"
    params["budget"] = {"epochs": EPOCHS, "min_steps_per_epoch": 1}
    for name in set(params["variants"]) - set(TRAINED[1:]):
        del params["variants"][name]
    params["searches"], params["ensembles"] = {}, {}
    for name, method in METHODS.items():
        params["ensembles"][name] = {"variant": "snapshot", "method": method}
    params["variants"]["swift"]["network"]["width"] = 8
    del params["variants"]["swift"]["snapshots"]  # more than it has steps on so few images


@pytest.fixture(scope="module")
def project(clone):
    """A clone in which the pipeline has run, its results committed."""
    project = clone(edit)
    output = project.run("dvc", "repro")
    assert "Traceback" not in output
    project.run("python", "src/promote.py")
    project.commit()
    return project


@pytest.fixture
def workspace(project):
    """The same, to be changed."""
    yield project
    project.restore()


@pytest.fixture(scope="module")
def test_images(project):
    folder = project.root / "data/test"
    images, labels = (np.load(folder / f"test_{kind}.npy") for kind in ("images", "labels"))
    assert images.dtype == np.uint8
    return images, labels


def plots_page(project):
    """The page that `dvc plots` wrote last, which needs nothing from the network."""
    page = project.root / "dvc_plots" / "index.html"
    text = page.read_text(encoding="utf-8")
    scripts = re.findall(r'<script[^>]* src="([^"]+)"', text)
    assert scripts == ["../reports/vega.js"]
    assert all((page.parent / script).is_file() for script in scripts)
    return text


def stages_run(output):
    return re.findall(r"^Running stage '(.+)':$", output, re.MULTILINE)


def experiments(project):
    """What `dvc exp show` says of each experiment, by name."""
    baselines = project.read("dvc", "exp", "show", "--json")
    found = [experiment for baseline in baselines for experiment in baseline["experiments"] or []]
    return {experiment["name"]: experiment["revs"][0]["data"] for experiment in found}


def accuracies(experiment):
    return experiment["metrics"]["reports/accuracy.json"]["data"]


def of_members(models):
    """The ensembles in which several members answer: not those of averaged weights."""
    return [name for name in COMBINED if models[name]["method"] != "average"]


def own_run(project, name):
    """The run of one of the models in the workspace, by the id that its files give."""
    return project.runs()[project.json(f"models/{name}/result.json")["run_id"]]


def partial_files(project):
    return [path for path in project.root.rglob("*.partial*") if ".git" not in path.parts]


# The pipeline has run once


def test_every_output_is_there(project):
    stages = YAML(typ="safe").load(project.root / "dvc.lock")["stages"]
    outs = {out["path"] for stage in stages.values() for out in stage["outs"]}
    assert all((project.root / out).exists() for out in outs)
    assert outs >= {f"models/{name}/model.keras" for name in TRAINED}
    assert outs >= {f"models/{name}" for name in COMBINED}
    assert outs >= {f"predictions/{name}.npz" for name in MODELS}
    assert outs >= {f"reports/models/{name}" for name in MODELS}
    assert outs >= {"data/trainval", "data/test", "reports/data", "reports/report.html"}
    assert not partial_files(project)


def test_numbers_file(project):
    metrics = project.json("reports/metrics.json")
    assert metrics["source"] == "digits"
    assert metrics["epoch_budget"] == EPOCHS
    parts = [metrics[f"{part}_images"] for part in ("train", "validation", "test")]
    assert parts == [1347, 150, 300]
    assert set(metrics["hardware"]) == {"device", "precision"}
    assert list(metrics["models"]) == MODELS
    for name, model in metrics["models"].items():
        assert model["kind"] == ("single" if name in TRAINED else "ensemble")
        assert model["epochs"] == EPOCHS
        assert model["parameters"] > 40_000
        assert model["train_seconds"] > 0
        assert 0 <= model["validation"]["accuracy"] <= 1
        test = model["test"]
        low, high = test["accuracy_ci95"]
        assert 0 <= low < test["accuracy"] < high <= 1
        assert test["accuracy"] <= test["top5_accuracy"] <= 1
        assert test["nll"] > 0
        assert 0 <= test["ece"] <= 1
        assert test["calibrated_nll"] > 0
        assert 0 <= test["calibrated_ece"] <= 1
        assert "superclass_accuracy" not in test  # digits have none
        assert test["worst_class"]["accuracy"] <= test["best_class"]["accuracy"]
        for extreme in ("best_class", "worst_class"):
            assert set(test[extreme]) == {"id", "name", "accuracy"}
            assert test[extreme]["name"] == str(test[extreme]["id"])
        single_view = {"tie_rate", "calibrated_nll", "calibrated_ece"}
        assert set(model["test_tta"]) == set(test) - single_view
    for name, method in METHODS.items():
        assert metrics["models"][name]["members"] == 5
        if method != "best":
            assert metrics["models"][name]["method"] == method


def test_the_best_rule_is_chosen_on_the_validation_images(project):
    models = project.json("reports/metrics.json")["models"]
    best = models["snapshot_best"]
    found = best["chosen_from"]
    assert set(found) == set(typing.get_args(Rule))
    for method in ("sum", "vote", "average"):
        assert found[method] == pytest.approx(
            models[f"snapshot_{method}"]["validation"]["accuracy"]
        )
    assert found[best["method"]] == max(found.values())
    assert best["validation"]["accuracy"] == pytest.approx(max(found.values()))
    logged = own_run(project, "snapshot_best").data.metrics
    assert {rule: logged[f"val/accuracy_of_{rule}"] for rule in found} == found


def test_comparisons_in_the_numbers_file(project):
    metrics = project.json("reports/metrics.json")
    pairs = {frozenset((row["a"], row["b"])) for row in metrics["comparisons"]}
    expected = {frozenset(pair) for pair in combinations(MODELS, 2)}
    for name in of_members(metrics["models"]):
        members = metrics["models"][name]["member_validation_accuracy"]
        expected.add(frozenset((name, "snapshot:last_snapshot")))
        if max(members) > members[-1]:
            expected.add(frozenset((name, "snapshot:best_snapshot")))
    assert pairs == expected
    for row in metrics["comparisons"]:
        assert set(row) == {"a", "b", "difference", "ci95", "mcnemar_p", "verdict"}
        low, high = row["ci95"]
        assert low <= row["difference"] <= high
        assert row["verdict"] == ("better" if low > 0 else "worse" if high < 0 else "same")
        assert 0 <= row["mcnemar_p"] <= 1
        if row["b"] in metrics["models"]:
            a, b = (metrics["models"][row[key]]["test"]["accuracy"] for key in "ab")
            assert row["difference"] == pytest.approx(a - b)


@pytest.mark.parametrize("name", MODELS)
def test_run_of_a_model(project, name):
    run = own_run(project, name)
    assert run.info.run_name == name
    assert run.info.status == "FINISHED"
    assert run.data.tags["dvc.stage"] == STAGES[name]

    scores = project.json("reports/metrics.json")["models"][name]
    for key in ("accuracy", "top5_accuracy", "nll", "ece"):
        for part in ("test", "test_tta"):
            assert run.data.metrics[f"{part}/{key}"] == pytest.approx(scores[part][key])
    for key in ("calibrated_nll", "calibrated_ece"):
        assert run.data.metrics[f"test/{key}"] == pytest.approx(scores["test"][key])
    assert run.data.metrics["val/best_accuracy"] == scores["validation"]["accuracy"]

    files = [file.path for file in project.client.list_artifacts(run.info.run_id, "images")]
    for part in ("validation", "test"):
        assert any(
            re.match(rf"images/confusion_matrix_{part}\b.*\.png$", file.replace("+", " "))
            for file in files
        )
    tables = [file.path for file in project.client.list_artifacts(run.info.run_id, "test")]
    assert {"test/per_class.csv", "test/confusion.csv", "test/metrics.json"} <= set(tables)
    if name in COMBINED:
        expected = {"variant": "snapshot", "method": METHODS[name], "members": "5"}
        assert expected.items() <= run.data.params.items()
        assert len(project.curve(run.info.run_id, "val/member_accuracy")) == 5


@pytest.mark.parametrize("name", TRAINED)
def test_run_of_a_training(project, name):
    run = own_run(project, name)
    with (project.root / "models" / name / "history.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    assert [row["epoch"] for row in history] == ["1", "2"]
    for metric in ("train/loss", "train/accuracy", "val/loss", "val/accuracy"):
        expected = [float(row[metric.replace("/", "_")]) for row in history]
        assert project.curve(run.info.run_id, metric) == list(enumerate(expected, start=1))
    rates = project.curve(run.info.run_id, "learning_rate")
    params = run.data.params
    steps = {"128": STEPS_PER_EPOCH, "1024": 2}[params["batch_size"]]
    assert [step for step, _ in rates] == list(range(EPOCHS * steps))
    assert rates[0][1] == pytest.approx(0 if name == "swift" else 0.001)

    assert params["network.name"] == (name if name in ("refined", "swift") else "baseline")
    assert (params["seed"], params["epochs"]) == ("42", "2")
    assert params["schedule.name"] in ("constant", "piecewise", "cosine", "one_cycle")
    assert {"optimizer.name", "monitor", "precision"} <= set(params)
    assert {"device", "md5.train_images.npy"} <= set(run.data.tags)
    inputs = run.inputs.dataset_inputs
    assert {data.dataset.name for data in inputs} == {"digits"}
    contexts = sorted(tag.value for data in inputs for tag in data.tags)
    assert contexts == ["test", "train", "validation"]


@pytest.mark.parametrize("name", MODELS)
def test_models_take_raw_images(project, test_images, name):
    """A model file, and the model in MLflow, give the accuracy that the report states."""
    images, labels = test_images
    accuracy = project.json("reports/metrics.json")["models"][name]["test"]["accuracy"]
    stored = keras.models.load_model(project.root / "models" / name / "model.keras")
    previous = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(project.tracking_uri)
    try:
        logged = mlflow.tensorflow.load_model(f"runs:/{own_run(project, name).info.run_id}/model")
    finally:
        mlflow.set_tracking_uri(previous)
    for model in (stored, logged):
        outputs = model.predict(images, batch_size=500, verbose=0)
        assert outputs.shape == (300, 10)
        np.testing.assert_allclose(outputs.sum(axis=-1), 1, atol=1e-3)
        assert np.mean(outputs.argmax(axis=-1) == labels) == accuracy


def test_registered_models(project):
    metrics = project.json("reports/metrics.json")["models"]
    judged = {"best-single": TRAINED, "best-ensemble": COMBINED, "champion": MODELS}
    for alias, names in (judged | {"baseline": ["baseline"]}).items():
        version = project.client.get_model_version_by_alias("fifteen-digits", alias)
        best = max(names, key=lambda name: metrics[name]["validation"]["accuracy"])
        assert version.run_id == own_run(project, best).info.run_id
        assert version.description.startswith(f"{best}: ")


@pytest.mark.parametrize("name", MODELS)
def test_what_the_report_knows_of_a_model(project, test_images, name):
    models = project.json("reports/metrics.json")["models"]
    model, has_members = models[name], name in of_members(models)
    assert model["run_id"] == own_run(project, name).info.run_id
    with (project.root / f"reports/models/{name}/answers.csv").open(newline="") as file:
        rows = [{key: int(value) for key, value in row.items()} for row in csv.DictReader(file)]
    assert [row["label"] for row in rows] == list(test_images[1])
    members = [f"member_{number}" for number in range(1, 6)] if has_members else []
    assert list(rows[0]) == ["label", "answer", *members]
    right = {key: np.mean([row[key] == row["label"] for row in rows]) for key in rows[0]}
    assert right["answer"] == model["test"]["accuracy"]

    for diagram in project.json(f"reports/models/{name}/calibration.json").values():
        assert set(diagram) == {"count", "confidence", "accuracy"}
        assert sum(diagram["count"]) == 300
        assert min(diagram["count"]) > 0
        assert np.average(diagram["accuracy"], weights=diagram["count"]) == pytest.approx(
            model["test"]["accuracy"]
        )
    diversity = project.root / f"reports/models/{name}/diversity.json"
    assert diversity.exists() == has_members
    if has_members:
        alone, *_ = json.loads(diversity.read_text())["accuracy_of_last"]
        assert alone == right[members[-1]]


def test_metrics_and_plots_can_be_shown(project):
    shown = project.read("dvc", "metrics", "show", "--json")[""]["data"]
    assert list(shown["reports/accuracy.json"]["data"]) == MODELS
    project.run("dvc", "plots", "show")
    assert plots_page(project)


# What a user does next


def test_the_report_is_small_enough_to_send(project):
    assert (project.root / "reports" / "report.html").stat().st_size < 3_000_000


def test_an_alias_goes_to_a_worse_model_only_by_force(project, tmp_path):
    copy = project.copy(tmp_path)

    def champion():
        return copy.client.get_model_version_by_alias("fifteen-digits", "champion")

    best = champion()
    versions = copy.client.search_model_versions("name='fifteen-digits'")
    old = next(version for version in versions if version.run_id != best.run_id)
    copy.client.log_metric(old.run_id, "val/best_accuracy", 1.0)  # of a larger budget, say
    copy.client.set_registered_model_alias("fifteen-digits", "champion", old.version)
    output = copy.run("python", "src/promote.py")
    assert f"champion stays with run {old.run_id}" in output
    assert champion().run_id == old.run_id
    copy.run("python", "src/promote.py", "--force")
    assert champion().run_id == best.run_id
    assert champion().version == best.version


def test_nothing_to_do(project):
    before = project.runs()
    output = project.run("dvc", "repro")
    assert stages_run(output) == []
    assert "is cached" not in output
    assert set(project.runs()) == set(before)
    assert project.changes() == []


def test_the_report_is_made_anew_of_what_is_in_git(project, tmp_path):
    """Neither data, models nor predictions are there, nor the runs that the aliases would go to."""
    project.run("git", "clone", "--quiet", ".", str(tmp_path / "elsewhere"))
    elsewhere = replace(project, root=tmp_path / "elsewhere")
    (elsewhere.root / "reports/report.html").unlink()
    output = elsewhere.run("dvc", "repro", "--single-item", "report")
    assert stages_run(output) == ["report"]
    assert elsewhere.changes() == []
    output = elsewhere.run("python", "src/promote.py")
    assert "is not in this MLflow store; champion stays where it is" in output


def test_mistakes_stop_the_first_stage(workspace):
    before = workspace.runs()
    wrong = {"data.source": "mnist", "budget.epochs": "0", "baseline.optimizer": "sgdd"}
    overrides = [f"--set-param={key}={value}" for key, value in wrong.items()]
    status, output = workspace.attempt("dvc", "exp", "run", *overrides)
    assert status != 0
    assert stages_run(output) == ["prepare"]
    assert "Traceback" not in output
    assert "error: 3 problems in params.yaml:" in output
    assert re.search(r"data\.source = 'mnist': .*'cifar100', 'cifar10' or 'digits'", output)
    assert re.search(r"budget\.epochs = 0: .*greater than or equal to 1", output)
    assert re.search(
        r"baseline\.optimizer\.name = 'sgdd': allowed are 'adam', 'adamw', 'sgd', 'muon'", output
    )

    assert not [line for line in workspace.changes() if line.startswith("??")]
    assert not partial_files(workspace)
    assert set(workspace.runs()) == set(before)


def test_an_override_reruns_only_what_it_must(workspace):
    before = workspace.runs()
    output = workspace.run("dvc", "exp", "run", "-S", "variants.refined.schedule.rate=0.002")
    assert stages_run(output) == ["train_variant@refined", "evaluate_variant@refined", "report"]
    name = re.search(r"^Ran experiment\(s\): (.+)$", output, re.MULTILINE)[1]

    (run,) = (run for id, run in workspace.runs().items() if id not in before)
    assert run.info.run_name == "refined"
    assert run.info.status == "FINISHED"
    assert run.data.tags["dvc.exp_name"] == name
    assert run.data.params["schedule.rate"] == "0.002"

    shown = experiments(workspace)[name]
    params = shown["params"]["params.yaml"]["data"]
    assert params["variants"]["refined"]["schedule"]["rate"] == 0.002
    models = workspace.json("reports/metrics.json")["models"]
    found = {name: scores["validation"] for name, scores in accuracies(shown).items()}
    assert found == {name: model["validation"]["accuracy"] for name, model in models.items()}
    assert models["refined"]["test"]["accuracy"] == run.data.metrics["test/accuracy"]

    table = workspace.run("dvc", "exp", "show", "--only-changed", "--drop", ".*/", "--csv")
    (header,) = [line.split(",") for line in table.splitlines() if line.startswith("Experiment,")]
    assert "variants.refined.schedule.rate" in header
    assert len(header) < 12  # of hundreds
    changed = workspace.read("dvc", "metrics", "diff", "--json")["reports/accuracy.json"]
    assert {key.split(".")[0] for key in changed} == {"refined"}
    workspace.run("dvc", "plots", "diff", "HEAD")
    assert {'"rev": "HEAD"', '"rev": "workspace"'} <= set(
        re.findall(r'"rev": "\w+"', plots_page(workspace))
    )


def test_a_lost_lock_file_costs_no_training(workspace):
    """What has no outputs in git is in DVC's run cache."""
    (workspace.root / "dvc.lock").unlink()
    output = workspace.run("dvc", "repro", "evaluate_variant@refined")
    assert stages_run(output) == ["code", "prepare", "evaluate_variant@refined"]


def test_queue(project):
    """A sweep over the network of a new variant, by two workers, away from the workspace."""
    before = project.runs()
    sweep = "+variants.extra.network=baseline,refined"
    output = project.run("dvc", "exp", "run", "--queue", "--set-param", sweep)
    queued = re.findall(r"Queued experiment '(.+?)'", output)
    assert len(queued) == 2
    status, logs = project.run_queue(queued, 2, FINISHED_WITHIN)
    assert len(re.findall("Success$", status, re.MULTILINE)) == 2, logs

    for log in logs:
        assert stages_run(log) == ["train_variant@extra", "evaluate_variant@extra", "report"]
    assert project.changes() == []
    assert not (project.root / "models/extra").exists()

    runs = project.runs()
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    new = {run.data.tags["dvc.exp_name"]: run for id, run in runs.items() if id not in before}
    assert set(new) == set(queued)
    assert {run.data.params["network.name"] for run in new.values()} == {"baseline", "refined"}
    shown = experiments(project)
    for name, run in new.items():
        assert list(accuracies(shown[name])) == [*TRAINED, "extra", *COMBINED]
        validation = run.data.metrics["val/best_accuracy"]
        assert accuracies(shown[name])["extra"]["validation"] == validation
