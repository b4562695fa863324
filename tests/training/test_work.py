import json
import re
import shutil
from pathlib import Path
from unittest.mock import Mock

from fifteen.training import work
from fifteen.training.work import CODE, at_work, resume_key, work_folder

import pytest
from filelock import FileLock

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
        ("reporting/charts.py", False),
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


@pytest.fixture
def workspace(root, monkeypatch):
    """A workspace in which DVC has recorded something."""
    monkeypatch.chdir(root)
    (root / "dvc.lock").write_text("prepare")
    return root


def do(name, **stops):
    """Work with a checkpoint, whose folder the result is."""
    folder = work_folder(name, DECIDES)
    with at_work(folder):
        resume_key(folder)
        (folder / "state.npz").write_bytes(b"all")
        if stops:
            raise stops["by"]
    return folder


def begin(folder):
    """What the same work finds when it begins again: the name of its run, and its state."""
    with at_work(folder):
        state = folder / "state.npz"
        return resume_key(folder), state.exists() and state.read_bytes()


@pytest.mark.parametrize("lock", ["dvc.lock", "ablations/dvc.lock"])
def test_work_that_is_done_is_kept_until_dvc_has_recorded_it(workspace, lock):
    folder = do("x")
    key = resume_key(folder)
    assert begin(folder) == begin(folder) == (key, b"all")  # killed before DVC's record
    (workspace / lock).parent.mkdir(exist_ok=True)
    (workspace / lock).write_text("prepare, train")
    other, state = begin(folder)  # forced
    assert other != key
    assert not state


def test_work_that_is_not_done_goes_on_whatever_dvc_has_recorded_since(workspace):
    with pytest.raises(KeyboardInterrupt):
        do("x", by=KeyboardInterrupt())
    folder = work_folder("x", DECIDES)
    key = resume_key(folder)
    (workspace / "dvc.lock").write_text("prepare, other")
    do("y")
    assert begin(folder) == (key, b"all")


def test_recorded_work_is_removed_as_other_work_begins(workspace):
    one = do("x")
    do("y")  # of the same stage, as nothing is recorded in between
    assert one.exists()
    (workspace / "dvc.lock").write_text("prepare, train")
    three = do("z")
    folders = [path for path in three.parent.iterdir() if path.is_dir()]
    assert folders == [three]


def test_work_done_in_another_workspace_is_removed_as_other_work_begins(
    workspace, tmp_path_factory, monkeypatch
):
    """As that of an experiment, which has a workspace of its own that is gone after it."""
    one, two = do("x"), do("y")
    elsewhere = tmp_path_factory.mktemp("an experiment")
    shutil.copy("dvc.lock", elsewhere)
    monkeypatch.chdir(elsewhere)
    key = resume_key(one)
    assert begin(one) == (key, b"all")  # it was killed there, and goes on here
    assert not two.exists()


def test_work_that_is_being_delivered_is_left_alone(workspace):
    folder = do("x")
    (workspace / "dvc.lock").write_text("prepare, train")
    with FileLock(folder.with_suffix(".lock")):
        do("y")
        assert folder.exists()
    do("y")
    assert not folder.exists()


def test_what_a_kill_leaves_of_a_removal_is_removed_next(workspace, monkeypatch):
    folder = do("x")
    (workspace / "dvc.lock").write_text("prepare, train")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", Mock(side_effect=KeyboardInterrupt))
        begin(folder)
    assert not folder.exists()
    assert list(folder.parent.glob("*.gone"))
    assert not begin(folder)[1]
    assert not list(folder.parent.glob("*.gone"))
