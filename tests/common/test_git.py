import subprocess

from fifteen.common.errors import UserError
from fifteen.common.git import commit, require_full_clone, workspace_is_clean

import pytest


def test_commit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def git(*command):
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        done = subprocess.run(("git", *identity, *command), capture_output=True, text=True)
        return done.stdout.strip()

    assert commit() == {"commit": None, "modified": False}  # no repository
    git("init", "--quiet")
    for name in ("src/a.py", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    git("add", "--all")
    git("commit", "--quiet", "--message", "first")
    clean = {"commit": git("rev-parse", "HEAD"), "modified": False}
    assert commit() == clean
    (tmp_path / "README.md").write_text("no code")
    assert commit() == clean
    (tmp_path / "src" / "b.py").write_text("")
    assert commit() == clean | {"modified": True}
    assert not workspace_is_clean()
    (tmp_path / "README.md").write_text("")
    assert workspace_is_clean()  # but for a new file


def test_a_shallow_clone_is_refused(tmp_path, monkeypatch):
    def git(*command):
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(("git", *identity, *command), cwd=tmp_path, check=True)

    git("init", "--quiet", "whole")
    for message in ("first", "second"):
        git("-C", "whole", "commit", "--quiet", "--allow-empty", "--message", message)
    git("clone", "--quiet", "--depth", "1", f"file://{tmp_path / 'whole'}", "shallow")
    monkeypatch.chdir(tmp_path / "whole")
    require_full_clone()
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(UserError, match="git fetch --unshallow"):
        require_full_clone()
    git("-C", "shallow", "fetch", "--quiet", "--unshallow")
    require_full_clone()
