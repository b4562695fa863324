from pathlib import Path

from demo import read_overrides
from fifteen.params.reading import load_params

from dvc.utils.cli_parse import to_path_overrides
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]


def test_overrides_are_lines_without_their_comments():
    text = "# a comment\n\na.b=1   # why\n~c\n"
    assert read_overrides(text) == ["a.b=1", "~c"]


def test_the_demo_is_a_possible_params_file(tmp_path):
    params = tmp_path / "params.yaml"
    params.write_text((ROOT / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    from dvc.utils.hydra import apply_overrides

    lines = read_overrides((ROOT / "demo.txt").read_text(encoding="utf-8"))
    apply_overrides(params, to_path_overrides(lines)["params.yaml"])
    demo = load_params(params)
    assert demo.data.source == "digits"
    assert demo.searches["tuned"].max_epochs == 3
    assert "swift_tiny" in demo.variants
    assert any(ensemble.method == "sum" for ensemble in demo.ensembles.values())
    assert YAML(typ="safe").load(params)["budget"] == {"epochs": 15, "min_steps_per_epoch": 20}
