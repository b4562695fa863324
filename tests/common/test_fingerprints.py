import ast
import re
import subprocess
from pathlib import Path

from fifteen.common.fingerprints import (
    LEFT_OUT,
    SRC,
    closure,
    fingerprint,
    imports,
    is_left_out,
    syntax_digest,
)

import pytest

ROOT = Path(__file__).parents[2]
CODE = '''"""Prose."""

from os import path

RATE: float = 0.1  # why


class Box:
    """Prose."""

    size: int = 3


def area(side: float, *, scale: float = 2.0) -> float:
    """Prose."""
    if side is None or not side:
        return f"{side:>{scale}.2f}"
    return scale * side**2
'''
DIGEST = "46dfdff3fcf21878"


def changed(old, new):
    assert old in CODE
    return CODE.replace(old, new)


@pytest.mark.parametrize(
    "same",
    [
        changed("  # why", "  # another reason"),
        changed("Prose.", "Other prose,\n    of two lines."),
        changed('    """Prose."""\n    if', "    if"),
        changed("RATE: float", "RATE: int"),
        changed("side: float, *, scale: float", "side, *, scale"),
        changed(") -> float", ")"),
        changed("scale * side**2", "(scale *\n            side ** 2)"),
        changed("0.1", "1e-1"),
        changed("\n\n\n", "\n\n\n\n"),
    ],
)
def test_prose_annotations_and_layout_change_nothing(same):
    assert syntax_digest(same) == syntax_digest(CODE)


@pytest.mark.parametrize(
    "other",
    [
        changed("0.1", "0.2"),
        changed("scale: float = 2.0", "scale: float = 2"),
        changed("size: int = 3", "size: int = 4"),
        changed("side**2", "side*2"),
        changed("not side", "side"),
        changed("is None", "is not None"),
        changed(" or ", " and "),
        changed(".2f", ".3f"),
        changed("from os", "from posix"),
        changed("*, scale", "scale"),
        changed("is None", "is True"),
    ],
)
def test_what_code_does_changes_the_digest(other):
    assert syntax_digest(other) != syntax_digest(CODE)


def test_equal_constants_of_other_types_are_not_the_same():
    assert (
        len({syntax_digest(f"x = {value}") for value in ("1", "1.0", "True", "'1'", "None")}) == 5
    )


def test_the_digest_is_the_recorded_one():
    """It was made with Python 3.11 and checked with 3.12 and 3.13, so all versions agree on it."""
    assert syntax_digest(CODE) == DIGEST


@pytest.mark.parametrize("python", ["python3.11", "python3.12", "python3.13"])
def test_other_versions_of_python_agree(python):
    module = SRC / "fifteen/common/fingerprints.py"
    program = (
        f"import runpy; module = runpy.run_path({str(module)!r})\n"
        f"print(module['syntax_digest']({CODE!r}))\n"
        f"print(module['fingerprint']('train', module['Path']({str(SRC)!r})), end='')"
    )
    try:
        done = subprocess.run([python, "-c", program], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip(f"{python} is not installed")
    if done.returncode:
        pytest.skip(f"{python} does not run: {done.stderr.splitlines()[-1]}")
    digest, _, text = done.stdout.partition("\n")
    assert digest == DIGEST
    assert text == fingerprint("train")


@pytest.fixture
def src(tmp_path):
    """A script that uses a package with a template, and modules that it does not use."""
    files = {
        "script.py": "def run():\n    from fifteen.a import b\n",
        "fifteen/__init__.py": "",
        "fifteen/a/__init__.py": "import numpy\n",
        "fifteen/a/b.py": "from fifteen.common import c\n\nPAGE = 'page.md.j2'\n",
        "fifteen/a/page.md.j2": "# {{ title }}\n",
        "fifteen/a/other.md.j2": "",
        "fifteen/a/unused.py": "",
        "fifteen/common/__init__.py": "",
        "fifteen/common/c.py": "import fifteen.d\n",
        "fifteen/d.py": "X = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(text):
    return [line.split("  ")[1] for line in text.splitlines()]


def test_a_fingerprint_has_what_is_imported_wherever_it_stands(src):
    expected = ["fifteen", "fifteen.a", "fifteen.a.b", "fifteen.d"]  # d: through what is left out
    assert names(fingerprint("script", src)) == [*expected, "fifteen/a/page.md.j2", "script"]
    assert re.fullmatch(r"([0-9a-f]{16}  \S+\n)+", fingerprint("script", src))


@pytest.mark.parametrize(
    ("file", "text", "changes"),
    [
        ("script.py", "def run():\n    import fifteen.a.b\n", True),
        ("fifteen/d.py", "X = 2\n", True),
        ("fifteen/d.py", "X = 1  # one\n", False),
        ("fifteen/a/page.md.j2", "## {{ title }}\n", True),
        ("fifteen/a/unused.py", "Y = 1\n", False),
        ("fifteen/common/c.py", "import fifteen.d\n\nZ = 1\n", False),
    ],
)
def test_which_changes_count(src, file, text, changes):
    before = fingerprint("script", src)
    (src / file).write_text(text)
    assert (fingerprint("script", src) != before) == changes


def test_a_module_that_is_not_there(src):
    with pytest.raises(FileNotFoundError, match="no module nothing"):
        fingerprint("nothing", src)


def test_what_is_left_out_cannot_reach_a_number():
    """It imports nothing that decides, but for the sections of params.yaml that it reads."""
    modules = {name: path for name, path in every_module().items() if is_left_out(name)}
    assert {name.rpartition(".")[0] for name in modules} >= {"fifteen.common", "fifteen.tracking"}
    allowed = {
        "fifteen",
        "fifteen.params",
        "fifteen.params.sections",
        "fifteen.params.search_space",
    }
    for path in modules.values():
        for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if name in every_module() and not is_left_out(name):
                assert name in allowed, f"{path} imports {name}"


def every_module():
    return {
        ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (SRC / "fifteen").rglob("*.py")
    }


def test_only_the_known_packages_are_left_out():
    for name in LEFT_OUT:
        assert name in every_module()
    # Above all what computes: none of it is left out.
    for start in ("train", "evaluate"):
        text = fingerprint(start)
        assert "fifteen.params.sections" in text
    assert "fifteen.training.muon" in fingerprint("train")
    assert "fifteen.evaluation.scores" in fingerprint("evaluate")
    assert "fifteen.networks.swift" not in closure("evaluate")
