"""DVC experiments: listing them, running one in a temporary folder, reading its files."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from fifteen.common.errors import UserError


def experiments() -> list[str]:
    """The names of the experiments on the current commit."""
    return _dvc("exp", "list", "--name-only", stdout=subprocess.PIPE).stdout.split()


def run_experiment(overrides: Sequence[str], name: str | None = None) -> None:
    """Run the pipeline in a temporary folder, as an experiment.

    Args:
        overrides: changes to params.yaml, as for `dvc exp run -S`.
        name: of the experiment; replaces an experiment of that name. None lets DVC choose.

    Raises:
        UserError: the experiment failed.
    """
    named = ("--name", name) if name else ()
    if name:
        _dvc("exp", "remove", "--quiet", name, stderr=subprocess.DEVNULL)
    options = [part for override in overrides for part in ("--set-param", override)]
    if _dvc("exp", "run", "--temp", *named, *options).returncode:
        raise UserError("the experiment failed; see the messages above")


def read_from_experiment(experiment: str, path: Path) -> str:
    """The text of a file that the pipeline of an experiment wrote.

    Raises:
        UserError: there is no such experiment, or no such file in it.
    """
    from dvc import api  # takes a second
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError

    try:
        return api.read(path.as_posix(), rev=experiment)
    except (DvcException, SCMError) as error:
        raise UserError(
            f"{path} of experiment {experiment!r} cannot be read ({error}); see `dvc exp list`"
        ) from None


def _dvc(
    *arguments: str, stdout: int | None = None, stderr: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Call DVC so that `python` in its stages is this interpreter."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = (sys.executable, "-m", "dvc", *arguments)
    environment = os.environ | {"PATH": path}
    return subprocess.run(command, stdout=stdout, stderr=stderr, text=True, env=environment)
