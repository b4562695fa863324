"""The DAG says what the code does."""

import re
from collections import Counter
from pathlib import Path

from fifteen.common.fingerprints import closure
from fingerprint import SCRIPTS

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"


def load(name):
    return YAML(typ="safe").load((ROOT / name).read_text(encoding="utf-8"))


PARAMS, DVC = load("params.yaml"), load("dvc.yaml")
# A `foreach` stage is one of its kind for all its members: its deps are the same for each.
STAGES = {name: stage.get("do", stage) for name, stage in DVC["stages"].items()}
KEPT = ("params.yaml", "src", "studies", "reports/provenance.json")
BY_HAND = {"demo", "predict", "promote", "results", "serve", "study", "ui"}  # or by make


def script(stage):
    """The script a stage runs, for example `train`."""
    return re.fullmatch(r"python src/(\w+)\.py( \S+)?", STAGES[stage]["cmd"])[1]


def names(entries):
    """The paths of deps, outs or params, whatever their options."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries or []]


@pytest.mark.parametrize("stage", [name for name in STAGES if name != "code"])
def test_a_stage_depends_on_the_fingerprint_of_its_script_and_on_no_other_code(stage):
    deps = names(STAGES[stage]["deps"])
    code = [dep for dep in deps if dep.startswith(("code", "src"))]
    assert code == [f"code/{script(stage)}.txt"]


def test_every_stage_has_a_fingerprint():
    assert {script(stage) for stage in STAGES} == {*SCRIPTS, "fingerprint"}
    assert names(STAGES["code"]["deps"]) == ["src"]
    assert names(STAGES["code"]["outs"]) == ["code"]


def test_every_script_is_a_stage_or_called_by_hand():
    assert {path.stem for path in SRC.glob("*.py")} == {*SCRIPTS, "fingerprint"} | BY_HAND


def test_every_module_of_the_library_is_used_by_a_script():
    used = {name for path in SRC.glob("*.py") for name in closure(path.stem)}
    modules = {
        ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        for path in (SRC / "fifteen").rglob("*.py")
    }
    assert modules <= used


def test_no_two_modules_share_a_name():
    stems = Counter(path.stem for path in SRC.rglob("*.py") if path.name != "__init__.py")
    assert [stem for stem, count in stems.items() if count > 1] == []


def test_only_evaluation_sees_the_test_images():
    reading = {stage for stage in STAGES if "data/test" in names(STAGES[stage]["deps"])}
    assert {script(stage) for stage in reading} == {"evaluate"}
    assert not any("data" in names(STAGES[stage]["deps"]) for stage in STAGES)
    assert [stage for stage in STAGES if "data/test" in names(STAGES[stage].get("outs"))] == [
        "prepare"
    ]
    naming = {path.name for path in SRC.rglob("*.py") if "data/test" in path.read_text()}
    assert naming == {"prepare.py", "evaluate.py", "running.py"}  # studies with test: true


def test_every_model_of_params_yaml_is_trained_and_evaluated():
    over = {name: stage.get("foreach") for name, stage in DVC["stages"].items()}
    assert over["tune"] == over["train_tuned"] == over["evaluate_tuned"] == "${searches}"
    assert over["train_variant"] == over["evaluate_variant"] == "${variants}"
    assert over["ensemble"] == over["evaluate_ensemble"] == "${ensembles}"
    assert list(over["evaluate_baseline"]) == ["baseline"]


def test_the_kinds_of_training_differ_in_nothing_but_the_section():
    baseline, tuned, variant = (
        STAGES[f"train_{kind}"] for kind in ("baseline", "tuned", "variant")
    )
    assert baseline["deps"] == variant["deps"]
    assert tuned["deps"] == [*variant["deps"], "models/${key}/hyperparameters.json"]
    for stage, section in ((tuned, "searches.${key}.training"), (variant, "variants.${key}")):
        assert [param.replace(section, "baseline") for param in stage["params"]] == baseline[
            "params"
        ]
        assert [out.replace("${key}", "baseline") for out in stage["outs"]] == baseline["outs"]


def test_every_parameter_is_read_and_every_one_read_exists():
    read = {param.split(".")[0] for stage in STAGES.values() for param in stage.get("params", [])}
    assert read == set(PARAMS)
    assert "params.yaml" in names(STAGES["report"]["deps"])


def test_a_search_depends_on_all_of_its_section_but_the_training():
    """An override of the training needs no new search; leave-one-out goes by the baseline."""
    own = {param for param in STAGES["tune"]["params"] if param.startswith("searches")}
    keys = set(PARAMS["searches"]["tuned"]) - {"training"}
    assert own == {f"searches.${{key}}.{key}" for key in keys}
    assert "baseline" in STAGES["tune"]["params"]


def test_whatever_is_read_is_made_by_a_stage_or_is_committed():
    outs = [out for stage in STAGES.values() for out in names(stage["outs"])]
    for name, stage in STAGES.items():
        for dep in names(stage["deps"]):
            made = dep.replace("${item.variant}", "${key}")
            kept = dep in KEPT and (ROOT / dep).exists()
            ok = any(o == made or o.startswith(f"{dep}/") or made.startswith(f"{o}/") for o in outs)
            assert kept or ok, f"{name}: {dep}"


def test_the_pipeline_is_read_in_a_minute():
    assert len((ROOT / "dvc.yaml").read_text(encoding="utf-8").splitlines()) <= 120
