"""Which version of the code is at work."""

import subprocess
from typing import Any


def commit() -> dict[str, Any]:
    """The commit whose code is at work, and whether that code has been changed since."""

    def git(*command: str) -> str | None:
        done = subprocess.run(("git", *command), capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    code = ("src", "ablations/*.py", "ensembles/*.py", "requirements.txt")
    changes = git("status", "--porcelain", "--", *code)
    return {"commit": git("rev-parse", "HEAD"), "modified": bool(changes)}
