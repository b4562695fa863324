from fifteen.evaluation.diversity import diversity

import numpy as np
import pytest

LABELS = np.array([0, 0, 1, 1])
ANSWERS = np.array([[0, 0, 1], [0, 1, 1], [1, 0, 1], [0, 0, 0]])  # (images, members)
SURE = np.array([0.6, 0.7, 0.75])


def probabilities(answers, sure):
    """Two classes; each member gives its answer as much as it is `sure`."""
    actual = np.where(answers[..., None] == np.arange(2), sure[:, None], 1 - sure[:, None])
    return actual.astype(np.float32)


MEMBERS = probabilities(ANSWERS, SURE)
COMBINED = np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])  # all right


@pytest.fixture(scope="module")
def actual():
    return diversity(MEMBERS, COMBINED, LABELS)


def test_disagreement_by_hand(actual):
    # Members 1 and 2 differ on images 2 and 3; 1 and 3 on 1 and 2; 2 and 3 on 1 and 3.
    np.testing.assert_array_equal(actual.disagreement, (1 - np.eye(3)) / 2)


def test_correlation_of_errors_by_hand(actual):
    # Wrong: member 1 on image 4, member 2 on 2, 3 and 4, member 3 on 1, 2 and 4.
    wrong = np.array([[0, 0, 1], [0, 1, 1], [0, 1, 0], [1, 1, 1]])
    np.testing.assert_array_equal(LABELS[:, None] != ANSWERS, wrong)
    # All variances are 3/16. Covariance of 1 and 2: 1/4 − 1/4 · 3/4; of 2 and 3: 2/4 − 9/16.
    expected = [[1, 1 / 3, 1 / 3], [1 / 3, 1, -1 / 3], [1 / 3, -1 / 3, 1]]
    np.testing.assert_allclose(actual.error_correlation, expected, atol=1e-12)


def test_the_last_members_together_by_hand(actual):
    # The last is right for image 3 alone. With the second, image 1 has 0.7 + 0.25 for the right
    # class against 0.3 + 0.75, image 3 has 0.3 + 0.75 against 0.7 + 0.25: still only image 3. With
    # the first too, image 1 has 0.7 + 0.25 + 0.6 of 3: right.
    np.testing.assert_allclose(actual.accuracy_of_last, [0.25, 0.25, 0.5])


def test_classes_by_hand(actual):
    # Class 0: the members are right for 2, 1 and 0 of 2 images; class 1: for 1, 0 and 1.
    np.testing.assert_allclose(actual.class_accuracy, [0.5, 1 / 3])
    np.testing.assert_allclose(actual.class_gain, [0.5, 2 / 3])
    assert actual.gain_of_best == pytest.approx(0.5)
    assert actual.gain_of_worst == pytest.approx(2 / 3)


def test_the_ten_worst_and_the_ten_best_of_thirty_classes():
    labels = np.repeat(np.arange(30), 30)
    number = np.tile(np.arange(30), 30)  # of an image in its class
    # The members know n images of class n, the ensemble all of the first twelve classes.
    members = np.eye(30)[np.where(number < labels, labels, (labels + 1) % 30)]
    combined = np.eye(30)[np.where(labels < 12, labels, (labels + 1) % 30)]
    actual = diversity(members[:, None].repeat(2, axis=1), combined, labels)
    np.testing.assert_allclose(actual.class_accuracy, np.arange(30) / 30)
    assert actual.gain_of_worst == pytest.approx(1 - 4.5 / 30)
    assert actual.gain_of_best == pytest.approx(-24.5 / 30)


def test_equal_members_are_alike():
    same = diversity(MEMBERS[:, [1, 1]], MEMBERS[:, 1], LABELS)
    np.testing.assert_array_equal(same.disagreement, np.zeros((2, 2)))
    np.testing.assert_allclose(same.error_correlation, np.ones((2, 2)))
    assert not same.class_gain.any()


def test_a_member_without_errors_correlates_with_none():
    perfect = diversity(COMBINED[:, None].repeat(2, axis=1), COMBINED, LABELS)
    assert not perfect.error_correlation.any()
