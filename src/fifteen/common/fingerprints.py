"""Fingerprints of code, which decide whether the result of a stage is stale.

A fingerprint has one line for each module that a script or module imports, directly or indirectly,
with a digest of the module's syntax tree. `git diff code/train.txt` says which module made a
training stale. Comments, docstrings and layout do not count.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Packages and modules that decide no number; tests/common/test_fingerprints.py checks it. The
# modules that they import count all the same.
LEFT_OUT = (
    "fifteen.common",
    "fifteen.tracking",
    "fifteen.params.reading",
    "fifteen.params.messages",
)
SRC = Path(__file__).parents[2]
# Fields of syntax trees that differ between versions of Python, or decide nothing.
SKIPPED = {"annotation", "ctx", "kind", "returns", "type_comment", "type_ignores", "type_params"}


def fingerprint(start: str, src: Path = SRC) -> str:
    """One line, digest and name, for each module that decides what `start` does, sorted by name.

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
    """The files of `start` and of the modules that it imports, directly or indirectly, by name.

    Imports within functions count. So do templates (*.j2) that a module names, or whose folder it
    names, in a string.

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
    """Whether a module, or a package around it, is in `LEFT_OUT`."""
    return any(module == name or module.startswith(f"{name}.") for name in LEFT_OUT)


def syntax_digest(source: str) -> str:
    """16 hexadecimal digits of the syntax tree of Python code, the same on Python 3.11 to 3.13.

    Comments, docstrings, annotations and layout do not change it. Constants, defaults, names and
    operators do.
    """
    return hashlib.sha256(repr(_plain(ast.parse(source))).encode()).hexdigest()[:16]


def _plain(node: Any) -> Any:  # noqa: ANN401 - a node of a syntax tree, or a value of one
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
    """The templates in `folder` that a module names in a string, or whose folder it names."""
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    for path in folder.iterdir():
        if path.name in texts:
            yield from path.rglob("*.j2") if path.is_dir() else [path]


def _files_of(module: str, src: Path) -> dict[str, Path]:
    """The files that run when `module` is imported: its packages and itself, by name."""
    parts, files = module.split("."), {}
    for end in range(1, len(parts) + 1):
        name, path = ".".join(parts[:end]), src.joinpath(*parts[:end])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                files[name] = file
    return files
