from fifteen.datasets.split import part_indices

import numpy as np
import pytest

TRAIN, VALIDATION = [[0, 35], [45, 100]], [[35, 45]]


def test_cifar_100():
    train, validation = part_indices(TRAIN, 50_000), part_indices(VALIDATION, 50_000)
    assert (len(train), len(validation)) == (45_000, 5_000)
    np.testing.assert_array_equal(validation, np.arange(17_500, 22_500))
    np.testing.assert_array_equal(train, np.r_[0:17_500, 22_500:50_000])


@pytest.mark.parametrize("images", [1, 2, 7, 10, 30, 50, 90, 997, 1497, 1500])
def test_parts_are_disjoint_and_complete_for_any_size(images):
    train, validation = part_indices(TRAIN, images), part_indices(VALIDATION, images)
    assert train.dtype == validation.dtype == np.int64
    assert (np.diff(train) > 0).all()
    np.testing.assert_array_equal(np.sort(np.r_[train, validation]), np.arange(images))


def test_boundaries_are_rounded_to_the_closest_image():
    # 997 images: 35 % = 348.95, 45 % = 448.65
    np.testing.assert_array_equal(part_indices(VALIDATION, 997), np.arange(349, 449))
    # 10 images: 35 % = 3.5, 45 % = 4.5, both to the even neighbour
    assert part_indices(VALIDATION, 10).tolist() == []
    assert part_indices([[33.3, 66.6]], 10).tolist() == [3, 4, 5, 6]


def test_ranges_may_come_in_any_order():
    assert part_indices([[80, 100], [0, 20]], 10).tolist() == [0, 1, 8, 9]


def test_the_same_boundaries_as_tensorflow_datasets_at_any_size():
    from tensorflow_datasets.core import SplitInfo
    from tensorflow_datasets.core.splits import AbstractSplit, SplitDict

    specs = {
        "train[:35%]+train[-55%:]": TRAIN,
        "train[35%:45%]": VALIDATION,
        "train[:1%]+train[50%:51%]": [[0, 1], [50, 51]],
    }
    for images in [*range(1, 120), 995, 996, 997, 1497, 4999, 50_000]:
        splits = SplitDict([SplitInfo(name="train", shard_lengths=[images], num_bytes=0)])
        for spec, ranges in specs.items():
            pieces = AbstractSplit.from_spec(spec).to_absolute(splits)
            theirs = np.concatenate([np.arange(p.from_ or 0, _end(p, images)) for p in pieces])
            np.testing.assert_array_equal(part_indices(ranges, images), theirs, f"{spec} {images}")


def _end(piece, images):
    return images if piece.to is None else piece.to
