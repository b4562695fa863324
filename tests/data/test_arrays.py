import hashlib
import json

from fifteen.common.errors import UserError
from fifteen.data.arrays import (
    Classes,
    Part,
    channel_statistics,
    check_part,
    read_classes,
    read_part,
    superclass_of,
    write_parts,
)

import numpy as np
import pytest

CLASSES = Classes("toy", ["a", "b", "c"], ["x", "y"], [0, 1, 0])


def part(images=6, seed=0, coarse=True):
    rng = np.random.default_rng(seed)
    labels = np.arange(images, dtype=np.int32) % 3
    return Part(
        rng.integers(0, 256, (images, 32, 32, 3), dtype=np.uint8),
        labels,
        np.array(CLASSES.superclass_of, np.int32)[labels] if coarse else None,
    )


def test_take():
    whole = part()
    some = whole.take(np.array([4, 0]))
    np.testing.assert_array_equal(some.images, whole.images[[4, 0]])
    assert some.labels.tolist() == [1, 0]
    assert some.superclass_labels.tolist() == [1, 0]
    assert part(coarse=False).take(np.array([1])).superclass_labels is None


def test_statistics_equal_those_of_the_floating_point_images():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 32, 32, 3)).astype(np.uint8)
    images[..., 1] //= 3
    images[..., 2] = 17
    scaled = images / 255
    actual = channel_statistics(images)
    np.testing.assert_allclose(actual["mean"], scaled.mean(axis=(0, 1, 2)), rtol=1e-12)
    deviation = scaled.std(axis=(0, 1, 2))
    np.testing.assert_allclose(actual["standard_deviation"], deviation, rtol=1e-9, atol=1e-12)
    json.dumps(actual)


def test_statistics_by_hand():
    images = np.zeros((2, 32, 32, 3), np.uint8)
    images[0] = 255
    assert channel_statistics(images) == {"mean": [0.5] * 3, "standard_deviation": [0.5] * 3}


def test_superclass_of():
    assert superclass_of(np.array([2, 0, 1, 2]), np.array([0, 5, 1, 0]), 3) == [5, 1, 0]


@pytest.mark.parametrize(
    ("labels", "coarse"),
    [
        ([0, 1, 1], [0, 0, 1]),  # class 1 in two superclasses
        ([0, 2], [0, 0]),  # class 1 has no image
        ([0, 1, 2, 3], [0, 0, 0, 0]),  # more classes than there are names
    ],
)
def test_classes_without_exactly_one_superclass(labels, coarse):
    with pytest.raises(ValueError, match="exactly one superclass"):
        superclass_of(np.array(labels), np.array(coarse), 3)


def test_a_good_part_passes():
    check_part(part(), CLASSES, "train")
    check_part(part(coarse=False), Classes("toy", ["a", "b", "c"]), "train")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": np.zeros((6, 32, 32, 3))}, r"float64 \(6, 32, 32, 3\)"),
        ({"images": np.zeros((6, 28, 28, 1), np.uint8)}, r"uint8 \(6, 28, 28, 1\)"),
        ({"labels": np.zeros(5, np.int32)}, r"labels .*\(5,\) .* 6 images"),
        ({"labels": np.array([0, 1, 2, 0, 1, 3])}, "labels .* 3, .* 2"),
        ({"labels": np.array([0, 1, 2, 0, 1, -1])}, "labels .* -1 "),
        ({"superclass_labels": np.full(6, 2)}, "superclass labels .* 2, .* 1"),
    ],
)
def test_what_is_wrong_with_a_part(change, message):
    broken = Part(**vars(part()) | change)
    with pytest.raises(UserError, match=message) as caught:
        check_part(broken, CLASSES, "validation")
    assert "validation part of toy" in str(caught.value)


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(UserError, match=r"float32.*labels have shape.*superclass labels"):
        check_part(
            Part(np.zeros((2, 32, 32, 3), np.float32), np.zeros(1, int), np.array([0, 9])),
            CLASSES,
            "test",
        )


def test_an_empty_part():
    with pytest.raises(UserError, match=r"validation part of toy .* no images"):
        check_part(part(images=0), CLASSES, "validation")


def test_round_trip(tmp_path):
    parts = {"train": part(9, seed=1), "validation": part(3, seed=2)}
    write_parts(tmp_path, parts, CLASSES)
    assert read_classes(tmp_path) == CLASSES
    for name, expected in parts.items():
        actual = read_part(tmp_path, name)
        for key, values in vars(expected).items():
            np.testing.assert_array_equal(getattr(actual, key), values)
            assert getattr(actual, key).dtype == values.dtype
        assert isinstance(actual.images, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            actual.images[0] = 0


def test_without_superclasses(tmp_path):
    classes = Classes("toy", ["a", "b", "c"])
    write_parts(tmp_path, {"test": part(coarse=False)}, classes)
    assert read_classes(tmp_path) == classes
    assert read_part(tmp_path, "test").superclass_labels is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "checksums.json",
        "classes.json",
        "test_images.npy",
        "test_labels.npy",
    ]


def test_checksums_are_of_every_array_and_nothing_else(tmp_path):
    write_parts(tmp_path, {"train": part(), "validation": part(seed=1)}, CLASSES)
    digests = json.loads((tmp_path / "checksums.json").read_text())
    assert digests == {
        path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in tmp_path.glob("*.npy")
    }
    assert len(digests) == 6
    assert digests["train_images.npy"] != digests["validation_images.npy"]


def test_the_same_data_give_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_parts(tmp_path / name, {"train": part()}, CLASSES)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_a_missing_part(tmp_path):
    with pytest.raises(UserError, match=r"not usable .*`dvc repro prepare`"):
        read_part(tmp_path, "train")


@pytest.mark.parametrize("kind", ["images", "labels"])
@pytest.mark.parametrize("size", [0, 5, 100, 131])  # a whole header has 128 bytes
def test_a_truncated_part(tmp_path, kind, size):
    write_parts(tmp_path, {"train": part()}, CLASSES)
    array = tmp_path / f"train_{kind}.npy"
    array.write_bytes(array.read_bytes()[:size])
    with pytest.raises(UserError, match=r"not usable .*`dvc repro prepare`"):
        read_part(tmp_path, "train")
