"""What the stages of ablations/dvc.yaml depend on."""

import ast
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
STAGES = YAML(typ="safe").load((ROOT / "ablations" / "dvc.yaml").read_text())["stages"]
MEASURING = ("ladder", "leave_one_out", "more")


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
            for folder in (ROOT / "src", ROOT / "ablations"):
                inner = [folder.joinpath(*parts[: i + 1]) for i in range(len(parts))]
                files = [f for p in inner for f in (p / "__init__.py", p.with_suffix(".py"))]
                todo += [file for file in files if file.is_file()]
    return {str(file.relative_to(ROOT)) for file in found}


def code(stage):
    return {dep for dep in STAGES[stage]["deps"] if dep.endswith(".py")}


@pytest.mark.parametrize("stage", ["trainings", "summarize"])
def test_deps_are_exactly_what_is_imported(stage):
    assert code(stage) == closure(ROOT / STAGES[stage]["cmd"].removeprefix("python "))


@pytest.mark.parametrize("stage", MEASURING)
def test_a_measurement_depends_on_its_training_and_the_data_alone(stage):
    assert STAGES[stage]["deps"] == ["ablations/trainings/${item.rung}.json", "data/trainval"]
    assert STAGES[stage]["params"] == ["budget", "hardware"]
    assert STAGES[stage]["wdir"] == ".."


def test_the_measurements_differ_in_nothing_but_what_is_measured():
    first, *others = (
        {key: value for key, value in STAGES[stage].items() if key != "matrix"}
        for stage in MEASURING
    )
    assert all(other == first for other in others)


def test_nothing_sees_the_test_images():
    deps = {dep for stage in STAGES.values() for dep in stage["deps"]}
    assert "data/trainval" in deps
    assert not {"data", "data/test"} & deps
    assert not any("data/test" in file.read_text() for file in (ROOT / "ablations").glob("*.py"))
