import json
import sys
from pathlib import Path

import prepare
from fifteen.common.errors import UserError
from fifteen.data.arrays import Classes, Part, read_classes, read_part
from fifteen.datasets.sources import DataUnavailableError, Source
from fifteen.params.reading import load_params
from prepare import cut, describe

import numpy as np
import pytest
from PIL import Image

PARAMS = Path(__file__).parents[1] / "params.yaml"
RANGES = {"train": [[0, 35], [45, 100]], "validation": [[35, 45]]}


def numbered(labels, first=0, coarse=False):
    """Images that all have the grey of their number."""
    labels = np.array(labels, np.int32)
    greys = np.arange(first, first + len(labels), dtype=np.uint8)
    images = np.broadcast_to(greys[:, None, None, None], (len(labels), 32, 32, 3)).copy()
    return Part(images, labels, labels // 2 if coarse else None)


@pytest.mark.parametrize("coarse", [False, True])
def test_cut(coarse):
    source = Source(numbered(np.arange(20) % 4, coarse=coarse), numbered([0, 1], 100), list("abcd"))
    parts = cut(source, RANGES)
    assert list(parts) == ["train", "validation", "test"]
    assert parts["validation"].images[:, 0, 0, 0].tolist() == [7, 8]
    assert parts["train"].images[:, 0, 0, 0].tolist() == [*range(7), *range(9, 20)]
    assert parts["validation"].labels.tolist() == [3, 0]
    assert parts["test"] is source.test
    if coarse:
        assert parts["validation"].superclass_labels.tolist() == [1, 0]


def test_parts_that_share_an_image_are_refused():
    source = Source(numbered(np.zeros(20)), numbered([0]), ["a"])
    with pytest.raises(UserError, match=r"data\.split share images"):
        cut(source, {"train": [[0, 50]], "validation": [[45, 60]]})


def test_describe_by_hand():
    parts = {
        "train": numbered([0, 0, 1, 1, 1]),  # greys 0 to 4
        "validation": numbered([1, 2], first=4),  # grey 4 is in train too
        "test": numbered([2, 2, 0], first=3),  # greys 3 and 4
    }
    actual = describe(parts, Classes("toy", ["a", "b", "c"], ["x", "y"], [0, 0, 1]))
    statistics = actual.pop("training_statistics")
    np.testing.assert_allclose(statistics["mean"], [2 / 255] * 3)
    np.testing.assert_allclose(statistics["standard_deviation"], [2**0.5 / 255] * 3)
    assert json.loads(json.dumps(actual)) == {
        "source": "toy",
        "images": {"train": 5, "validation": 2, "test": 3},
        "classes": 3,
        "superclasses": ["x", "y"],
        "images_also_in_train": {"validation": 1, "test": 2},
        "copies_of_training_images": [
            {"part": "validation", "index": 0, "class": "b", "class_in_train": "b"},
            {"part": "test", "index": 0, "class": "c", "class_in_train": "b"},
            {"part": "test", "index": 1, "class": "c", "class_in_train": "b"},
        ],
        "images_per_class": [
            {"class": "a", "train": 2, "validation": 0, "test": 1, "superclass": "x"},
            {"class": "b", "train": 3, "validation": 1, "test": 0, "superclass": "x"},
            {"class": "c", "train": 0, "validation": 1, "test": 2, "superclass": "y"},
        ],
    }
    plain = describe(parts, Classes("toy", ["a", "b", "c"]))
    assert plain["superclasses"] == []
    assert "superclass" not in plain["images_per_class"][0]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty folder with a params.yaml; `run` does the stage there."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **replaced):
        text = PARAMS.read_text(encoding="utf-8").replace("source: cifar100", "source: digits")
        for old, new in replaced.values():
            assert old in text
            text = text.replace(old, new)
        Path("params.yaml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(sys, "argv", ["src/prepare.py", *arguments])
        prepare.main()

    return run


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_stage_on_digits(workspace, tmp_path, capsys):
    workspace()
    assert "1,347 train, 150 validation, 300 test images in 10 classes" in capsys.readouterr().out
    # Test images and their labels are in a folder of their own.
    assert files(tmp_path / "data") == sorted(
        [f"{out}/{name}.json" for out in ("test", "trainval") for name in ("checksums", "classes")]
        + [f"test/test_{kind}.npy" for kind in ("images", "labels")]
        + [f"trainval/{p}_{k}.npy" for p in ("train", "validation") for k in ("images", "labels")]
    )
    described = ["data/contact_sheet.png", "data/copies.png", "data/summary.json"]
    assert files(tmp_path / "reports") == described
    assert read_classes(tmp_path / "data" / "test") == read_classes(tmp_path / "data" / "trainval")
    assert len(read_part(tmp_path / "data" / "trainval", "validation").labels) == 150
    with Image.open(tmp_path / "reports" / "data" / "contact_sheet.png") as sheet:
        assert min(sheet.size) >= 32


def test_the_stage_gives_the_same_bytes_twice(workspace, tmp_path):
    def content():
        return {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    workspace()
    first = content()
    workspace()
    assert content() == first


def test_a_split_that_leaves_a_part_empty_stops_before_anything_is_written(workspace, tmp_path):
    with pytest.raises(UserError, match=r"validation part of digits .* no images"):
        workspace(split=("validation: [[35, 45]]", "validation: [[35, 35.001]]"))
    assert files(tmp_path) == ["params.yaml"]


def test_a_mistake_in_another_section_stops_this_stage_too(workspace, tmp_path):
    with pytest.raises(UserError, match=r"baseline\.optimizer\.name = 'adm'"):
        workspace(optimizer=("optimizer: adam", "optimizer: adm"))
    assert files(tmp_path) == ["params.yaml"]


def test_check_says_whether_the_data_can_be_had(workspace, tmp_path, monkeypatch, capsys):
    def unavailable(source):
        if source != "digits":
            raise DataUnavailableError(f"no {source}")

    monkeypatch.setattr(prepare, "require_available", unavailable)
    workspace("--check")
    assert files(tmp_path) == ["params.yaml"]
    with pytest.raises(SystemExit) as caught:
        workspace("--check", source=("source: digits", "source: cifar100"))
    assert caught.value.code == 3
    assert capsys.readouterr().out == "no cifar100\n"

    workspace()  # another source is prepared: cifar100 is still not to be had
    with pytest.raises(SystemExit):
        workspace("--check", source=("source: digits", "source: cifar100"))
    classes = tmp_path / "data" / "trainval" / "classes.json"
    classes.write_text(classes.read_text().replace('"digits"', '"cifar100"'))
    workspace("--check", source=("source: digits", "source: cifar100"))  # prepared here before
    assert load_params().data.source == "cifar100"
