import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#:]+)\)")
IN_COMMAND = re.compile(r"(?<![\w/.])(?:src|docs|benchmarks|ablations|ensembles)/[\w/]+\.[a-z]+")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_the_pages_name_is_there(page):
    text = page.read_text(encoding="utf-8")
    named = {page.parent / link for link in LINK.findall(text)}
    named |= {ROOT / file for file in IN_COMMAND.findall(text)}
    assert named
    assert sorted(path for path in named if not path.exists()) == []
