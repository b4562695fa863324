import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
LINK = re.compile(r"\]\((?!\w+:)([^)#]+)")  # not to other sites, nor within a page
IN_COMMAND = re.compile(r"(?<![\w/.])(?:src|docs|benchmarks|studies)/[\w/]+\.[a-z]+")
IN_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
MAKE = re.compile(r"(?<!\w)make ([a-z]+)")
STUDY = re.compile(r"make study NAME=(\w+)|study\.py (?:show|run) (\w+)")
TARGET = re.compile(r"^([a-z]+):", re.MULTILINE)


@pytest.fixture(params=PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def page(request):
    return request.param


def targets():
    return set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))


def code(text):
    """The commands and names that a page shows."""
    return "\n".join(IN_CODE.findall(text))


def test_links_lead_somewhere(page):
    linked = {page.parent / link for link in LINK.findall(page.read_text(encoding="utf-8"))}
    assert sorted(path for path in linked if not path.exists()) == []


def test_files_in_commands_are_there(page):
    named = {ROOT / file for file in IN_COMMAND.findall(page.read_text(encoding="utf-8"))}
    assert sorted(path for path in named if not path.exists()) == []


def test_make_knows_its_commands(page):
    named = set(MAKE.findall(code(page.read_text(encoding="utf-8"))))
    assert named - targets() == set()


def test_studies_in_commands_are_there(page):
    text = page.read_text(encoding="utf-8")
    named = {name for names in STUDY.findall(text) for name in names if name and name.islower()}
    assert {name for name in named if not (ROOT / "studies" / f"{name}.yaml").exists()} == set()


def test_every_page_can_be_found():
    linked = {
        (page.parent / link).resolve()
        for page in PAGES
        for link in LINK.findall(page.read_text(encoding="utf-8"))
    }
    assert {page.resolve() for page in PAGES if page.parent != ROOT} - linked == set()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_make_help_lists_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z]+):.*  ## .", makefile, re.MULTILINE)) == targets()
