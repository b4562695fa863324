from fifteen.data.arrays import Part
from fifteen.data.pipeline import evaluation_batches, training_batches

import numpy as np
import pytest

IMAGES, BATCH = 23, 5  # four full batches and one of 3


@pytest.fixture(scope="module")
def part():
    """Images whose first pixel is their number, which is also their label."""
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(IMAGES)
    return Part(images, np.arange(IMAGES, dtype=np.int32))


def batches(part, seed=1, epochs=range(3)):
    return list(training_batches(part, BATCH, seed, epochs).as_numpy_iterator())


def orders(part, seed=1, epochs=range(3)):
    """The labels of each epoch, in order."""
    labels = np.concatenate([labels for _, labels in batches(part, seed, epochs)])
    return labels.reshape(len(epochs), IMAGES)


def test_batches(part):
    found = batches(part)
    assert [len(labels) for _, labels in found] == [5, 5, 5, 5, 3] * 3
    for images, labels in found:
        assert images.dtype == np.uint8
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(images, part.images[labels])


def test_every_epoch_has_every_image_once_in_an_order_of_its_own(part):
    found = orders(part, epochs=range(6))
    np.testing.assert_array_equal(np.sort(found, axis=1), np.tile(np.arange(IMAGES), (6, 1)))
    assert len({tuple(order) for order in found}) == 6
    # a full shuffle: images come from everywhere, not from a window around their place
    assert np.abs(found - np.arange(IMAGES)).max() > IMAGES / 2


def test_the_seed_decides_the_order(part):
    np.testing.assert_array_equal(orders(part, seed=1), orders(part, seed=1))
    assert (orders(part, seed=1) != orders(part, seed=2)).any()
    # no epoch of one seed is an epoch of the next, as with seed + epoch
    one, two = ({tuple(order) for order in orders(part, seed)} for seed in (1, 2))
    assert not one & two


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_resumed_training_sees_the_rest_of_the_same_batches(part, done):
    whole, rest = batches(part, epochs=range(4)), batches(part, epochs=range(done, 4))
    assert len(rest) == (4 - done) * 5
    for (images, labels), (expected_images, expected_labels) in zip(
        rest, whole[done * 5 :], strict=True
    ):
        np.testing.assert_array_equal(images, expected_images)
        np.testing.assert_array_equal(labels, expected_labels)


def test_images_are_drawn_uniformly(part):
    # First images of 600 epochs: each of the 23 about 26 times, standard deviation 5.
    found = training_batches(part, IMAGES, 3, range(600)).as_numpy_iterator()
    first = np.bincount([labels[0] for _, labels in found], minlength=IMAGES)
    assert first.sum() == 600
    assert first.min() >= 5
    assert first.max() <= 52


def test_evaluation_is_one_pass_in_order(part):
    found = list(evaluation_batches(part, 10).as_numpy_iterator())
    assert [len(labels) for _, labels in found] == [10, 10, 3]
    assert found[0][0].dtype == np.uint8
    np.testing.assert_array_equal(np.concatenate([i for i, _ in found]), part.images)
    np.testing.assert_array_equal(np.concatenate([n for _, n in found]), part.labels)


def test_memory_mapped_images(part, tmp_path):
    np.save(tmp_path / "images.npy", part.images)
    mapped = Part(np.load(tmp_path / "images.npy", mmap_mode="r"), part.labels)
    for (images, _), (expected, _) in zip(batches(mapped), batches(part), strict=True):
        np.testing.assert_array_equal(images, expected)
