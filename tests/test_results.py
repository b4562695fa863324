from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.common.files import read_json
from fifteen.params.reading import load_params
from fifteen.reporting.content import short_content
from fifteen.reporting.documents import render
from fifteen.studies.measurements import measured_by_kind
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
    content = short_content(
        metrics, measured_by_kind(load_params(ROOT / "params.yaml"), ROOT / "studies")
    )
    assert with_results(readme, render("readme.md.j2", content)) == readme, "run `make readme`"
