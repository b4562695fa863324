import hashlib

from fifteen.common.errors import UserError
from fifteen.common.files import (
    fill_folder,
    md5,
    new_file,
    new_folder,
    read_json,
    repository_root,
    write_json,
)

import pytest


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_root_is_dvc_s_or_else_this_checkout(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert repository_root() == tmp_path.resolve()
    for nothing in (None, ""):
        if nothing is None:
            monkeypatch.delenv("DVC_ROOT")
        else:
            monkeypatch.setenv("DVC_ROOT", nothing)
        assert (repository_root() / "params.yaml").is_file()
        assert repository_root().is_absolute()


def test_a_new_folder_appears_whole(tmp_path):
    target = tmp_path / "above" / "out"
    with new_folder(target) as folder:
        (folder / "a").write_text("1")
        assert not target.exists()
    assert names(target) == ["a"]
    assert names(tmp_path / "above") == ["out"]


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path):
    target = tmp_path / "out"
    (target / "sub").mkdir(parents=True)
    (target / "old").write_text("old")
    with new_folder(target) as folder:
        (folder / "new").write_text("new")
        assert names(target) == ["old", "sub"]
    assert names(target) == ["new"]
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failing_block_leaves_the_old_folder(tmp_path, error):
    target = tmp_path / "out"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(error), new_folder(target) as folder:
        (folder / "new").write_text("new")
        raise error
    assert names(target) == ["old"]
    assert names(tmp_path) == ["out"]


def test_what_a_killed_process_left_does_not_get_in(tmp_path):
    target = tmp_path / "out"
    with new_folder(target) as folder:
        (folder / "stale").write_text("x")
        left = folder
        with new_folder(target) as again:  # as a second process would, after a SIGKILL
            assert again == left
            (again / "fresh").write_text("y")
        folder.mkdir()
    with new_folder(target) as folder:
        assert names(folder) == []


def test_three_outs_are_all_or_nothing_until_the_last_block_ends(tmp_path):
    outs = [tmp_path / name for name in "abc"]
    with (
        pytest.raises(ValueError, match="late"),
        new_folder(outs[0]),
        new_folder(outs[1]),
        new_folder(outs[2]),
    ):
        raise ValueError("late")
    assert names(tmp_path) == []


def contents(folder):
    """All files below a folder, by their path."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_filling_keeps_what_else_is_there_and_replaces_what_has_the_same_name(tmp_path):
    target = tmp_path / "above" / "out"
    for sub in ("kept_folder", "folder", "folder_then_file"):
        (target / sub).mkdir(parents=True)
        (target / sub / "old").write_text("old")
    for name in ("kept", "file", "file_then_folder"):
        (target / name).write_text("old")
    before = contents(target)

    with fill_folder(target) as folder:
        assert names(folder) == []
        for name in ("file", "folder_then_file", "added"):
            (folder / name).write_text("new")
        for name in ("folder", "file_then_folder", "added_folder"):
            (folder / name).mkdir()
            (folder / name / "new").write_text("new")
        assert contents(target) == before

    assert contents(target) == {
        "kept": "old",
        "kept_folder/old": "old",
        "file": "new",
        "folder/new": "new",  # and nothing of the old folder
        "folder_then_file": "new",
        "file_then_folder/new": "new",
        "added": "new",
        "added_folder/new": "new",
    }
    assert names(tmp_path / "above") == ["out"]


def test_filling_replaces_links_and_not_what_they_lead_to(tmp_path):
    target, elsewhere = tmp_path / "out", tmp_path / "cache"  # as with DVC's `cache.type symlink`
    (elsewhere / "folder").mkdir(parents=True)
    for path in (elsewhere / "file", elsewhere / "folder" / "old"):
        path.write_text("old")
    target.mkdir()
    for name in ("file", "folder"):
        (target / name).symlink_to(elsewhere / name)
    with fill_folder(target) as folder:
        (folder / "file").write_text("new")
        (folder / "folder").mkdir()
        (folder / "folder" / "new").write_text("new")
    assert contents(target) == {"file": "new", "folder/new": "new"}
    assert contents(elsewhere) == {"file": "old", "folder/old": "old"}


def test_filling_makes_the_folder(tmp_path):
    with fill_folder(tmp_path / "above" / "out") as folder:
        (folder / "a").write_text("1")
        assert not (tmp_path / "above" / "out").exists()
    assert contents(tmp_path) == {"above/out/a": "1"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_filling_that_fails_changes_nothing(tmp_path, error):
    target = tmp_path / "out"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(error), fill_folder(target) as folder:
        (folder / "a").write_text("new")
        (folder / "b").write_text("new")
        raise error
    assert contents(tmp_path) == {"out/a": "old"}
    assert names(tmp_path) == ["out"]


def test_filling_after_a_kill(tmp_path):
    target = tmp_path / "out"
    for left in (".out.new", "..out.new.partial"):  # the names of what a SIGKILL leaves behind
        (tmp_path / left).mkdir()
        (tmp_path / left / "stale").write_text("x")
    with fill_folder(target) as folder:
        (folder / "a").write_text("new")
    assert names(target) == ["a"]
    assert names(tmp_path) == ["out"]


def test_a_new_file_appears_whole(tmp_path):
    target = tmp_path / "above" / "x.txt"
    with new_file(target) as partial:
        partial.write_text("half")
        assert not target.exists()
    assert target.read_text() == "half"
    assert names(tmp_path / "above") == ["x.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_old_file(tmp_path, error):
    target = tmp_path / "x.txt"
    target.write_text("old")
    with pytest.raises(error), new_file(target) as partial:
        partial.write_text("half")
        raise error
    assert target.read_text() == "old"
    assert names(tmp_path) == ["x.txt"]


def test_json_round_trip(tmp_path):
    content = {"name": "Größe", "values": [1, 2.5, None, True], "nested": {"a": []}}
    path = tmp_path / "sub" / "x.json"
    write_json(path, content)
    assert read_json(path) == content
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert text.splitlines()[1].startswith("  ")


def test_json_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, [1])
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == [1]
    assert names(tmp_path) == ["x.json"]


@pytest.mark.parametrize("content", [None, "{"])
def test_json_that_cannot_be_read_is_a_clear_error(tmp_path, content):
    path = tmp_path / "x.json"
    if content:
        path.write_text(content)
    with pytest.raises(UserError, match=r"x\.json .*`dvc repro`"):
        read_json(path)


def test_md5(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"")
    assert md5(path) == "d41d8cd98f00b204e9800998ecf8427e"  # RFC 1321, appendix A.5
    path.write_bytes(b"message digest")
    assert md5(path) == "f96b697d7cb7938d525a2f31aaf161d0"
    path.write_bytes(bytes(range(256)) * 10_000)
    assert md5(path) == hashlib.md5(bytes(range(256)) * 10_000).hexdigest()
