"""What the stages of ablations/dvc.yaml and ensembles/dvc.yaml depend on."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
MEASURING = {"ablations": ("ladder", "leave_one_out", "more"), "ensembles": ("measure",)}
STAGES = {
    folder: YAML(typ="safe").load((ROOT / folder / "dvc.yaml").read_text())["stages"]
    for folder in MEASURING
}
pipelines = pytest.mark.parametrize("folder", MEASURING)


def modules(path):
    """The modules a file names in its imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def closure(path):
    """The project's files that `path` imports, directly or not, and itself."""
    found, todo = set(), [path]
    while todo:
        current = todo.pop()
        if current in found:
            continue
        found.add(current)
        for module in modules(current):
            parts = module.split(".")
            for folder in (ROOT / "src", path.parent):
                inner = [folder.joinpath(*parts[: i + 1]) for i in range(len(parts))]
                files = [f for p in inner for f in (p / "__init__.py", p.with_suffix(".py"))]
                todo += [file for file in files if file.is_file()]
    return {str(file.relative_to(ROOT)) for file in found}


@pipelines
def test_deps_are_exactly_what_is_imported(folder):
    described = STAGES[folder]["trainings"]
    code = {dep for dep in described["deps"] if dep.endswith(".py")}
    assert code == closure(ROOT / described["cmd"].removeprefix("python "))


@pipelines
def test_a_measurement_depends_on_its_training_and_the_data_alone(folder):
    for stage in MEASURING[folder]:
        described = STAGES[folder][stage]
        (training,) = set(described["deps"]) - {"data/trainval"}
        assert training.startswith(f"{folder}/trainings/${{item.")
        assert described["params"] == ["budget", "hardware"]
        assert described["wdir"] == ".."


@pipelines
def test_the_measurements_differ_in_nothing_but_what_is_measured(folder):
    first, *others = (
        {key: value for key, value in STAGES[folder][stage].items() if key != "matrix"}
        for stage in MEASURING[folder]
    )
    assert all(other == first for other in others)


@pipelines
def test_nothing_sees_the_test_images(folder):
    deps = {dep for stage in STAGES[folder].values() for dep in stage["deps"]}
    assert "data/trainval" in deps
    assert not {"data", "data/test"} & deps
    assert not any("data/test" in file.read_text() for file in (ROOT / folder).glob("*.py"))


def paths(entries):
    """Those of deps or outs, whatever their options."""
    return {entry if isinstance(entry, str) else next(iter(entry)) for entry in entries}


@pipelines
def test_the_report_reads_what_no_stage_makes(folder):
    """Or `dvc repro` would take hours of measuring along."""
    main = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text())["stages"]
    (read,) = {dep for dep in paths(main["report"]["deps"]) if dep.startswith(f"reports/{folder}/")}
    assert read == str(next((ROOT / "reports" / folder).glob("*.csv")).relative_to(ROOT))
    outs = {out for stage in STAGES[folder].values() for out in paths(stage["outs"])}
    assert outs
    assert all(out.startswith(f"{folder}/") for out in outs)
