"""Fingerprints of code: what a stage's result depends on, without comments, prose and layout.

A fingerprint has one line for each module that a script or module imports, directly or not, with a
digest of the module's syntax tree. `git diff code/train.txt` says which module made a training
stale.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Carry numbers and never decide them; tests/common/test_fingerprints.py holds them to that. What
# these modules import is looked at all the same.
LEFT_OUT = (
    "fifteen.common",
    "fifteen.tracking",
    "fifteen.params.reading",
    "fifteen.params.messages",
)
SRC = Path(__file__).parents[2]
# What differs between versions of Python, or decides nothing.
SKIPPED = {"annotation", "ctx", "kind", "returns", "type_comment", "type_ignores", "type_params"}


def fingerprint(start: str, src: Path = SRC) -> str:
    """One line for each module that decides what `start` does: its digest and its name, sorted.

    Args:
        start: a module's name, or the name of a script in `src` without `.py`.
        src: the folder of scripts and packages.
    """
    lines = [
        f"{_digest(path)}  {name}\n"
        for name, path in sorted(closure(start, src).items())
        if not is_left_out(name)
    ]
    return "".join(lines)


def closure(start: str, src: Path = SRC) -> dict[str, Path]:
    """The modules of `src` that `start` imports, directly or not, with their files; itself too.

    Imports within functions count as well, and templates (*.j2) beside a module that names them, or
    the folder they are in, in its code.

    Raises:
        FileNotFoundError: there is no such module.
    """
    if not _files_of(start, src):
        raise FileNotFoundError(f"{src} has no module {start}")
    modules, to_visit = {}, _files_of(start, src)
    while to_visit:
        name, path = to_visit.popitem()
        if name in modules:
            continue
        modules[name] = path
        if path.suffix == ".py":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for imported in imports(tree):
                to_visit |= _files_of(imported, src)
            templates = _templates(tree, path.parent)
            to_visit |= {file.relative_to(src).as_posix(): file for file in templates}
    return modules


def imports(tree: ast.Module) -> Iterator[str]:
    """The dotted names in the imports of a module; `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_left_out(module: str) -> bool:
    """Whether a module, or a package that it is in, is one of `LEFT_OUT`."""
    return any(module == name or module.startswith(f"{name}.") for name in LEFT_OUT)


def syntax_digest(source: str) -> str:
    """16 hexadecimal digits for what Python code does, the same on Python 3.11 to 3.13.

    Comments, docstrings, annotations and layout change nothing; every constant, default, name and
    operator does.
    """
    return hashlib.sha256(repr(_plain(ast.parse(source))).encode()).hexdigest()[:16]


def _plain(node: Any) -> Any:  # noqa: ANN401 - a node of a syntax tree, or what stands in its place
    """A syntax tree as nested tuples, without empty fields."""
    if isinstance(node, list):
        return tuple(_plain(item) for item in node)
    if not isinstance(node, ast.AST):
        return type(node).__name__, repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name not in SKIPPED}
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        fields["body"] = node.body[ast.get_docstring(node, clean=False) is not None :]
    if isinstance(node, ast.JoinedStr):  # Python 3.12.1 adds empty strings
        fields["values"] = [
            value
            for value in node.values
            if not (isinstance(value, ast.Constant) and value.value == "")
        ]
    kept = ((name, _plain(value)) for name, value in fields.items() if value not in (None, []))
    # The value of a constant may be None.
    value = (("value", repr(node.value)),) if isinstance(node, ast.Constant) else tuple(kept)
    return type(node).__name__, value


def _digest(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return syntax_digest(text)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _templates(tree: ast.Module, folder: Path) -> Iterator[Path]:
    """The templates in `folder`, or in a folder of it, that a module has as a text."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for path in folder.iterdir():
        if path.name in texts:
            yield from path.rglob("*.j2") if path.is_dir() else [path]


def _files_of(module: str, src: Path) -> dict[str, Path]:
    """The modules of `src` that run when `module` is imported: its packages and itself."""
    parts, files = module.split("."), {}
    for end in range(1, len(parts) + 1):
        name, path = ".".join(parts[:end]), src.joinpath(*parts[:end])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                files[name] = file
    return files
