from fifteen.inference.views import predict_views

import numpy as np
import pytest

IMAGE = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)
STRAIGHT = [
    [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
    [[5, 6, 7, 6], [9, 10, 11, 10], [5, 6, 7, 6]],  # the content moved up and left by one pixel
    [[5, 4, 5, 6], [1, 0, 1, 2], [5, 4, 5, 6]],  # and down and right
]
MIRRORED = [[row[::-1] for row in view] for view in STRAIGHT]


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), dtype=np.uint8)


def test_the_views_by_hand():
    seen = []

    def predict(views):
        seen.append(views[0, :, :, 0].tolist())
        return np.zeros((1, 2))

    predict_views(predict, IMAGE)
    assert sorted(seen) == sorted([*STRAIGHT, *MIRRORED])
    seen.clear()
    predict_views(predict, IMAGE, mirrored=False)
    assert sorted(seen) == sorted(STRAIGHT)


@pytest.mark.parametrize("views", [STRAIGHT, MIRRORED])
def test_half_of_the_weight_is_on_the_image_and_its_mirror_image(views):
    def weight(view):
        """What comes out where this view alone is answered with 1."""
        return predict_views(lambda seen: np.float64([[seen[0, :, :, 0].tolist() == view]]), IMAGE)

    assert [weight(view).item() for view in views] == [0.25, 0.125, 0.125]


def test_without_mirror_images_half_of_the_weight_is_on_the_image():
    weights = [
        predict_views(
            lambda seen, view=view: np.float64([[seen[0, :, :, 0].tolist() == view]]),
            IMAGE,
            mirrored=False,
        ).item()
        for view in STRAIGHT
    ]
    assert weights == [0.5, 0.25, 0.25]


def test_a_model_that_sees_only_the_mean_is_not_fooled(images):
    constant = np.full_like(images, 7)

    def predict(views):
        share = views.reshape(len(views), -1).mean(axis=1) / 255
        return np.stack([share, 1 - share], axis=1)

    np.testing.assert_allclose(predict_views(predict, constant), predict(constant))


def test_probabilities_stay_probabilities(images):
    def predict(views):
        shares = np.exp(views[:, 0, 0].astype(np.float32) / 100)
        return shares / shares.sum(axis=1, keepdims=True)

    actual = predict_views(predict, images)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual.sum(axis=1), 1, rtol=1e-6)
    # mirroring the images changes nothing
    np.testing.assert_allclose(predict_views(predict, images[:, :, ::-1]), actual, rtol=1e-5)
