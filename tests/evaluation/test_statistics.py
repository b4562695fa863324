import json
import math

from fifteen.evaluation.statistics import (
    compare,
    difference_of_shares,
    errors_beyond_chance,
    interval_over_images,
    interval_over_seeds,
    mcnemar_p,
    paired_difference,
    pooled_deviation,
    turned,
    verdict_beyond,
    verdict_of,
)

import numpy as np
import pytest


def outcomes(only_a, only_b, both=0, neither=0):
    """Which images a and b got right, given how many of each of the four kinds there are."""
    kinds = [(True, False), (False, True), (True, True), (False, False)]
    pairs = np.repeat(np.array(kinds), [only_a, only_b, both, neither], axis=0)
    np.random.default_rng(0).shuffle(pairs)
    return pairs[:, 0], pairs[:, 1]


@pytest.mark.parametrize(
    ("only_a", "only_b", "expected"),
    [
        (5, 0, 2 / 2**5),
        (1, 9, 2 * (1 + 10) / 2**10),
        (4, 4, 1.0),
        (12, 2, 0.0129),  # Armitage & Berry (1994), p. 127: two media for the same 50 specimens
        (1, 7, 0.0703),  # Bentur et al., in Fagerland et al., BMC Med. Res. Methodol. 13:91 (2013)
        (59, 121, 4.434e-6),
    ],
)
def test_mcnemar_textbook_values(only_a, only_b, expected):
    p = mcnemar_p(*outcomes(only_a, only_b, both=20, neither=16))
    assert p == pytest.approx(expected, rel=5e-3)
    assert p == mcnemar_p(*outcomes(only_b, only_a))  # two-sided; the concordant do not matter


def test_mcnemar_by_the_binomial_sum():
    rng = np.random.default_rng(0)
    for _ in range(50):
        only_a, only_b = (int(x) for x in rng.integers(0, 40, 2))
        n = only_a + only_b
        tail = sum(math.comb(n, k) for k in range(min(only_a, only_b) + 1)) / 2**n
        expected = min(1.0, 2 * tail)
        assert mcnemar_p(*outcomes(only_a, only_b, both=3)) == pytest.approx(expected)


def test_no_discordant_pair():
    same = outcomes(0, 0, both=30, neither=10)
    assert mcnemar_p(*same) == 1.0
    assert paired_difference(*same) == (0.0, (0.0, 0.0))
    assert compare(*same)["verdict"] == "same"


def test_interval_is_near_the_normal_approximation():
    for only_a, only_b, images in [(900, 700, 10_000), (300, 420, 2_000), (500, 500, 10_000)]:
        rest = images - only_a - only_b
        difference, (low, high) = paired_difference(*outcomes(only_a, only_b, both=rest))
        assert difference == pytest.approx((only_a - only_b) / images)
        spread = math.sqrt((only_a + only_b) / images - difference**2) / math.sqrt(images)
        assert low == pytest.approx(difference - 1.96 * spread, abs=0.1 * spread)
        assert high == pytest.approx(difference + 1.96 * spread, abs=0.1 * spread)


def test_multinomial_draws_are_resampled_images():
    a, b = outcomes(60, 35, both=200, neither=105)
    rng = np.random.default_rng(1)
    resampled = []
    for _ in range(10_000):
        images = rng.integers(0, len(a), len(a))
        resampled.append(a[images].mean() - b[images].mean())
    difference, (low, high) = paired_difference(a, b)
    # both ends carry the Monte Carlo error of 10,000 resamples: below 0.03 standard errors each
    tolerance = 4 * 0.03 * np.std(resampled)
    assert (low, high) == pytest.approx(np.quantile(resampled, [0.025, 0.975]), abs=tolerance)
    assert np.mean(resampled) == pytest.approx(difference, abs=tolerance)


def test_interval_depends_on_counts_and_seed_alone():
    a, b = outcomes(40, 30, both=100, neither=30)
    order = np.random.default_rng(5).permutation(len(a))
    assert paired_difference(a, b) == paired_difference(a[order], b[order])
    assert paired_difference(a, b) == paired_difference(a, b, resamples=10_000, seed=0)
    assert paired_difference(a, b, resamples=500) != paired_difference(a, b, resamples=500, seed=1)


def test_interval_holds_the_truth_95_times_in_100():
    # two models of which one is right on 60 % and the other on 55 % of all images, independently
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(400):
        a, b = rng.random(500) < 0.60, rng.random(500) < 0.55
        _, (low, high) = paired_difference(a, b, resamples=1_000, seed=seed)
        held += low <= 0.05 <= high
    assert 0.92 <= held / 400 <= 0.98


def test_interval_properties():
    rng = np.random.default_rng(0)
    for _ in range(30):
        images = int(rng.integers(1, 500))
        a, b = rng.random((2, images)) < rng.random((2, 1))
        difference, (low, high) = paired_difference(a, b, resamples=1_000)
        assert difference == pytest.approx(a.mean() - b.mean())
        assert -1 <= low <= difference <= high <= 1


def test_one_model_always_right_the_other_never():
    assert paired_difference(*outcomes(10, 0)) == (1.0, (1.0, 1.0))
    assert paired_difference(*outcomes(0, 10)) == (-1.0, (-1.0, -1.0))


@pytest.mark.parametrize(
    ("only_a", "only_b", "verdict"),
    [
        (900, 700, "better"),
        (700, 900, "worse"),
        (800, 790, "same"),
        (790, 800, "same"),
        (
            3,
            0,
            "same",
        ),  # a's lead is gone in 5 % of the resamples: the bound is 0, and 0 is included
    ],
)
def test_verdict(only_a, only_b, verdict):
    a, b = outcomes(only_a, only_b, both=10_000 - only_a - only_b)
    got = compare(a, b)
    difference, (low, high) = paired_difference(a, b)
    assert got == {
        "difference": difference,
        "ci95": [low, high],
        "mcnemar_p": mcnemar_p(a, b),
        "verdict": verdict,
    }
    assert (low <= 0 <= high) == (verdict == "same")


def test_bound_of_zero_is_exact():
    assert compare(*outcomes(3, 0, both=9_997))["ci95"][0] == 0.0


def test_verdict_and_mcnemar_agree_away_from_the_border():
    rng = np.random.default_rng(0)
    for _ in range(30):
        only_a, only_b = (int(x) for x in rng.integers(100, 400, 2))
        got = compare(*outcomes(only_a, only_b, both=2_000))
        if got["mcnemar_p"] < 0.04:
            assert got["verdict"] == ("better" if only_a > only_b else "worse")
        elif got["mcnemar_p"] > 0.07:
            assert got["verdict"] == "same"


def test_comparison_is_plain_json():
    got = compare(*outcomes(30, 10, both=50))
    assert json.loads(json.dumps(got, allow_nan=False)) == got
    numbers = [got["difference"], *got["ci95"], got["mcnemar_p"]]
    assert all(type(number) is float for number in numbers)
    assert type(got["verdict"]) is str


@pytest.mark.parametrize("function", [mcnemar_p, paired_difference, compare])
@pytest.mark.parametrize(
    ("correct_a", "correct_b", "message"),
    [
        (np.ones(3, bool), np.ones(4, bool), "correct_a has 3 images and correct_b 4"),
        (np.ones(3, bool), np.ones(3, int), r"correct_b must be booleans.*int64 of shape \(3,\)"),
        (np.ones((3, 1), bool), np.ones(3, bool), r"correct_a must be.*bool of shape \(3, 1\)"),
        (np.ones(0, bool), np.ones(0, bool), r"correct_a must be.*at least one.*\(0,\)"),
    ],
)
def test_refuses(function, correct_a, correct_b, message):
    with pytest.raises(ValueError, match=message):
        function(correct_a, correct_b)


def test_verdicts_by_interval_and_by_standard_errors():
    bounds = [(0.1, 0.2), (-0.2, -0.1), (-0.1, 0.1), (0.0, 0.1)]
    assert [verdict_of(*one) for one in bounds] == ["better", "worse", "same", "same"]
    differences = (0.021, -0.021, 0.02)
    assert [verdict_beyond(d, 0.01, 2) for d in differences] == ["better", "worse", "same"]


def test_a_comparison_turned_round_and_back_is_the_same():
    comparison = {"a": "x", "b": "y", "difference": 0.1, "ci95": [0.05, 0.2], "verdict": "better"}
    other = turned(comparison)
    assert other["ci95"] == [-0.2, -0.05]
    assert (other["a"], other["difference"], other["verdict"]) == ("y", -0.1, "worse")
    assert turned(other) == comparison


def test_a_difference_of_shares_by_hand():
    difference, error = difference_of_shares(0.6, 0.5, 100)
    assert difference == pytest.approx(0.1)
    assert error == pytest.approx(((0.24 + 0.25) / 100) ** 0.5)


def test_a_pooled_deviation_by_hand():
    # squares 2·1² and 2·2² with 1 degree of freedom each; a group of one adds nothing
    deviation, freedom = pooled_deviation([[1, 3], [5, 9], [4]])
    assert (deviation, freedom) == (pytest.approx(5**0.5), 2)
    assert pooled_deviation([[1], [2]]) == (None, 0)


def test_students_t_over_seeds_by_hand():
    assert errors_beyond_chance(14) == pytest.approx(2.1448, abs=1e-4)
    # mean 2, deviation 1, standard error 1/√3, t of 2 degrees of freedom 4.3027
    middle, low, high = interval_over_seeds([1, 2, 3])
    assert (middle, high) == (2, pytest.approx(2 + 4.3027 / 3**0.5, abs=1e-4))
    assert low == pytest.approx(4 - high)


def test_an_interval_over_images_takes_the_mean_over_seeds_first():
    a, b = np.array([[True] * 4, [True, True, False, False]]), np.array([[False] * 4] * 2)
    middle, low, high = interval_over_images(a, b)  # of 1, 1, 0.5, 0.5
    error = (4 * 0.25**2 / 3) ** 0.5 / 2
    assert (middle, high) == (0.75, pytest.approx(0.75 + 1.96 * error))
    assert low == pytest.approx(1.5 - high)
