"""Where a training, or a search, keeps what it needs to go on after a kill.

What is done is kept until DVC has recorded it: a kill that comes before would cost it.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fifteen.common.files import md5, new_file, repository_root
from fifteen.common.fingerprints import fingerprint

from filelock import FileLock, Timeout

DONE = "done"  # a file in the folder of work that is done: what DVC had recorded, and where


def work_folder(name: str, decides: dict[str, Any], code: str) -> Path:
    """The folder of one piece of work, in `.fifteen` of the main repository.

    Its name ends with a digest of all that decides the outcome, so that what differs in anything is
    never resumed.

    Args:
        name: of the model.
        decides: plain data; the versions of the engines are added.
        code: the module or script that does the work; its fingerprint decides too.
    """
    content = decides | {
        "code": fingerprint(code),
        "versions": [version(engine) for engine in ("tensorflow", "keras", "keras-tuner")],
    }
    folder = repository_root() / ".fifteen" / f"{name}-{digest(content)}"
    folder.parent.mkdir(exist_ok=True)
    return folder


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """A block that has the folder of a piece of work to itself; when it succeeds, that is done.

    Work that is done is found as it was where DVC has recorded nothing since, as it then is to be
    delivered again; where DVC has, it begins anew. Other work that is done is removed as soon as
    DVC has recorded anything since, or something begins in another workspace.
    """
    with FileLock(folder.with_suffix(".lock")):  # an orphan, or a parallel experiment, goes first
        _remove_done(folder)
        yield
        with new_file(folder / DONE) as partial:
            partial.write_text(f"{_recorded()} {Path.cwd()}", encoding="utf-8")


def _remove_done(begins: Path) -> None:
    recorded = _recorded()
    for path in begins.parent.glob(f"*/{DONE}"):
        if path.parent == begins:
            if path.read_text(encoding="utf-8").partition(" ")[0] != recorded:
                _remove(begins)
        else:
            with suppress(Timeout), FileLock(path.parent.with_suffix(".lock"), timeout=0):
                if path.exists() and path.read_text("utf-8") != f"{recorded} {Path.cwd()}":
                    _remove(path.parent)
    for rest in begins.parent.glob("*.gone"):
        shutil.rmtree(rest, ignore_errors=True)


def _remove(folder: Path) -> None:
    """All of it at one moment, as what a kill left of it would be taken for work to go on with."""
    folder.rename(folder.with_name(f"{folder.name}-{uuid.uuid4().hex[:8]}.gone"))


def _recorded() -> str:
    """A digest of what DVC has recorded in this workspace; every stage that it runs changes it."""
    files = sorted([*Path().glob("dvc.lock"), *Path().glob("*/dvc.lock")])
    return digest({str(path): md5(path) for path in files})


def digest(content: dict[str, Any]) -> str:
    """16 hexadecimal digits that stand for `content`, plain data."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def resume_key(work: Path) -> str:
    """The name, unlike any other, of the work that is under way in the folder `work`."""
    path = work / "resume_key"
    if not path.exists():
        with new_file(path) as partial:
            partial.write_text(f"{work.name}-{uuid.uuid4().hex[:8]}", encoding="utf-8")
    return path.read_text(encoding="utf-8")
