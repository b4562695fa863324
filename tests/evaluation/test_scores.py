import json
import math

from fifteen.evaluation import scores as metrics
from fifteen.evaluation.calibration import expected_calibration_error

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

# Four images, three classes. Top-1: 0 (right), 1 (right), 0 (wrong, truth second), 1 (wrong, last).
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.2, 0.3], [0.4, 0.5, 0.1]])
LABELS = np.array([0, 1, 2, 2], dtype=np.int32)


def random_predictions(rng):
    """Probabilities, labels and class count of a random problem in which all classes occur."""
    classes = int(rng.integers(3, 12))
    images = int(rng.integers(classes, 200))
    probabilities = rng.dirichlet(np.full(classes, 0.3), images).astype(np.float32)
    labels = rng.permutation(np.arange(images) % classes).astype(np.int32)
    return probabilities, labels, classes


def test_accuracy_by_hand():
    assert metrics.accuracy(np.array([0, 1, 0, 1]), LABELS) == 0.5


def test_top_k_accuracy_by_hand():
    assert metrics.top_k_accuracy(PROBABILITIES, LABELS, 1) == 0.5
    assert metrics.top_k_accuracy(PROBABILITIES, LABELS, 2) == 0.75
    assert metrics.top_k_accuracy(PROBABILITIES, LABELS, 3) == 1.0
    assert metrics.top_k_accuracy(PROBABILITIES, LABELS, 5) == 1.0  # more than there are classes


def test_top_k_accuracy_ranks_equal_probabilities_by_class_id():
    vote = np.array([[0.0, 0.4, 0.4, 0.2, 0.0]], dtype=np.float32)
    for rank, label in enumerate([1, 2, 3, 0, 4], start=1):
        hits = [metrics.top_k_accuracy(vote, np.array([label]), k) for k in range(1, 6)]
        assert hits == [float(k >= rank) for k in range(1, 6)]


def test_top_k_accuracy_agrees_with_sklearn_where_nothing_is_tied():
    rng = np.random.default_rng(0)
    for _ in range(30):
        probabilities, labels, classes = random_predictions(rng)
        if any(len(np.unique(row)) < classes for row in probabilities):
            continue  # underflow to equal zeros
        for k in range(1, classes):
            expected = sklearn_metrics.top_k_accuracy_score(labels, probabilities, k=k)
            assert metrics.top_k_accuracy(probabilities, labels, k) == pytest.approx(expected)


def test_negative_log_likelihood_by_hand():
    by_hand = -(math.log(0.7) + math.log(0.8) + math.log(0.3) + math.log(0.1)) / 4
    assert metrics.negative_log_likelihood(PROBABILITIES, LABELS) == pytest.approx(by_hand)
    uniform = np.full((3, 100), 0.01)
    assert metrics.negative_log_likelihood(uniform, np.arange(3)) == pytest.approx(math.log(100))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_negative_log_likelihood_is_clipped_at_both_ends(dtype):
    certain = np.eye(2, dtype=dtype)
    wrong = metrics.negative_log_likelihood(certain, np.array([1, 0]))
    right = metrics.negative_log_likelihood(certain, np.array([0, 1]))
    assert wrong == pytest.approx(7 * math.log(10))  # 16.118
    assert right == pytest.approx(1e-7, rel=1e-6)


def test_negative_log_likelihood_agrees_with_sklearn():
    rng = np.random.default_rng(0)
    for _ in range(30):
        probabilities, labels, classes = random_predictions(rng)
        probabilities = probabilities.astype(np.float64) + 0.01  # away from the clipping
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        expected = sklearn_metrics.log_loss(labels, probabilities, labels=np.arange(classes))
        got = metrics.negative_log_likelihood(probabilities, labels)
        assert got == pytest.approx(expected)


def test_per_class_accuracy_by_hand():
    got = metrics.per_class_accuracy(np.array([0, 1, 0, 1, 2]), np.array([0, 1, 2, 2, 2]), 4)
    np.testing.assert_allclose(got, [1, 1, 1 / 3, np.nan])


def test_per_class_accuracy_is_recall():
    rng = np.random.default_rng(0)
    for _ in range(30):
        probabilities, labels, classes = random_predictions(rng)
        predicted = probabilities.argmax(axis=1)
        got = metrics.per_class_accuracy(predicted, labels, classes)
        expected = sklearn_metrics.recall_score(labels, predicted, average=None)
        np.testing.assert_allclose(got, expected)
        weighted = np.average(got, weights=np.bincount(labels))
        assert weighted == pytest.approx(metrics.accuracy(predicted, labels))


def test_superclass_accuracy_by_hand():
    predicted, labels = np.array([0, 1, 2, 3]), np.array([0, 0, 0, 2])
    assert metrics.superclass_accuracy(predicted, labels, [7, 7, 3, 3]) == 0.75
    assert metrics.superclass_accuracy(predicted, labels, [0, 1, 2, 3]) == 0.25  # plain accuracy


@pytest.mark.parametrize(
    ("successes", "total", "expected"),
    [
        (7500, 10_000, (0.741, 0.758)),
        (4507, 10_000, (0.441, 0.460)),
        # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_interval_published(successes, total, expected):
    digits = 3 if total == 10_000 else 4
    assert tuple(round(x, digits) for x in metrics.wilson_interval(successes, total)) == expected


def test_wilson_interval_by_formula():
    z = 1.959963984540054
    for n in (1, 7, 10_000):
        # at the ends one bound is the end itself, the other z^2 / (n + z^2) away
        reach = z**2 / (n + z**2)
        assert metrics.wilson_interval(0, n) == pytest.approx((0, reach))
        assert metrics.wilson_interval(n, n) == pytest.approx((1 - reach, 1))
    rng = np.random.default_rng(0)
    for _ in range(30):
        n = int(rng.integers(1, 5000))
        k = int(rng.integers(0, n + 1))
        p = k / n
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        low, high = metrics.wilson_interval(k, n)
        assert (low, high) == pytest.approx((middle - half, middle + half), abs=1e-12)
        assert 0 <= low <= p <= high <= 1


def test_summarize_by_hand():
    got = metrics.summarize(PROBABILITIES, LABELS, ["cat", "dog", "cup"], superclass_of=[0, 0, 1])
    ece = (0.3 + 0.2 + abs(0 - 0.5) * 2) / 4  # 0.7 and 0.8 right; two of 0.5 in one bin, both wrong
    assert got == {
        "accuracy": 0.5,
        "accuracy_ci95": pytest.approx([0.1500, 0.8500], abs=1e-4),
        "top5_accuracy": 1.0,
        "nll": pytest.approx(-math.log(0.7 * 0.8 * 0.3 * 0.1) / 4),
        "ece": pytest.approx(ece),
        "superclass_accuracy": 0.5,
        "best_class": {"id": 0, "name": "cat", "accuracy": 1.0},  # as good as "dog", lower id
        "worst_class": {"id": 2, "name": "cup", "accuracy": 0.0},
        "confused_pairs": [
            {"true": "cup", "predicted": "cat", "count": 1},
            {"true": "cup", "predicted": "dog", "count": 1},
        ],
    }


def test_summarize_is_plain_json():
    def check(value):
        assert type(value) in (float, int, str, list, dict)
        for child in (
            value.values() if type(value) is dict else value if type(value) is list else []
        ):
            check(child)

    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(100), 500).astype(np.float32)
    labels = rng.integers(0, 99, 500).astype(np.int32)  # class 99 has no images
    names = [f"class {i}" for i in range(100)]
    got = metrics.summarize(probabilities, labels, names, np.arange(100) // 5)
    check(got)
    assert json.loads(json.dumps(got, allow_nan=False)) == got
    assert len(got["confused_pairs"]) == 20


def test_summarize_without_superclasses():
    got = metrics.summarize(PROBABILITIES, LABELS, ["a", "b", "c"], superclass_of=None)
    assert "superclass_accuracy" not in got


def test_summarize_breaks_ties_by_lowest_id_and_skips_classes_without_images():
    # class 0 has no images; 1 and 3 are always right, 2 and 4 always wrong
    probabilities = np.eye(5)[[1, 1, 3, 3]]
    got = metrics.summarize(probabilities, np.array([1, 2, 3, 4]), list("abcde"), None)
    assert got["best_class"] == {"id": 1, "name": "b", "accuracy": 1.0}
    assert got["worst_class"] == {"id": 2, "name": "c", "accuracy": 0.0}


def test_summarize_of_random_predictions_holds_together():
    rng = np.random.default_rng(0)
    for _ in range(30):
        probabilities, labels, classes = random_predictions(rng)
        names = [str(i) for i in range(classes)]
        got = metrics.summarize(probabilities, labels, names, np.arange(classes) // 2)
        low, high = got["accuracy_ci95"]
        assert 0 <= low <= got["accuracy"] <= high <= 1
        assert got["accuracy"] <= got["top5_accuracy"] <= 1
        assert got["accuracy"] <= got["superclass_accuracy"] <= 1
        assert got["top5_accuracy"] == metrics.top_k_accuracy(probabilities, labels, 5)
        assert got["ece"] == expected_calibration_error(probabilities, labels, bins=15)
        assert 0 < got["nll"] <= -math.log(1e-7)
        worst, best = got["worst_class"]["accuracy"], got["best_class"]["accuracy"]
        assert worst <= got["accuracy"] <= best

        order = rng.permutation(len(labels))  # the order of the images says nothing
        shuffled = metrics.summarize(
            probabilities[order], labels[order], names, np.arange(classes) // 2
        )
        for key in got:
            if key in ("nll", "ece"):
                assert shuffled[key] == pytest.approx(got[key])
            else:
                assert shuffled[key] == got[key]


def test_summarize_takes_low_precision_probabilities():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(10), 200).astype(np.float16)
    metrics.summarize(probabilities, np.arange(200) % 10, list("abcdefghij"), None)


def changed(row, column, value):
    probabilities = PROBABILITIES.copy()
    probabilities[row, column] = value
    return probabilities


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"probabilities": PROBABILITIES[0]}, r"probabilities must have shape.*\(3,\)"),
        ({"probabilities": PROBABILITIES[:0], "labels": LABELS[:0]}, r"neither 0.*\(0, 3\)"),
        ({"labels": LABELS[:3]}, r"labels must have shape \(4,\).*\(3,\)"),
        ({"labels": LABELS[:, np.newaxis]}, r"labels must have shape \(4,\).*\(4, 1\)"),
        ({"labels": LABELS.astype(np.float32)}, "labels must be integers; they are float32"),
        ({"labels": np.array([0, 1, 3, 2])}, r"label 3 of image 2 is not in 0\.\.2"),
        ({"labels": np.array([0, -1, 2, 2])}, r"label -1 of image 1 is not in 0\.\.2"),
        ({"names": ["a", "b"]}, "2 names for 3 columns"),
        ({"superclass_of": [0, 0, 1, 1]}, "superclass_of has 4 entries for 3 columns"),
        ({"probabilities": changed(1, 2, np.nan)}, "image 1, class 2 is nan"),
        ({"probabilities": changed(3, 0, np.inf)}, "image 3, class 0 is inf"),
        ({"probabilities": changed(2, 1, -0.2)}, "image 2, class 1 is -0.2"),
        ({"probabilities": changed(0, 0, 0.702)}, "image 0 sum to 1.002, not to 1"),
        ({"probabilities": np.log(PROBABILITIES)}, "image 0, class 0 is -0.35"),  # logits
    ],
)
def test_summarize_refuses(arguments, message):
    good = {
        "probabilities": PROBABILITIES,
        "labels": LABELS,
        "names": ["a", "b", "c"],
        "superclass_of": [0, 0, 1],
    }
    with pytest.raises(ValueError, match=message):
        metrics.summarize(**good | arguments)


def test_summarize_allows_sums_within_a_thousandth():
    metrics.summarize(changed(0, 0, 0.7009), LABELS, ["a", "b", "c"], None)


def test_calibrated_scores_by_hand():
    """With T = 2 the probabilities 0.8 and 0.2 become 2/3 and 1/3."""
    probabilities, labels = np.tile([0.8, 0.2], (3, 1)), np.array([0, 0, 1])
    scores = metrics.calibrated_scores(probabilities, labels, 2.0)
    assert scores["calibrated_nll"] == pytest.approx(-(2 * np.log(2 / 3) + np.log(1 / 3)) / 3)
    assert scores["calibrated_ece"] == pytest.approx(0, abs=1e-12)
