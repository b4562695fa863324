from fifteen.evaluation.calibration import expected_calibration_error, reliability
from fifteen.inference.temperature import fit_temperature, with_temperature

import numpy as np
import pytest


def two_classes(confidences, correct, dtype=np.float64):
    """Probabilities with the given top-1 confidences (all > 0.5) for class 0, and the labels."""
    top = np.array(confidences, dtype=dtype)
    return np.stack([top, 1 - top], axis=1), np.where(correct, 0, 1)


def test_ece_by_hand():
    # Five bins. (0.4, 0.6]: 0.55 wrong. (0.6, 0.8]: 0.7 right, 0.8 wrong. (0.8, 1]: 0.9, 1 right.
    probabilities, labels = two_classes(
        [0.55, 0.7, 0.8, 0.9, 1.0], [False, True, False, True, True]
    )
    bins = reliability(probabilities, labels, bins=5)
    count, confidence, accuracy = bins.count, bins.confidence, bins.accuracy
    assert count.tolist() == [0, 0, 1, 2, 2]
    np.testing.assert_allclose(confidence, [np.nan, np.nan, 0.55, 0.75, 0.95])
    np.testing.assert_allclose(accuracy, [np.nan, np.nan, 0.0, 0.5, 1.0])
    by_hand = 1 / 5 * 0.55 + 2 / 5 * 0.25 + 2 / 5 * 0.05
    assert expected_calibration_error(probabilities, labels, bins=5) == pytest.approx(by_hand)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bins", [5, 10, 15])
def test_bins_are_closed_on_the_right(dtype, bins):
    # The top-1 confidences m/bins, for all m that leave room for smaller probabilities: each
    # belongs to bin m (index m - 1), and the next larger number to the bin after it.
    classes = 40
    for m in range(1, bins):
        edge = dtype(m / bins)
        above = np.nextafter(edge, dtype(1))
        top = np.array([edge, above], dtype=dtype)
        rest = np.repeat((1 - top)[:, np.newaxis] / (classes - 1), classes - 1, axis=1)
        probabilities = np.concatenate([top[:, np.newaxis], rest], axis=1).astype(dtype)
        count = reliability(probabilities, np.zeros(2, dtype=np.int32), bins).count
        assert np.flatnonzero(count).tolist() == [m - 1, m], m


def test_vote_shares_of_five_members_lie_on_the_edges():
    # float32(0.2) > 0.2: compared in float64 these would all slip into the next bin
    shares = np.array([[0.4, 0.2, 0.2, 0.2, 0], [0.6, 0.2, 0.2, 0, 0], [0.8, 0.2, 0, 0, 0]])
    count = reliability(shares.astype(np.float32), np.zeros(3, dtype=np.int32)).count
    assert np.flatnonzero(count).tolist() == [5, 8, 11]  # 6/15, 9/15, 12/15


def test_extremes():
    certain = np.eye(3)
    assert expected_calibration_error(certain, np.arange(3)) == 0  # confidence 1 is in the last bin
    assert expected_calibration_error(certain, np.array([1, 2, 0])) == 1
    assert reliability(certain, np.arange(3)).count.tolist() == [0] * 14 + [3]


def test_one_bin_is_the_gap_of_the_means():
    probabilities, labels = two_classes([0.6, 0.9], [True, False])
    assert expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(0.25)


def test_against_the_definition_in_a_loop():
    rng = np.random.default_rng(0)
    for _ in range(30):
        images, classes, bins = rng.integers(1, 200), rng.integers(2, 12), int(rng.integers(1, 20))
        probabilities = rng.dirichlet(np.full(classes, 0.5), images)
        labels = rng.integers(0, classes, images)
        confidence, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
        expected = 0.0
        for m in range(1, bins + 1):
            inside = (confidence > (m - 1) / bins) & (confidence <= m / bins)
            if inside.any():
                gap = np.mean(predicted[inside] == labels[inside]) - confidence[inside].mean()
                expected += inside.sum() / images * abs(gap)
        ece = expected_calibration_error(probabilities, labels, bins)
        assert ece == pytest.approx(expected, abs=1e-12)
        assert 0 <= ece <= 1
        assert reliability(probabilities, labels, bins).count.sum() == images


def test_labels_drawn_from_the_probabilities_are_calibrated():
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(4), 50_000)
    labels = (probabilities.cumsum(axis=1) < rng.random((50_000, 1))).sum(axis=1)
    assert expected_calibration_error(probabilities, labels) < 0.01
    overconfident = probabilities**3 / (probabilities**3).sum(axis=1, keepdims=True)
    assert expected_calibration_error(overconfident, labels) > 0.1


def test_with_temperature_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.5, 0.5]])
    softer = with_temperature(probabilities, 2.0)  # proportional to the square roots: 2 to 1
    np.testing.assert_allclose(softer, [[2 / 3, 1 / 3], [0.5, 0.5]])
    np.testing.assert_allclose(with_temperature(probabilities, 0.5)[0], [16 / 17, 1 / 17])
    np.testing.assert_allclose(with_temperature(probabilities, 1.0), probabilities)


def test_a_zero_stays_finite_and_the_answer_the_same():
    votes = np.array([[0.6, 0.4, 0.0]], np.float32)
    for temperature in (0.05, 1.0, 20.0):
        actual = with_temperature(votes, temperature)
        assert np.isfinite(actual).all()
        assert actual.argmax() == 0
        assert actual.sum() == pytest.approx(1)


def test_fitted_temperature_of_two_classes_by_hand():
    """Says 90 %, is right in 75 %: log-odds of log 9 must become log 3, so T = 2."""
    probabilities = np.tile([0.9, 0.1], (4, 1))
    assert fit_temperature(probabilities, np.array([0, 0, 0, 1])) == pytest.approx(2, rel=1e-4)


@pytest.mark.parametrize("power", [0.5, 1, 3])
def test_fitting_undoes_what_made_probabilities_too_sharp_or_too_soft(power):
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(4), 50_000)
    labels = (probabilities.cumsum(axis=1) < rng.random((50_000, 1))).sum(axis=1)
    changed = with_temperature(probabilities, 1 / power)
    temperature = fit_temperature(changed, labels)
    assert temperature == pytest.approx(power, rel=0.03)
    assert expected_calibration_error(with_temperature(changed, temperature), labels) < 0.01


def test_where_all_are_right_the_probabilities_stay_as_they_are():
    assert fit_temperature(np.array([[0.7, 0.3], [0.3, 0.7]]), np.array([0, 1])) == 1


def test_where_all_are_wrong_the_temperature_is_bounded():
    probabilities = np.array([[0.7, 0.3], [0.3, 0.7]])
    assert fit_temperature(probabilities, np.array([1, 0])) == pytest.approx(20, rel=1e-2)


def test_where_only_ties_are_wrong_the_temperature_is_bounded():
    probabilities = np.array([[0.5, 0.5], [0.3, 0.7]])
    assert fit_temperature(probabilities, np.array([1, 1])) == pytest.approx(0.05, rel=1e-2)
