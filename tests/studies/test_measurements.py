import json
from pathlib import Path

from fifteen.params.sections import Data
from fifteen.studies.measurements import (
    COLUMNS,
    RESULTS,
    key,
    measurements,
    missing,
    read_results,
    write_result,
)

import pytest

ROOT = Path(__file__).parents[2]


def result(row, seed=1, **values):
    """What a training of a row might have come to."""
    return {
        "label": row.name,
        "seed": seed,
        "models": row.models,
        "data": row.data.model_dump(),
        "training": row.training.model_dump(),
        "val_accuracy": 0.5,
        "val_loss": 2.0,
        "seconds": 10.0,
        "parameters": 100,
        "single": {"accuracy": 0.5, "nll": 1.75, "right": "2:gA=="},
        "ensemble": None,
        "test": None,
        "hardware": {"device": "a CPU", "precision": "float32"},
        "commit": "abc",
        "modified": False,
        "fingerprint": None,
    } | values


ENSEMBLE = {
    "members": 2,
    "rules": {
        "sum": {"accuracy": 0.75, "nll": 1.5, "right": "2:wA=="},
        "average": {"accuracy": 0.625, "nll": 1.25, "right": "2:QA=="},
    },
}
TEST = {
    "accuracy": 0.25,
    "tta_accuracy": 0.375,
    "right": "1:gA==",
    "rules": {"sum": {"accuracy": 0.3, "tta_accuracy": 0.4, "right": "1:AA=="}},
}


def table(study, *results):
    return measurements([study], {key(study.rows[0], one["seed"]): one for one in results})


@pytest.fixture
def single(study):
    return study({"a": {}}, seeds=[1, 2])


def test_a_single_model(single):
    (line,) = table(single, result(single.rows[0], seed=2)).to_dict("records")
    assert list(line) == list(COLUMNS)
    test = {column: line.pop(column) for column in ("test_accuracy", "test_tta_accuracy")}
    alone = line.pop("single_accuracy")
    assert all(value != value for value in (*test.values(), alone))  # NaN
    assert len(line.pop("training")) == 16
    assert line == {
        "study": "mine",
        "row": "a",
        "base": "baseline",
        "what": "a",
        "order": 0,
        "seed": 2,
        "compared_with": None,
        "val_accuracy": 0.5,
        "val_loss": 2.0,
        "val_nll": 1.75,
        "parameters": 100,
        "seconds": 10.0,
        "device": "a CPU",
        "precision": "float32",
        "commit": "abc",
        "modified": False,
        "fingerprint": None,
        "rules": None,
        "right": {"single": "2:gA=="},
        "test_right": None,
    }


def test_rows_that_share_a_training(study):
    made = study(
        {
            "alone": {"change": {"snapshots": 2}},
            "together": {"change": {"snapshots": 2}, "rule": "sum"},
            "averaged": {"change": {"snapshots": 2}, "rule": "average"},
        }
    )
    lines = table(made, result(made.rows[0], ensemble=ENSEMBLE, test=TEST)).set_index("row")
    assert lines.val_accuracy.to_dict() == {"alone": 0.5, "together": 0.75, "averaged": 0.625}
    assert lines.val_nll.to_dict() == {"alone": 1.75, "together": 1.5, "averaged": 1.25}
    assert lines.parameters.to_dict() == {"alone": 100, "together": 200, "averaged": 100}
    assert lines.compared_with.to_dict() == {
        "alone": None,
        "together": "alone",
        "averaged": "together",
    }
    assert set(lines.single_accuracy) == {0.5}
    assert lines.rules["alone"] is None
    assert lines.rules["together"] == {"sum": 0.75, "average": 0.625}
    assert lines.right["alone"] == {"single": "2:gA=="}
    assert lines.right["averaged"] == {"single": "2:gA==", "sum": "2:wA==", "average": "2:QA=="}
    # Test results show only where a study asks for them.
    assert lines.test_accuracy.isna().all()
    assert set(lines.test_right) == {None}


def test_test_results(study):
    made = study(
        {
            "alone": {"change": {"snapshots": 2}},
            "together": {"change": {"snapshots": 2}, "rule": "sum"},
        },
        test=True,
    )
    lines = table(made, result(made.rows[0], ensemble=ENSEMBLE, test=TEST)).set_index("row")
    assert lines.test_accuracy.to_dict() == {"alone": 0.25, "together": 0.3}
    assert lines.test_tta_accuracy.to_dict() == {"alone": 0.375, "together": 0.4}
    assert lines.test_right.to_dict() == {
        "alone": {"single": "1:gA=="},
        "together": {"sum": "1:AA=="},
    }


@pytest.mark.parametrize(
    ("values", "measured"),
    [
        ({}, []),
        ({"ensemble": ENSEMBLE}, []),
        ({"test": TEST}, ["alone"]),
        ({"test": TEST, "ensemble": ENSEMBLE}, ["alone", "together"]),
        ({"test": TEST | {"rules": {}}, "ensemble": ENSEMBLE}, ["alone"]),
        ({"test": TEST, "ensemble": ENSEMBLE | {"rules": {}}}, ["alone"]),
    ],
)
def test_a_result_that_holds_less_than_a_row_asks_for(study, values, measured):
    made = study(
        {
            "alone": {"change": {"snapshots": 2}},
            "together": {"change": {"snapshots": 2}, "rule": "sum"},
        },
        test=True,
    )
    known = {key(made.rows[0], 1): result(made.rows[0], **values)}
    assert list(measurements([made], known).row) == measured
    assert [row.name for row, _ in missing(made.rows, known)] == [
        row.name for row in made.rows if row.name not in measured
    ]


def test_nothing_measured(single):
    empty = measurements([single], {})
    assert (len(empty), list(empty.columns)) == (0, list(COLUMNS))
    assert empty.val_accuracy.dtype == float
    assert [seed for _, seed in missing(single.rows, {})] == [1, 2]


# Files


def test_what_is_written_is_read(single, tmp_path):
    (row,) = single.rows
    path = write_result(result(row), tmp_path)
    assert path.parent == tmp_path / "cifar100"
    assert path.name.startswith("a-")
    assert path.name.endswith("-1.json")
    assert read_results(row.data, folder=tmp_path) == {key(row, 1): result(row)}
    # One file for the same training, whatever it is called; a seed or precision has its own.
    assert write_result(result(row, label="b", seconds=1.0), tmp_path) == path
    assert read_results(row.data, folder=tmp_path)[key(row, 1)]["seconds"] == 1.0
    hardware = {"device": "a GPU", "precision": "mixed_bfloat16"}
    others = {
        write_result(result(row, seed=2), tmp_path),
        write_result(result(row, hardware=hardware), tmp_path),
    }
    assert len({path, *others}) == len(list(path.parent.iterdir())) == 3


def test_a_result_of_other_data_or_precision_does_not_count(single, tmp_path):
    (row,) = single.rows
    write_result(result(row), tmp_path)
    assert read_results(row.data, "float32", tmp_path)
    assert not read_results(row.data, "mixed_bfloat16", tmp_path)
    split = {"train": [[0, 50]], "validation": [[50, 60]]}
    assert not read_results(
        Data.model_validate({"source": "cifar100", "split": split}), folder=tmp_path
    )
    assert not read_results(row.data.model_copy(update={"source": "digits"}), folder=tmp_path)


def edited(path, change):
    content = json.loads(path.read_text())
    change(content["training"])
    path.write_text(json.dumps(content))


def test_sections_are_compared_by_what_they_mean(single, tmp_path):
    (row,) = single.rows
    path = write_result(result(row), tmp_path)
    edited(path, lambda training: training.pop("snapshot_weights"))  # older than this key
    assert key(row, 1) in read_results(row.data, folder=tmp_path)
    edited(path, lambda training: training.update(batch_size=64))
    assert key(row, 1) not in read_results(row.data, folder=tmp_path)
    edited(path, lambda training: training.update(forgotten=1))
    assert read_results(row.data, folder=tmp_path) == {}


def test_every_committed_result_has_its_row(committed, params):
    known = read_results(params.data, folder=ROOT / RESULTS)
    assert len(known) == len(list((ROOT / RESULTS).glob("*/*.json")))
    rows = [row for study in committed.values() for row in study.rows]
    assert set(known) <= {key(row, seed) for row in rows for seed in row.seeds}
    lines = measurements(committed.values(), known)
    assert len(lines) == sum(len(row.seeds) for row in rows) - len(missing(rows, known))
    twice = lines[lines.row.isin(["alternating_flip", "no_self_distillation"])]
    assert sorted(twice.groupby("seed").val_accuracy.nunique()) == [1, 1]
