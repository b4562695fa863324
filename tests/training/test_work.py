import json
import re
import shutil
from pathlib import Path

from fifteen.training import work
from fifteen.training.work import CODE, resume_key, work_folder

import pytest

DECIDES = {"training": {"network": {"name": "baseline"}, "epochs": 15}, "seed": 42}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """A main repository, in which a copy of the library lies beside the work."""
    package = tmp_path / "library" / "fifteen"
    shutil.copytree(
        Path(work.fifteen.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(work.fifteen, "__file__", str(package / "__init__.py"))
    return tmp_path


def test_a_folder_in_the_main_repository(root):
    folder = work_folder("refined", DECIDES)
    assert folder.parent == root.resolve() / ".fifteen"
    assert folder.parent.is_dir()
    assert not folder.exists()  # whoever works there makes it
    assert re.fullmatch(r"refined-[0-9a-f]{16}", folder.name)


def test_the_same_again_is_the_same_folder():
    again = json.loads(json.dumps(DECIDES))  # equal, but another object
    assert work_folder("x", DECIDES) == work_folder("x", again)


@pytest.mark.parametrize(
    "other",
    [
        DECIDES | {"seed": 43},
        DECIDES | {"seed": "42"},
        DECIDES | {"training": {"network": {"name": "baseline"}, "epochs": 14}},
        DECIDES | {"training": {"network": {"name": "refined"}, "epochs": 15}},
        DECIDES | {"precision": None},
        {"seed": 42},
    ],
)
def test_what_decides_otherwise_is_another_folder(other):
    assert work_folder("x", other) != work_folder("x", DECIDES)


def test_another_name_is_another_folder():
    assert work_folder("x", DECIDES) != work_folder("y", DECIDES)


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("hardware.py", True),
        ("data/pipeline.py", True),
        ("networks/convnet.py", True),
        ("training/losses.py", True),
        ("tuning/oracle.py", True),
        ("reporting/page.py", False),
        ("tracking.py", False),
    ],
)
def test_code_that_decides(root, file, changes):
    before = work_folder("x", DECIDES)
    path = root / "library" / "fifteen" / file
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    assert (work_folder("x", DECIDES) != before) == changes


def test_every_pattern_finds_code(root):
    for pattern in CODE:
        assert list((root / "library" / "fifteen").glob(pattern)), pattern


@pytest.mark.parametrize("engine", ["tensorflow", "keras", "keras-tuner"])
def test_another_version_of_an_engine_is_another_folder(monkeypatch, engine):
    before, version = work_folder("x", DECIDES), work.version
    monkeypatch.setattr(work, "version", lambda name: version(name) + "0" * (name == engine))
    assert work_folder("x", DECIDES) != before


def test_the_key_is_the_work_s_own():
    folder = work_folder("x", DECIDES)
    key = resume_key(folder)
    assert resume_key(folder) == key
    assert re.fullmatch(rf"{folder.name}-[0-9a-f]{{8}}", key)
    assert [path.name for path in folder.iterdir()] == ["resume_key"]


def test_another_folder_and_later_work_in_the_same_have_other_keys():
    one, other = work_folder("x", DECIDES), work_folder("y", DECIDES)
    first = resume_key(one)
    assert resume_key(other) != first
    shutil.rmtree(one)  # the work was done, and is begun again
    assert resume_key(one) != first
