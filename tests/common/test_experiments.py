import subprocess
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.common.experiments import read_from_experiment

import pytest


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Two commits of one file; the first is called `demo`, as DVC finds an experiment too."""
    monkeypatch.chdir(tmp_path)

    def git(*command):
        identity = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        subprocess.run(("git", *identity, *command), check=True)

    git("init", "--quiet")
    for text in ("of the experiment", "of the workspace"):
        Path("a.txt").write_text(text)
        git("add", "a.txt")
        git("commit", "--quiet", "--message", text)
    git("tag", "demo", "HEAD~1")


def test_a_file_is_read_as_the_experiment_left_it(repository):
    assert read_from_experiment("demo", Path("a.txt")) == "of the experiment"


@pytest.mark.parametrize(("experiment", "file"), [("other", "a.txt"), ("demo", "b.txt")])
def test_what_is_not_there(repository, experiment, file):
    with pytest.raises(UserError, match=f"{file} of experiment '{experiment}' cannot be read"):
        read_from_experiment(experiment, Path(file))
