"""Where things live, and writing that leaves nothing half-written behind."""

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
    """The main repository: DVC_ROOT inside any `dvc` run (`--temp` and `--queue` included).

    Outside DVC it is found from this file's own place.
    """
    return Path(os.environ.get("DVC_ROOT") or Path(__file__).parents[3]).resolve()


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder that appears at `path`, in place of what was there, only when the block succeeds."""
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
    """A folder whose entries appear in `path`, beside what was there, only when the block succeeds.

    An entry takes the place of one of the same name.
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
            old.unlink(missing_ok=True)  # a folder does not replace a file by itself
        entry.replace(old)
    filled.rmdir()


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file that appears at `path`, in place of what was there, only when the block succeeds."""
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
    """Read a JSON file that an earlier stage has written.

    Raises:
        UserError: it is not there, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError) as error:
        raise UserError(f"{path} cannot be read ({error}); `dvc repro` makes it") from None


def md5(path: Path) -> str:
    """The MD5 digest of a file in hexadecimal, the digest that DVC itself keeps."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
