"""What git says of the checkout."""

import subprocess
from typing import Any

from fifteen.common.errors import UserError


def commit() -> dict[str, Any]:
    """The commit whose code is at work, and whether that code has been changed since."""
    code = ("src", "requirements.txt")
    changes = _git("status", "--porcelain", "--", *code)
    return {"commit": _git("rev-parse", "HEAD"), "modified": bool(changes)}


def workspace_is_clean() -> bool:
    """Whether no file of the last commit has been changed."""
    return _git("diff", "--quiet", "HEAD") is not None


def require_full_clone() -> None:
    """Make sure that DVC can keep the results of an experiment that runs in a temporary folder.

    Raises:
        UserError: this is a shallow clone, from which git takes no such results over.
    """
    if _git("rev-parse", "--is-shallow-repository") == "true":
        raise UserError(
            "this is a shallow clone (git clone --depth), in which DVC would lose the results of "
            "the experiment. Fetch the rest of its history: git fetch --unshallow"
        )


def _git(*command: str) -> str | None:
    """What git prints; None where it fails."""
    done = subprocess.run(("git", *command), capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else None
