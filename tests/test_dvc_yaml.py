"""The DAG says what the code does: its dependencies are computed here from the imports."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"


def load(name):
    return YAML(typ="safe").load((ROOT / name).read_text(encoding="utf-8"))


PARAMS, DVC = load("params.yaml"), load("dvc.yaml")
# A `foreach` stage is one of its kind for all its members: its deps are the same for each.
STAGES = {name: stage.get("do", stage) for name, stage in DVC["stages"].items()}
NO_STAGES = {
    f"src/{name}.py" for name in ("predict", "promote", "results", "seeds", "serve", "ui")
}  # run by hand or by make


def script(stage):
    """The script a stage runs, for example `src/train.py`."""
    return re.fullmatch(r"python (src/\w+\.py)( \S+)?", STAGES[stage]["cmd"])[1]


def names(entries):
    """The paths of deps, outs or params, whatever their options."""
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries or []]


def imports(path: Path) -> Iterator[str]:
    """The modules a file names in its imports, wherever in it they stand."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files_of(module: str) -> list[Path]:
    """The project's files that run when `module` is imported: its packages and itself."""
    parts = module.split(".")
    paths = [SRC.joinpath(*parts[: i + 1]) for i in range(len(parts))]
    candidates = [c for p in paths for c in (p / "__init__.py", p.with_suffix(".py"))]
    return [path for path in candidates if path.is_file()]


def closure(path: Path) -> set[Path]:
    """The project's files that `path` imports, directly or not, and itself."""
    found, todo = set(), [path]
    while todo:
        current = todo.pop()
        if current not in found:
            found.add(current)
            todo += [file for module in imports(current) for file in files_of(module)]
    return found


@pytest.mark.parametrize("stage", STAGES)
def test_deps_are_exactly_what_is_imported(stage):
    imported = closure(ROOT / script(stage))
    beside = {(path.read_text(), other) for path in imported for other in path.parent.iterdir()}
    resources = {other for text, other in beside if f'"{other.name}"' in text}
    read = {path for path in resources if path.suffix == ".j2" or path.name == "vendor"}
    expected = {str(path.relative_to(ROOT)) for path in imported | read}
    found = [dep for dep in names(STAGES[stage]["deps"]) if dep.startswith("src/")]
    assert sorted(found) == sorted(expected)


def test_the_closure_finds_imports_inside_of_functions_and_packages():
    found = {str(path.relative_to(SRC)) for path in closure(SRC / "ensemble.py")}
    assert "fifteen/ensembles/rules.py" in found  # through ensembles.model
    assert "fifteen/__init__.py" in found
    assert "fifteen/ensembles/__init__.py" in found
    assert "fifteen/networks/baseline.py" not in found
    assert "tensorflow_datasets" in set(imports(SRC / "fifteen/data/sources.py"))  # in a function


def test_every_script_is_a_stage():
    scripts = {str(path.relative_to(ROOT)) for path in SRC.glob("*.py")}
    assert {script(stage) for stage in STAGES} == scripts - NO_STAGES


def test_every_file_of_the_library_is_used():
    used = {dep for stage in STAGES.values() for dep in names(stage["deps"])}
    for name in NO_STAGES:
        used |= {str(path.relative_to(ROOT)) for path in closure(ROOT / name)}
    files = {str(path.relative_to(ROOT)) for path in (SRC / "fifteen").rglob("*.py")}
    beside = ("measuring.py", "sections.py", "reporting/measurements.py")
    assert files - used == {f"src/fifteen/{file}" for file in beside}  # ablations/, ensembles/


def test_only_evaluation_sees_the_test_images():
    reading = {stage for stage in STAGES if "data/test" in names(STAGES[stage]["deps"])}
    assert reading == {"evaluate_baseline", "evaluate_variant", "evaluate_ensemble"}
    assert {script(stage) for stage in reading} == {"src/evaluate.py"}
    assert not any("data" in names(STAGES[stage]["deps"]) for stage in STAGES)
    assert [stage for stage in STAGES if "data/test" in names(STAGES[stage]["outs"])] == ["prepare"]
    naming = {path.name for path in SRC.rglob("*.py") if "data/test" in path.read_text()}
    assert naming == {"prepare.py", "evaluate.py"}


def test_every_model_of_params_yaml_is_trained_and_evaluated():
    over = {name: stage.get("foreach") for name, stage in DVC["stages"].items()}
    assert over["tune"] == over["train_variant"] == over["evaluate_variant"] == "${variants}"
    assert over["ensemble"] == over["evaluate_ensemble"] == "${ensembles}"
    assert STAGES["train_baseline"]["cmd"] == "python src/train.py baseline"
    assert list(over["evaluate_baseline"]) == ["baseline"]


def test_the_two_kinds_of_training_differ_in_nothing_but_the_name():
    one, other = STAGES["train_baseline"], STAGES["train_variant"]
    assert one["deps"] == other["deps"]
    *params, found = other["params"]
    assert [param.replace("variants.${key}", "baseline") for param in params] == one["params"]
    assert found == {"models/${key}/hyperparameters.json": ["training"]}  # of a search
    assert [out.replace("${key}", "baseline") for out in other["outs"]] == one["outs"]
    assert STAGES["evaluate_baseline"] == STAGES["evaluate_variant"] == STAGES["evaluate_ensemble"]


def test_every_parameter_is_read_and_every_one_read_exists():
    read = {
        param.partition(".")[0]
        for stage in STAGES.values()
        for param in stage.get("params", [])
        if isinstance(param, str)  # of params.yaml, not of another file
    }
    assert read == set(PARAMS)
    assert "params.yaml" in names(STAGES["report"]["deps"])


def test_a_variant_depends_on_its_own_section_alone():
    assert "variants.${key}" in STAGES["train_variant"]["params"]
    assert not {"variants", "ensembles", "tune"} & set(names(STAGES["train_variant"]["params"]))
    # An override of the variant needs no new search; what is taken back goes by the baseline.
    assert STAGES["tune"]["params"] == ["hardware", "baseline", "tune"]


# Committed: what was measured beside the pipeline, and by which code.
MEASURED = ("ablations", "ensembles", "reports/seeds.json", "reports/provenance.json")


def test_whatever_is_read_is_made_by_a_stage_or_is_committed():
    outs = [out for stage in STAGES.values() for out in names(stage["outs"])]
    for name, stage in STAGES.items():
        for dep in names(stage["deps"]):
            made = dep.replace("${item.variant}", "${key}")
            kept = dep.startswith("src/") or dep in ("params.yaml", *MEASURED)
            ok = kept and (ROOT / dep).exists()
            assert ok or any(o == made or o.startswith(f"{dep}/") for o in outs), f"{name}: {dep}"


def folder(path):
    """The folder of the library that a file belongs to; its own stem for those at the top."""
    return path.relative_to(SRC / "fifteen").parts[0].removesuffix(".py")


# stages -> tuning -> {training, ensembles, evaluation, reporting} -> {networks, data} -> the rest
LEVELS = {"networks": 1, "data": 1, "training": 2, "ensembles": 2, "evaluation": 2, "reporting": 3}
LEVELS |= {"prediction": 2, "tuning": 3, "tracked_training": 3, "measuring": 4}


@pytest.mark.parametrize("path", sorted((SRC / "fifteen").rglob("*.py")), ids=lambda p: p.stem)
def test_arrows_point_one_way(path):
    mine = folder(path)
    for file in {file for module in imports(path) for file in files_of(module)}:
        other = folder(file)
        assert other == mine or LEVELS.get(other, 0) < LEVELS.get(mine, 1), f"{mine} -> {other}"


@pytest.mark.parametrize("path", sorted((SRC / "fifteen").rglob("*.py")), ids=lambda p: p.stem)
def test_slow_packages_stay_where_they_are_needed(path):
    packages = {module.partition(".")[0] for module in imports(path)}
    assert "mlflow" not in packages or path.stem in ("store", "tracking", "registry", "ui")
    if folder(path) in ("config", "reporting", "evaluation"):
        assert not {"tensorflow", "keras"} & packages
