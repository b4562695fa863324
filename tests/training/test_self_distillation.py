from fifteen.training.losses import accuracy, cross_entropy
from fifteen.training.self_distillation import SelfDistillation, by_class

import keras
import numpy as np
import pytest
import tensorflow as tf

FIRST = np.array([[0.5, 0.25, 0.25], [0.125, 0.375, 0.5]], np.float32)
SECOND = np.array([[0.25, 0.5, 0.25], [0.5, 0.25, 0.25]], np.float32)
NUMBERED = np.array([[0, 3], [2, 1]], np.int32)  # image 3 of class 0, image 1 of class 2


def loss(distillation, numbered, probabilities):
    return np.asarray(distillation.loss(keras.ops.array(numbered), keras.ops.array(probabilities)))


def test_targets_by_hand():
    distillation = SelfDistillation(0.5, cross_entropy(), images=4, classes=3, epochs=4)
    distillation.on_epoch_begin(0)
    # Without answers the labels are the targets.
    np.testing.assert_allclose(loss(distillation, NUMBERED, FIRST), np.log(2) * np.ones(2))
    answers = np.asarray(distillation.answers)
    np.testing.assert_array_equal(answers, [[0] * 3, FIRST[1], [0] * 3, FIRST[0]])

    distillation.on_epoch_begin(2)  # α = 0.5 · 2/4, a quarter of the target
    actual = loss(distillation, NUMBERED[::-1], SECOND)
    # Image 1 now has the answer (1/4, 1/2, 1/4), after (1/8, 3/8, 1/2) and with label 2: its target
    # is (1/32, 3/32, 28/32). Image 3: (1/2, 1/4, 1/4) after (1/2, 1/4, 1/4) and with label 0.
    logs = np.log(2) * np.array([[2, 1, 2], [1, 2, 2]])
    targets = np.array([[1, 3, 4 + 24], [4 + 24, 2, 2]]) / 32
    np.testing.assert_allclose(actual, (targets * logs).sum(axis=1), rtol=1e-5)
    answers = np.asarray(distillation.answers)
    np.testing.assert_array_equal(answers, [[0] * 3, SECOND[0], [0] * 3, SECOND[1]])


def test_labels_are_smoothed_as_without_it():
    smoothed = cross_entropy(0.3)
    distillation = SelfDistillation(0.5, smoothed, images=4, classes=3, epochs=4)
    distillation.on_epoch_begin(0)
    expected = np.asarray(smoothed(NUMBERED[:, 0], FIRST))
    np.testing.assert_allclose(loss(distillation, NUMBERED, FIRST), expected, rtol=1e-6)


def test_images_without_numbers_leave_no_answers():
    distillation = SelfDistillation(0.5, cross_entropy(), images=4, classes=3, epochs=4)
    distillation.on_epoch_begin(3)
    actual = loss(distillation, NUMBERED[:, 0], FIRST)
    np.testing.assert_allclose(actual, np.log(2) * np.ones(2), rtol=1e-6)
    assert not np.asarray(distillation.answers).any()


def test_the_answers_are_no_way_for_gradients():
    """The gradient is that with constant targets."""
    distillation = SelfDistillation(0.5, cross_entropy(), images=4, classes=3, epochs=4)
    distillation.on_epoch_begin(0)
    loss(distillation, NUMBERED, FIRST)
    distillation.on_epoch_begin(2)
    logits = tf.Variable(np.log(SECOND))
    with tf.GradientTape() as tape:
        value = tf.reduce_sum(distillation.loss(tf.constant(NUMBERED), tf.nn.softmax(logits)))
    targets = 0.75 * np.eye(3)[NUMBERED[:, 0]] + 0.25 * FIRST
    np.testing.assert_allclose(tape.gradient(value, logits), SECOND - targets, atol=1e-6)


@pytest.mark.parametrize("labels", [NUMBERED, NUMBERED[:, 0], NUMBERED[:, :1]])
def test_metrics_see_the_class_alone(labels):
    actual = np.asarray(by_class(accuracy)(keras.ops.array(labels), keras.ops.array(FIRST)))
    np.testing.assert_array_equal(actual.ravel(), [1, 1])
    assert by_class(accuracy).__name__ == "accuracy"
