from pathlib import Path

from fifteen.errors import UserError
from fifteen.files import read_json
from fifteen.reporting.content import short_content
from fifteen.reporting.documents import render
from fifteen.reporting.first_edition import study_results
from results import BEGIN, END, with_results

import pytest

ROOT = Path(__file__).parents[1]


def test_the_results_go_between_their_markers():
    readme = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = with_results(readme, "| new |\n")
    assert once == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"
    assert with_results(once, "| new |\n") == once


@pytest.mark.parametrize("readme", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_readme_without_its_markers(readme):
    with pytest.raises(UserError, match=r"README\.md lacks"):
        with_results(readme, "")


def test_the_readme_shows_the_committed_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    metrics = read_json(ROOT / "reports/metrics.json")
    content = short_content(metrics, study_results(ROOT, metrics["source"]))
    assert with_results(readme, render("readme.md.j2", content)) == readme, "run `make readme`"
