"""Reading and writing files; a write is complete or leaves no trace."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError


def repository_root() -> Path:
    """The root folder of the main repository.

    DVC sets DVC_ROOT to it, also in temporary and queued experiments. Otherwise it is the
    repository of this file.
    """
    return Path(os.environ.get("DVC_ROOT") or Path(__file__).parents[3]).resolve()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A new folder that replaces `path` when the block succeeds, and only then."""
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(path, ignore_errors=True)
    partial.replace(path)


@contextmanager
def fill_folder(path: Path) -> Iterator[Path]:
    """A new folder whose entries are moved into `path` when the block succeeds, and only then.

    Entries of the same name are replaced; others stay.
    """
    with new_folder(path.with_name(f".{path.name}.new")) as filled:
        yield filled
    filled = path.with_name(f".{path.name}.new")
    path.mkdir(parents=True, exist_ok=True)
    for entry in filled.iterdir():
        old = path / entry.name
        if old.is_dir() and not old.is_symlink():
            shutil.rmtree(old)
        elif entry.is_dir():
            old.unlink(missing_ok=True)  # `replace` does not put a folder over a file
        entry.replace(old)
    filled.rmdir()


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A new file that replaces `path` when the block succeeds, and only then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".partial.{path.name}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Write `content` as indented JSON, all of it or nothing."""
    with new_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """Read a JSON file that an earlier stage wrote.

    Raises:
        UserError: it is missing or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); `dvc repro` makes it") from None


def md5(path: Path) -> str:
    """The MD5 digest of a file in hexadecimal, as DVC uses it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def digest(content: dict[str, Any]) -> str:
    """16 hexadecimal digits of the SHA-256 of `content`, plain data."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
