"""Where a training, or a search, keeps what it needs to go on after a kill."""

import hashlib
import json
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fifteen
from fifteen.files import md5, new_file, repository_root

CODE = ("hardware.py", "data/*.py", "networks/*.py", "training/*.py", "tuning/*.py")


def work_folder(name: str, decides: dict[str, Any]) -> Path:
    """The folder of one piece of work, in `.fifteen` of the main repository.

    Its name is a digest of all that decides the outcome, so what differs in anything is never
    resumed.

    Args:
        name: of the model.
        decides: plain data; the code of the library and the versions of its engines are added.
    """
    package = Path(fifteen.__file__).parent
    content = decides | {
        "code": [md5(path) for pattern in CODE for path in sorted(package.glob(pattern))],
        "versions": [version(engine) for engine in ("tensorflow", "keras", "keras-tuner")],
    }
    folder = repository_root() / ".fifteen" / f"{name}-{digest(content)}"
    folder.parent.mkdir(exist_ok=True)
    return folder


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
