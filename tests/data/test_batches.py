from fifteen.data.arrays import Part
from fifteen.data.batches import (
    GREY,
    augment,
    evaluation_batches,
    mix,
    resize,
    steps_per_epoch,
    training_batches,
)
from fifteen.params.sections import Augmentation, Training

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


def dataset(
    part, seed=1, epochs=range(3), batch=BATCH, resolution=None, distilled=0.0, **augmentation
):
    config = Training(
        network="swift",
        batch_size=batch,
        epochs=epochs.stop,
        resolution=resolution,
        self_distillation=distilled,
        augmentation=augmentation,
    )
    total_steps = epochs.stop * steps_per_epoch(len(part.labels), batch)
    return training_batches(part, config, seed, epochs.start, IMAGES, total_steps)


def batches(part, seed=1, epochs=range(3), **config):
    return list(dataset(part, seed, epochs, **config).as_numpy_iterator())


def orders(part, seed=1, epochs=range(3)):
    """The labels of each epoch, in order."""
    labels = np.concatenate([labels for _, labels in batches(part, seed, epochs)])
    return labels.reshape(len(epochs), IMAGES)


def test_batches(part):
    actual = batches(part)
    assert [len(labels) for _, labels in actual] == [5, 5, 5, 5, 3] * 3
    for images, labels in actual:
        assert images.dtype == np.uint8
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(images, part.images[labels])


def test_every_epoch_has_every_image_once_in_an_order_of_its_own(part):
    actual = orders(part, epochs=range(6))
    np.testing.assert_array_equal(np.sort(actual, axis=1), np.tile(np.arange(IMAGES), (6, 1)))
    assert len({tuple(order) for order in actual}) == 6
    # a full shuffle: images come from everywhere, not from a window around their place
    assert np.abs(actual - np.arange(IMAGES)).max() > IMAGES / 2


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
    actual = dataset(part, 3, range(600), IMAGES).as_numpy_iterator()
    first = np.bincount([labels[0] for _, labels in actual], minlength=IMAGES)
    assert first.sum() == 600
    assert first.min() >= 5
    assert first.max() <= 52


def test_evaluation_is_one_pass_in_order(part):
    actual = list(evaluation_batches(part, 10).as_numpy_iterator())
    assert [len(labels) for _, labels in actual] == [10, 10, 3]
    assert actual[0][0].dtype == np.uint8
    np.testing.assert_array_equal(np.concatenate([i for i, _ in actual]), part.images)
    np.testing.assert_array_equal(np.concatenate([n for _, n in actual]), part.labels)


def test_nothing_waits_for_a_tuner_in_the_end(part):
    config = Training(network="baseline", batch_size=8, epochs=1)
    for batches in (training_batches(part, config, 0, 0, 2, 1), evaluation_batches(part)):
        assert batches.options().autotune.enabled is False


def test_memory_mapped_images(part, tmp_path):
    np.save(tmp_path / "images.npy", part.images)
    mapped = Part(np.load(tmp_path / "images.npy", mmap_mode="r"), part.labels)
    for (images, _), (expected, _) in zip(batches(mapped), batches(part), strict=True):
        np.testing.assert_array_equal(images, expected)


def changed(images, seed=(1, 2), **augmentation):
    actual = augment(tf.constant(images), Augmentation(**augmentation), tf.constant(seed))
    assert actual.dtype == images.dtype
    assert actual.shape == images.shape
    return actual.numpy()


@pytest.fixture(scope="module")
def noise():
    """Small images, so that there can be many."""
    return np.random.default_rng(0).integers(0, 256, (2000, 6, 7, 3), dtype=np.uint8)


def places(actual, image, pad):
    """The places at which `actual` is cut from the image when that is padded by reflection."""
    height, width = image.shape[:2]
    # NumPy's `reflect` is TensorFlow's REFLECT: the edge itself is not repeated.
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    return [
        (y, x)
        for y in range(2 * pad + 1)
        for x in range(2 * pad + 1)
        if np.array_equal(actual, padded[y : y + height, x : x + width])
    ]


def test_no_augmentation_leaves_images_untouched(noise):
    np.testing.assert_array_equal(changed(noise), noise)


def test_a_flip_mirrors_half_of_the_images(noise):
    actual = changed(noise, flip=True)
    as_they_were = (actual == noise).all(axis=(1, 2, 3))
    mirrored = (actual == noise[:, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(mirrored, ~as_they_were)
    assert abs(mirrored.mean() - 0.5) < 0.05  # of 2000: more than four standard deviations


@pytest.mark.parametrize("pad", [1, 2])
def test_a_crop_is_a_window_of_the_padded_image(noise, pad):
    actual = [places(*both, pad) for both in zip(changed(noise, crop=pad), noise, strict=True)]
    assert {len(at) for at in actual} == {1}
    counts = np.zeros((2 * pad + 1, 2 * pad + 1))
    for ((y, x),) in actual:
        counts[y, x] += 1
    # Each of 9 or 25 places 222 or 80 times, with a standard deviation of 14 or 9.
    expected = 2000 / counts.size
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_a_window_by_hand():
    image = np.arange(9, dtype=np.uint8).reshape(1, 3, 3, 1)
    actual = changed(np.repeat(image, 200, axis=0), crop=1)[..., 0]
    corner, middle = [[4, 3, 4], [1, 0, 1], [4, 3, 4]], [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    for window in (corner, middle):
        assert (actual == window).all(axis=(1, 2)).any()
    assert len({window.tobytes() for window in actual}) == 9


def test_flip_and_crop_together(noise):
    actual = changed(noise[:300], flip=True, crop=2)
    kinds = np.array(
        [
            [len(places(image, source[:, ::step], 2)) for step in (1, -1)]
            for image, source in zip(actual, noise[:300], strict=True)
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
    actual = [images.tobytes() for images, _ in batches(part, epochs=range(3), crop=4)]
    assert len(set(actual)) == 24


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
        next(dataset(part, seed, range(1), IMAGES, crop=4).as_numpy_iterator()) for seed in (1, 2)
    )
    one, two = (images[np.argsort(labels)] for images, labels in (one, two))
    assert (one != two).any(axis=(1, 2, 3)).mean() > 0.8


@pytest.mark.parametrize(
    ("images", "batch", "steps"), [(45_000, 128, 352), (40, 8, 5), (41, 8, 6), (3, 128, 1)]
)
def test_steps_per_epoch(images, batch, steps):
    assert steps_per_epoch(images, batch) == steps


# Alternating flips


def mirrored(part, **config):
    """(epochs, images): which images are mirrored, each in its place of the part."""
    actual = []
    for images, labels in batches(part, batch=IMAGES, flip="alternating", **config):
        in_order = images[np.argsort(labels)]
        is_mirrored = (in_order == part.images[:, :, ::-1]).all(axis=(1, 2, 3))
        as_it_was = (in_order == part.images).all(axis=(1, 2, 3))
        np.testing.assert_array_equal(is_mirrored, ~as_it_was)
        actual.append(is_mirrored)
    return np.array(actual)


def test_an_alternating_flip_mirrors_every_image_in_every_second_epoch(part):
    actual = mirrored(part, epochs=range(5))
    np.testing.assert_array_equal(actual[1:], ~actual[:-1])


def test_half_of_the_images_start_mirrored():
    images = np.random.default_rng(0).integers(0, 256, (IMAGES, 8, 8, 3), dtype=np.uint8)
    small = Part(images, np.arange(IMAGES, dtype=np.int32))
    shares = [mirrored(small, seed=seed, epochs=range(1)).mean() for seed in range(40)]
    assert abs(np.mean(shares) - 0.5) < 5 * 0.5 / np.sqrt(40 * IMAGES)
    assert len(set(shares)) > 3


def test_where_an_image_is_in_an_epoch_has_nothing_to_do_with_its_being_mirrored():
    ramp = np.arange(2000, dtype=np.int32)
    images = np.zeros((2000, 1, 2, 1), np.uint8)
    images[:, :, 1] = 1
    part = Part(images, ramp)
    for seed in (1, 42):
        for epoch in range(3):
            actual = batches(part, seed, range(epoch, epoch + 1), batch=2000, flip="alternating")
            is_mirrored = actual[0][0][:, 0, 0, 0] == 1
            first, last = is_mirrored[:1000].mean(), is_mirrored[1000:].mean()
            assert abs(first - last) < 0.12, (seed, epoch)  # five standard deviations


@pytest.mark.parametrize("done", [1, 2])
def test_a_resumed_alternating_flip_goes_on(part, done):
    np.testing.assert_array_equal(
        mirrored(part, epochs=range(done, 4)), mirrored(part, epochs=range(4))[done:]
    )


# Cutout


@pytest.fixture(scope="module")
def white():
    return np.full((2000, 6, 7, 3), 255, np.uint8)


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_a_cutout_is_a_grey_square_clipped_at_the_border(white, side):
    actual = changed(white, cutout=side)
    hidden = (actual == GREY).all(axis=-1)
    np.testing.assert_array_equal(actual[~hidden], 255)
    np.testing.assert_array_equal(actual[hidden], 128)
    rows, columns = hidden.any(axis=2), hidden.any(axis=1)
    np.testing.assert_array_equal(hidden, rows[:, :, None] & columns[:, None, :])
    for lines in (rows, columns):
        count, length = lines.sum(axis=1), lines.shape[1]
        assert count.max() == side
        last = length - 1 - lines[:, ::-1].argmax(axis=1)
        np.testing.assert_array_equal(last - lines.argmax(axis=1) + 1, count)  # no gaps
        clipped = lines[:, 0] | lines[:, -1]
        np.testing.assert_array_equal(count[~clipped], side)
        assert count.min() >= side // 2


def test_a_cutout_may_be_anywhere(white):
    hidden = (changed(white, cutout=1) == GREY).all(axis=-1)
    np.testing.assert_array_equal(hidden.sum(axis=(1, 2)), 1)
    # Each of 42 places 48 times, with a standard deviation of 7.
    assert np.abs(hidden.sum(axis=0) - 2000 / 42).max() < 35


def test_a_cutout_larger_than_the_image_hides_much_of_it(white):
    hidden = (changed(white, cutout=14) == GREY).all(axis=-1)
    assert hidden.all()


def test_what_is_not_cut_out_stays(noise):
    actual = changed(noise, cutout=3)
    same = (actual == noise).all(axis=-1)
    assert ((actual == GREY).all(axis=-1) | same).all()
    real = changed(noise.astype(np.float32), cutout=3)
    np.testing.assert_array_equal(real, actual)


# CutMix and mixup


def mixed(images, seed=(1, 2), classes=None, **augmentation):
    """Images of which each is a class of its own, mixed."""
    labels = tf.eye(len(images), classes)
    images, labels = mix(
        tf.constant(images), labels, Augmentation(**augmentation), tf.constant(seed)
    )
    return images.numpy(), labels.numpy()


@pytest.fixture(scope="module")
def levels():
    """200 images, each of one grey; and its partner's grey is another one."""
    return np.tile(np.arange(200, dtype=np.uint8)[:, None, None, None], (1, 8, 9, 3))


def test_cutmix_gives_labels_the_shares_of_the_pixels(levels):
    images, labels = mixed(levels, cutmix=1.0)
    assert images.dtype == np.uint8
    assert labels.dtype == np.float32
    for i, (image, shares) in enumerate(zip(images, labels, strict=True)):
        pixels = np.bincount(image[..., 0].ravel(), minlength=200) / 72
        np.testing.assert_allclose(shares, pixels, atol=1e-6)
        assert set(np.flatnonzero(shares)) <= {i, 199 - i}
        other = (image == 199 - i).all(axis=-1)
        rows, columns = other.any(axis=1), other.any(axis=0)
        np.testing.assert_array_equal(other, rows[:, None] & columns)  # a rectangle
    assert 0.2 < (1 - np.diag(labels)).mean() < 0.5  # half of the area, what is cut off taken away


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_cutmix_leaves_the_other_images_alone(levels, share):
    images, labels = mixed(levels, cutmix=share)
    untouched = (images == levels).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(np.diag(labels) == 1, untouched)
    assert abs((~untouched).mean() - 0.95 * share) < 0.15


def test_the_middle_of_an_odd_batch_is_mixed_with_itself(levels):
    for augmentation in ({"cutmix": 1.0}, {"mixup": 1.0}):
        images, labels = mixed(levels[:5], **augmentation)
        np.testing.assert_allclose(images[2], levels[2], rtol=1e-6)
        np.testing.assert_allclose(labels[2], np.eye(5)[2], atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_mixes_images_as_it_mixes_labels(noise, alpha):
    source = noise[:600]
    images, labels = mixed(source, mixup=alpha)
    assert images.dtype == labels.dtype == np.float32
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    assert (labels >= 0).all()
    expected = np.einsum("ij,jhwc->ihwc", labels, source.astype(np.float32))
    np.testing.assert_allclose(images, expected, atol=1e-3)
    share = np.diag(labels)
    # Beta(α, α) has the mean 1/2 and the variance 1/(8α + 4).
    variance = 1 / (8 * alpha + 4)
    assert abs(share.mean() - 0.5) < 5 * np.sqrt(variance / 600)
    assert share.var() == pytest.approx(variance, rel=0.2)


def test_cutmix_and_mixup_together_mix_as_their_labels(levels):
    images, labels = mixed(levels, cutmix=0.5, mixup=0.5)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-5)
    # The mean grey is linear in both.
    np.testing.assert_allclose(images.mean(axis=(1, 2, 3)), labels @ np.arange(200), atol=1e-3)


@pytest.mark.parametrize("augmentation", [{"cutmix": 1.0}, {"mixup": 1.0}, {"cutout": 2}])
def test_the_seed_decides_these_too(levels, augmentation):
    def make(seed):
        if "cutout" in augmentation:
            return changed(levels, seed, **augmentation)
        return mixed(levels, seed, **augmentation)[0]

    one, again, other = map(make, ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any(axis=(1, 2, 3)).mean() > 0.4


@pytest.mark.parametrize("change", [{"cutmix": 0.5}, {"mixup": 0.2}, {"cutmix": 1.0, "mixup": 1.0}])
def test_mixed_batches_have_shares_for_labels(part, change):
    actual = batches(part, **change)
    assert [labels.shape for _, labels in actual] == [(n, IMAGES) for n in [5, 5, 5, 5, 3]] * 3
    for images, labels in actual:
        assert labels.dtype == np.float32
        assert images.dtype == (np.float32 if "mixup" in change else np.uint8)
        np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    # Nothing is lost: each epoch's shares add up to its images.
    assert sum(labels.sum() for _, labels in actual) == pytest.approx(3 * IMAGES, rel=1e-5)


@pytest.mark.parametrize("change", [{}, {"flip": True, "crop": 4, "cutout": 8}])
def test_labels_are_whole_where_nothing_is_mixed(part, change):
    for _, labels in batches(part, cutmix=0.0, mixup=0.0, **change):
        assert (labels.dtype, labels.ndim) == (np.int32, 1)


def test_images_are_numbered_for_self_distillation(part):
    turned = Part(part.images, part.labels[::-1].copy())  # so that no label is the number
    for images, labels in batches(turned, distilled=0.5):
        assert (labels.dtype, labels.shape) == (np.int32, (len(images), 2))
        np.testing.assert_array_equal(images, part.images[labels[:, 1]])
        np.testing.assert_array_equal(labels[:, 0], IMAGES - 1 - labels[:, 1])


# Resolution


def resized(images, pixels):
    return resize(tf.constant(images), [[0, pixels]], tf.constant(0.0, tf.float64)).numpy()


@pytest.mark.parametrize("pixels", [8, 20, 24, 31, 32, 33, 48])
def test_resizing_is_tensorflow_s_with_antialiasing(part, pixels):
    actual = resized(part.images[:4], pixels)
    assert (actual.shape, actual.dtype) == ((4, pixels, pixels, 3), np.float32)
    expected = tf.image.resize(part.images[:4], [pixels, pixels], antialias=True).numpy()
    np.testing.assert_allclose(actual, expected, atol=1e-3)


@pytest.mark.parametrize("pixels", [8, 20, 32, 48])
def test_a_constant_image_stays_constant(pixels):
    images = np.full((2, 32, 32, 3), 200, np.uint8)
    images[1] = [10, 20, 30]
    actual = resized(images, pixels)
    np.testing.assert_allclose(actual[0], 200, atol=1e-3)
    np.testing.assert_allclose(actual[1], np.broadcast_to([10, 20, 30], actual[1].shape), atol=1e-3)


def test_half_the_size_by_hand():
    # A triangle of twice the width: the weights of a row are 1/8, 3/8, 3/8, 1/8.
    images = np.zeros((1, 16, 16, 1), np.uint8)
    images[0, 6] = 80
    actual = resized(images, 8)[0, :, 4, 0]
    np.testing.assert_allclose(actual, [0, 0, 10, 30, 0, 0, 0, 0], atol=1e-4)


STAGES = [[0, 16], [0.3, 20], [0.75, 32]]


@pytest.mark.parametrize(
    ("share", "pixels"),
    [(0.0, 16), (0.299, 16), (0.3, 20), (0.5, 20), (0.7499, 20), (0.75, 32), (0.999, 32)],
)
def test_the_size_follows_the_share_of_the_steps(share, pixels):
    images = tf.zeros([2, 32, 32, 3], tf.uint8)
    assert resize(images, STAGES, tf.constant(share, tf.float64)).shape == (2, pixels, pixels, 3)


def test_batches_grow(part):
    # 4 epochs of 5 steps: the first 6, the next 9 and the last 5.
    actual = batches(part, epochs=range(4), resolution=STAGES)
    assert [images.shape[1] for images, _ in actual] == [16] * 6 + [20] * 9 + [32] * 5
    for images, labels in actual:
        assert images.shape[1:3] == (images.shape[1],) * 2
        assert images.dtype == np.float32
        assert labels.dtype == np.int32
    for images, labels in actual[15:]:
        np.testing.assert_array_equal(images, part.images[labels])


EVERYTHING = {"flip": "alternating", "crop": 2, "cutout": 4, "cutmix": 0.5, "mixup": 0.5}


@pytest.mark.parametrize("done", [1, 3])
def test_a_resumed_training_sees_the_same_of_everything(part, done):
    whole = batches(part, epochs=range(4), resolution=STAGES, **EVERYTHING)
    rest = batches(part, epochs=range(done, 4), resolution=STAGES, **EVERYTHING)
    assert len(rest) == (4 - done) * 5
    for one, other in zip(rest, whole[done * 5 :], strict=True):
        for actual, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(actual, expected)
