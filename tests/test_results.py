from pathlib import Path

from fifteen.errors import UserError
from results import BEGIN, END, summary, with_table

import pytest

ROOT = Path(__file__).parents[1]


def test_the_table_goes_between_its_markers():
    readme = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    found = with_table(readme, "| new |\n")
    assert found == f"before\n{BEGIN}\n\n| new |\n\n{END}\nafter\n"
    assert with_table(found, "| new |\n") == found


@pytest.mark.parametrize("readme", ["", f"{BEGIN}\n", f"{END}\n{BEGIN}\n"])
def test_a_readme_without_its_markers(readme):
    with pytest.raises(UserError, match=r"README\.md lacks"):
        with_table(readme, "")


def test_the_readme_shows_the_committed_results():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_table(readme, summary(ROOT / "reports")) == readme, "run `make readme`"
