from fifteen.config import Augmentation
from fifteen.data.arrays import Part
from fifteen.data.pipeline import augment, evaluation_batches, training_batches

import numpy as np
import pytest
import tensorflow as tf

IMAGES, BATCH = 23, 5  # four full batches and one of 3


@pytest.fixture(scope="module")
def part():
    """Images whose first pixel is their number, which is also their label."""
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(IMAGES)
    return Part(images, np.arange(IMAGES, dtype=np.int32))


def batches(part, seed=1, epochs=range(3), **augmentation):
    found = training_batches(part, BATCH, seed, epochs, Augmentation(**augmentation))
    return list(found.as_numpy_iterator())


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
    found = training_batches(part, IMAGES, 3, range(600), Augmentation()).as_numpy_iterator()
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


def changed(images, seed=(1, 2), **augmentation):
    found = augment(tf.constant(images), Augmentation(**augmentation), tf.constant(seed))
    assert found.dtype == images.dtype
    assert found.shape == images.shape
    return found.numpy()


@pytest.fixture(scope="module")
def noise():
    """Small images, so that there can be many."""
    return np.random.default_rng(0).integers(0, 256, (2000, 6, 7, 3), dtype=np.uint8)


def places(found, image, pad):
    """The places at which `found` is cut from the image when that is padded by reflection."""
    height, width = image.shape[:2]
    # NumPy's `reflect` is TensorFlow's REFLECT: the edge itself is not repeated.
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    return [
        (y, x)
        for y in range(2 * pad + 1)
        for x in range(2 * pad + 1)
        if np.array_equal(found, padded[y : y + height, x : x + width])
    ]


def test_no_augmentation_leaves_images_untouched(noise):
    np.testing.assert_array_equal(changed(noise), noise)


def test_a_flip_mirrors_half_of_the_images(noise):
    found = changed(noise, flip=True)
    as_they_were = (found == noise).all(axis=(1, 2, 3))
    mirrored = (found == noise[:, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(mirrored, ~as_they_were)
    assert abs(mirrored.mean() - 0.5) < 0.05  # of 2000: more than four standard deviations


@pytest.mark.parametrize("pad", [1, 2])
def test_a_crop_is_a_window_of_the_padded_image(noise, pad):
    found = [places(*both, pad) for both in zip(changed(noise, crop=pad), noise, strict=True)]
    assert {len(at) for at in found} == {1}
    counts = np.zeros((2 * pad + 1, 2 * pad + 1))
    for ((y, x),) in found:
        counts[y, x] += 1
    # Each of 9 or 25 places 222 or 80 times, with a standard deviation of 14 or 9.
    expected = 2000 / counts.size
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_a_window_by_hand():
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1)
    found = changed(np.repeat(image, 200, axis=0), crop=1)[..., 0]
    corner, middle = [[4, 3, 4], [1, 0, 1], [4, 3, 4]], [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    for window in (corner, middle):
        assert (found == window).all(axis=(1, 2)).any()
    assert len({window.tobytes() for window in found}) == 9


def test_flip_and_crop_together(noise):
    found = changed(noise[:300], flip=True, crop=2)
    kinds = np.array(
        [
            [len(places(image, source[:, ::step], 2)) for step in (1, -1)]
            for image, source in zip(found, noise[:300], strict=True)
        ]
    )
    np.testing.assert_array_equal(kinds.sum(axis=1), 1)
    assert 100 < kinds[:, 1].sum() < 200


@pytest.mark.parametrize("augmentation", [{"flip": True}, {"crop": 2}, {"flip": True, "crop": 2}])
def test_the_seed_decides_the_augmentation(noise, augmentation):
    one, again, two, three = (
        changed(noise, seed, **augmentation) for seed in ((1, 2), (1, 2), (1, 3), (2, 2))
    )
    np.testing.assert_array_equal(one, again)
    for other in (two, three):
        assert (one != other).any(axis=(1, 2, 3)).mean() > 0.4


def test_the_type_of_images_is_kept(noise):
    real = changed(noise[:50].astype(np.float32), flip=True, crop=2)
    np.testing.assert_array_equal(real, changed(noise[:50], flip=True, crop=2))


def test_augmented_batches(part):
    whole = batches(part, epochs=range(4), flip=True, crop=2)
    assert [len(labels) for _, labels in whole] == [5, 5, 5, 5, 3] * 4
    for (images, labels), (_, expected) in zip(whole, batches(part, epochs=range(4)), strict=True):
        np.testing.assert_array_equal(labels, expected)  # the order is that without
        assert images.dtype == np.uint8
        for image, label in zip(images, labels, strict=True):
            source = part.images[label]
            assert places(image, source, 2) or places(image, source[:, ::-1], 2)


def test_every_epoch_changes_an_image_in_its_own_way(part):
    seen = {label: set() for label in range(IMAGES)}
    for images, labels in batches(part, epochs=range(8), crop=4):
        for image, label in zip(images, labels, strict=True):
            seen[int(label)].add(image.tobytes())
    assert min(map(len, seen.values())) >= 5  # of 8 draws out of 81


def test_every_batch_of_an_epoch_is_changed_in_its_own_way():
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), dtype=np.uint8)
    part = Part(np.repeat(image, 40, axis=0), np.arange(40, dtype=np.int32))
    found = [images.tobytes() for images, _ in batches(part, epochs=range(3), crop=4)]
    assert len(set(found)) == 24


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_resumed_training_sees_the_same_augmentation(part, done):
    augmentation = {"flip": True, "crop": 2}
    whole = batches(part, epochs=range(4), **augmentation)
    rest = batches(part, epochs=range(done, 4), **augmentation)
    for (images, labels), (expected, expected_labels) in zip(rest, whole[done * 5 :], strict=True):
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, expected_labels)


def test_another_seed_is_another_augmentation(part):
    # Batches of everything, in the order of the labels: only the changes can differ.
    one, two = (
        next(
            training_batches(part, IMAGES, seed, range(1), Augmentation(crop=4)).as_numpy_iterator()
        )
        for seed in (1, 2)
    )
    one, two = (images[np.argsort(labels)] for images, labels in (one, two))
    assert (one != two).any(axis=(1, 2, 3)).mean() > 0.8
