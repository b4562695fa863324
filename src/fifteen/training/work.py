"""Folders of resumable work: where a training or a search keeps what it needs to go on.

Finished work is kept until DVC has recorded it. A kill in between costs nothing.
"""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fifteen.common.files import digest, md5, new_file, repository_root
from fifteen.common.fingerprints import fingerprint

from filelock import FileLock, Timeout

DONE = "done"  # marks finished work; holds the digest of dvc.lock at that time and the workspace


def work_folder(name: str, decides: dict[str, Any], code: str) -> Path:
    """The folder of one piece of work, in `.fifteen` of the main repository.

    Its name ends with a digest of everything that decides the outcome, so that work with any
    difference is never resumed.

    Args:
        name: of the model.
        decides: plain data that decides the outcome; the versions of the libraries are added.
        code: the module or script that does the work; its fingerprint is added.
    """
    content = decides | {
        "code": fingerprint(code),
        "versions": [version(library) for library in ("tensorflow", "keras", "keras-tuner")],
    }
    folder = repository_root() / ".fifteen" / f"{name}-{digest(content)}"
    folder.parent.mkdir(exist_ok=True)
    return folder


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """A block that has a folder of work to itself; when it succeeds, the work is finished.

    Finished work is kept until DVC has recorded it, and delivered again if it is asked for before
    that. Afterwards the same work starts from scratch. Other finished work is removed once DVC has
    recorded anything since, or when work begins in another workspace.
    """
    with FileLock(folder.with_suffix(".lock")):  # waits for an orphan or a parallel experiment
        _remove_finished(folder)
        yield
        with new_file(folder / DONE) as partial:
            partial.write_text(f"{_recorded()} {Path.cwd()}", encoding="utf-8")


def _remove_finished(beginning: Path) -> None:
    """Remove the finished work that `at_work` no longer keeps when `beginning` begins."""
    recorded = _recorded()
    for path in beginning.parent.glob(f"*/{DONE}"):
        if path.parent == beginning:
            if path.read_text(encoding="utf-8").partition(" ")[0] != recorded:
                _remove(beginning)
        else:
            with suppress(Timeout), FileLock(path.parent.with_suffix(".lock"), timeout=0):
                if path.exists() and path.read_text("utf-8") != f"{recorded} {Path.cwd()}":
                    _remove(path.parent)
    for rest in beginning.parent.glob("*.gone"):
        shutil.rmtree(rest, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Rename a folder, to be deleted later: a half-deleted one would look like work to resume."""
    folder.rename(folder.with_name(f"{folder.name}-{uuid.uuid4().hex[:8]}.gone"))


def _recorded() -> str:
    """A digest of dvc.lock in this workspace; every stage that DVC runs changes it."""
    files = sorted([*Path().glob("dvc.lock"), *Path().glob("*/dvc.lock")])
    return digest({str(path): md5(path) for path in files})


def resume_key(work: Path) -> str:
    """The unique name of the work in the folder `work`; made at the first call."""
    path = work / "resume_key"
    if not path.exists():
        with new_file(path) as partial:
            partial.write_text(f"{work.name}-{uuid.uuid4().hex[:8]}", encoding="utf-8")
    return path.read_text(encoding="utf-8")
