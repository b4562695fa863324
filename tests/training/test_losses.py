from fifteen.training.losses import accuracy, cross_entropy

import keras
import numpy as np
import pytest

PROBABILITIES = np.array([[0.5, 0.25, 0.125, 0.125], [0.125, 0.125, 0.25, 0.5]], np.float32)
LABELS = np.array([0, 2], np.int32)


def test_smoothed_by_hand():
    # ε = 0.4, 4 classes: 0.7 for the right one, 0.1 for each other; p is 1/2, 1/4 or 1/8.
    actual = np.asarray(cross_entropy(0.4)(LABELS, PROBABILITIES))
    expected = np.log(2) * np.array(
        [0.7 * 1 + 0.1 * (2 + 3 + 3), 0.7 * 2 + 0.1 * (3 + 3 + 1)]  # 1.5 and 2.1
    )
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4, 0.9])
def test_the_published_formula(smoothing):
    logs = np.log(PROBABILITIES)
    right = logs[np.arange(2), LABELS]
    expected = -(1 - smoothing) * right - smoothing * logs.mean(axis=1)
    actual = np.asarray(cross_entropy(smoothing)(LABELS, PROBABILITIES))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_no_smoothing_is_the_plain_cross_entropy():
    actual = np.asarray(cross_entropy(0.0)(LABELS, PROBABILITIES))
    expected = keras.losses.sparse_categorical_crossentropy(LABELS, PROBABILITIES)
    np.testing.assert_array_equal(actual, np.asarray(expected))
    np.testing.assert_array_equal(np.asarray(cross_entropy()(LABELS, PROBABILITIES)), actual)
    np.testing.assert_allclose(actual, np.log(2) * np.array([1, 2]), rtol=1e-6)


def test_little_smoothing_is_close_to_none():
    actual, plain = (np.asarray(cross_entropy(s)(LABELS, PROBABILITIES)) for s in (1e-6, 0.0))
    np.testing.assert_allclose(actual, plain, atol=1e-5)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_labels_of_any_form(shape, dtype):
    actual = np.asarray(cross_entropy(0.4)(LABELS.reshape(shape).astype(dtype), PROBABILITIES))
    np.testing.assert_allclose(actual, np.log(2) * np.array([1.5, 2.1]), rtol=1e-6)


def test_the_smallest_loss_is_at_the_smoothed_targets():
    loss = cross_entropy(0.4)
    at = np.array([[0.7, 0.1, 0.1, 0.1]], np.float32)
    least = float(loss(LABELS[:1], at)[0])
    assert least == pytest.approx(-(0.7 * np.log(0.7) + 0.3 * np.log(0.1)))  # their entropy
    for share in (0.6, 0.69, 0.71, 0.8, 0.99):
        other = np.array([[share, *[(1 - share) / 3] * 3]], np.float32)
        assert float(loss(LABELS[:1], other)[0]) > least


def test_a_network_trained_on_it_learns_the_smoothed_targets():
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(4), keras.layers.Softmax(dtype="float32")]
    )
    network.compile(keras.optimizers.Adam(0.1), cross_entropy(0.4))
    inputs = np.tile(np.eye(4, dtype=np.float32), (64, 1))
    labels = np.tile(np.arange(4, dtype=np.int32), 64)
    network.fit(inputs, labels, batch_size=32, epochs=40, shuffle=False, verbose=0)
    targets = np.full((4, 4), 0.1) + 0.6 * np.eye(4)
    np.testing.assert_allclose(network.predict(inputs[:4], verbose=0), targets, atol=0.01)


ONE_HOT = np.eye(4, dtype=np.float32)[LABELS]
# 3/4 of class 0 and 1/4 of class 3; nothing but class 2
SHARES = np.array([[0.75, 0, 0, 0.25], [0, 0, 1, 0]], np.float32)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_one_hot_shares_are_as_good_as_whole_labels(smoothing):
    loss = cross_entropy(smoothing)
    actual, expected = (np.asarray(loss(y, PROBABILITIES)) for y in (ONE_HOT, LABELS))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("smoothing", "expected"),
    [
        (0.0, [0.75 * 1 + 0.25 * 3, 2]),
        # ε = 0.4: the shares count 0.6, and each class 0.1 more.
        (0.4, [0.6 * 1.5 + 0.1 * 9, 0.6 * 2 + 0.1 * 9]),
    ],
)
def test_shares_by_hand(smoothing, expected):
    actual = np.asarray(cross_entropy(smoothing)(SHARES, PROBABILITIES))
    np.testing.assert_allclose(actual, np.log(2) * np.array(expected), rtol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_the_loss_is_linear_in_the_shares(smoothing):
    loss = cross_entropy(smoothing)
    one, other = (np.asarray(loss(np.full(2, c, np.int32), PROBABILITIES)) for c in (1, 3))
    mixed = np.asarray(loss(np.tile([0, 0.3, 0, 0.7], (2, 1)).astype(np.float32), PROBABILITIES))
    np.testing.assert_allclose(mixed, 0.3 * one + 0.7 * other, rtol=1e-5)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_accuracy_of_whole_labels(shape):
    actual = [
        np.asarray(accuracy(np.reshape(labels, shape), PROBABILITIES)).ravel().tolist()
        for labels in ([0, 3], [0, 2], [1, 2])
    ]
    assert actual == [[1, 1], [1, 0], [0, 0]]


def test_accuracy_of_shares_is_that_of_the_largest():
    assert np.asarray(accuracy(SHARES, PROBABILITIES)).tolist() == [1, 0]
    assert np.asarray(accuracy(SHARES[:, ::-1], PROBABILITIES)).tolist() == [0, 0]
    assert np.asarray(accuracy(ONE_HOT, PROBABILITIES)).tolist() == [1, 0]


@pytest.mark.parametrize("smoothing", [0.0, 0.4])
def test_a_compiled_network_takes_both_kinds_of_labels(smoothing):
    network = keras.Sequential([keras.Input((4,)), keras.layers.Softmax()])
    plain = keras.metrics.MeanMetricWrapper(cross_entropy(), "cross_entropy")
    network.compile(loss=cross_entropy(smoothing), metrics=[accuracy, plain])
    for labels in (LABELS, ONE_HOT):
        actual = network.evaluate(np.log(PROBABILITIES), labels, verbose=0, return_dict=True)
        assert actual["accuracy"] == 0.5
        assert actual["cross_entropy"] == pytest.approx(1.5 * np.log(2), rel=1e-5)
        assert actual["loss"] == pytest.approx((1.8 if smoothing else 1.5) * np.log(2), rel=1e-5)
