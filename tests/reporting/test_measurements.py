import json
from dataclasses import dataclass

from fifteen.config import Training
from fifteen.errors import UserError
from fifteen.reporting.measurements import read_results, write_summary
from fifteen.reporting.style import new_figure

import pytest

TRAINING = Training.model_validate({"network": "baseline", "batch_size": 64, "epochs": 3})


@pytest.fixture
def paths(tmp_path, monkeypatch):
    """Where the results of the seeds 1 and 2 are; there is one of the first."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "ladder" / "results"
    folder.mkdir(parents=True)
    found = {seed: folder.relative_to(tmp_path) / f"rung-{seed}.json" for seed in (1, 2)}
    found[1].write_text(json.dumps({"training": TRAINING.model_dump(), "source": "digits"}))
    return found


def test_what_there_is_of_the_results(paths):
    assert list(read_results(paths, TRAINING, source="digits")) == [1]
    assert read_results({2: paths[2]}, TRAINING) == {}


def rewrite(path, **values):
    result = json.loads(path.read_text())
    path.write_text(json.dumps(result | {"training": result["training"] | values}))


@pytest.mark.parametrize(
    ("values", "also", "named"),
    [
        ({"batch_size": 128, "label_smoothing": 0.1}, {}, "label_smoothing, batch_size"),
        ({"forgotten": 1}, {}, "forgotten"),
        ({}, {"source": "cifar100"}, "source"),
    ],
)
def test_a_result_of_something_else_is_named(paths, values, also, named):
    rewrite(paths[1], **values)
    with pytest.raises(UserError) as caught:
        read_results(paths, TRAINING, **also)
    assert str(caught.value) == (
        f"ladder/results/rung-1.json was measured with other values of {named}; delete it, and "
        "`dvc repro ladder/dvc.yaml` measures it anew"
    )


def test_a_default_that_came_later_makes_no_difference(paths):
    result = json.loads(paths[1].read_text())
    del result["training"]["label_smoothing"]
    paths[1].write_text(json.dumps(result))
    assert list(read_results(paths, TRAINING)) == [1]


@dataclass(frozen=True)
class Row:
    size: int


def write(folder, rows):
    write_summary(folder, "x", Row, rows, lambda r: f"{len(r)} rows", lambda _: new_figure(1, 1))


def test_a_summary_is_a_table_twice_and_a_figure(tmp_path):
    folder = tmp_path / "reports" / "x"
    write(folder, [Row(3)])
    assert {path.name for path in folder.iterdir()} == {"x.csv", "x.md", "x.png"}
    assert (folder / "x.csv").read_text() == "size\n3\n"
    assert (folder / "x.md").read_text() == "1 rows"


def test_of_nothing_the_header_alone_is_written_and_nothing_old_stays(tmp_path):
    write(tmp_path / "x", [Row(3)])
    write(tmp_path / "x", [])
    assert [path.name for path in (tmp_path / "x").iterdir()] == ["x.csv"]
    assert (tmp_path / "x" / "x.csv").read_text() == "size\n"


def test_where_the_figure_fails_the_old_summary_stays(tmp_path):
    write(tmp_path / "x", [Row(3)])
    with pytest.raises(ZeroDivisionError):
        write_summary(tmp_path / "x", "x", Row, [Row(4)], str, lambda _: 1 / 0)
    assert (tmp_path / "x" / "x.csv").read_text() == "size\n3\n"
