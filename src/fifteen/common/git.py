"""The git state of the checkout."""

import subprocess
from typing import Any

from fifteen.common.errors import UserError


def commit() -> dict[str, Any]:
    """The current `commit`, and whether the code has been `modified` since."""
    code = ("src", "requirements.txt")
    changes = _git("status", "--porcelain", "--", *code)
    return {"commit": _git("rev-parse", "HEAD"), "modified": bool(changes)}


def workspace_is_clean() -> bool:
    """Whether no tracked file has been changed since the last commit."""
    return _git("diff", "--quiet", "HEAD") is not None


def require_full_clone() -> None:
    """Make sure that DVC can keep the results of an experiment in a temporary folder.

    Raises:
        UserError: this is a shallow clone, from which git cannot fetch them.
    """
    if _git("rev-parse", "--is-shallow-repository") == "true":
        raise UserError(
            "this is a shallow clone (git clone --depth), where DVC loses the results of "
            "experiments. Fetch the rest of the history: git fetch --unshallow"
        )


def _git(*command: str) -> str | None:
    """The output of a git command; None where it fails."""
    done = subprocess.run(("git", *command), capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None
