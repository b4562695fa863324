import subprocess

from fifteen.git import commit


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
