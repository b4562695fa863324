import shutil
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.common.files import write_json
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


def test_searches_and_seeds_are_read_where_they_are(tmp_path):
    (tmp_path / "models" / "tuned").mkdir(parents=True)
    for measured in ("ablations", "ensembles"):
        shutil.copytree(ROOT / "reports" / measured, tmp_path / measured)
    shutil.copy(ROOT / "reports/metrics.json", tmp_path)
    alone = summary(tmp_path)
    shutil.copy(ROOT / "reports/models/tuned/search.json", tmp_path / "models" / "tuned")
    seed = {"validation_accuracy": 0.7, "test_accuracy": 0.71, "test_tta_accuracy": None}
    seed |= {"seed": 1, "method": None, "training": {}}
    seed |= {"train_seconds": 9.0, "hardware": {"device": "d", "precision": "float32"}}
    write_json(tmp_path / "seeds.json", {"swift": [seed]})
    found = summary(tmp_path)
    assert found.startswith(alone)
    assert "Where several models share the 15 epochs of baseline, " in alone
    assert "What of the hyperparameters found for tuned did it" in found
    assert "| swift | 1 | 70.00 | 71.00 |" in found
