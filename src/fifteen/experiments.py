"""DVC experiments and their files."""

import subprocess
from pathlib import Path

from fifteen.errors import UserError


def read_from_experiment(experiment: str, path: Path) -> str:
    """The text of a file that the experiment's pipeline wrote.

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


def experiments() -> list[str]:
    """The names of the experiments on the current commit."""
    command = ("dvc", "exp", "list", "--name-only")
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return listed.stdout.split()
