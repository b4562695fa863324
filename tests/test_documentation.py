import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINK = re.compile(r"\]\(([^)#:]+)\)")
IN_COMMAND = re.compile(r"(?<![\w/.])(?:src|docs|benchmarks|studies)/[\w/]+\.[a-z]+")


def test_what_the_pages_name_is_there():
    named = set()
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        named |= {page.parent / link for link in LINK.findall(text)}
        named |= {ROOT / file for file in IN_COMMAND.findall(text)}
    assert ROOT / "docs" / "images" / "digit.png" in named
    assert sorted(path for path in named if not path.exists()) == []
