from fifteen.ensembling.rules import (
    RULES,
    logit_rule,
    sum_rule,
    tie_rate,
    vote_rule,
    votes,
    weighted_rule,
)

import numpy as np
import pytest

# Two images, three members, four classes. Image 1: two votes for class 1. Image 2: three classes
# with one vote each, of which class 2 has the largest sum; class 0, without a vote, sums to more.
MEMBERS = np.array(
    [
        [[0.0, 0.5, 0.25, 0.25], [0.375, 0.5, 0.125, 0.0], [0.0, 0.125, 0.875, 0.0]],
        [[0.375, 0.5, 0.0, 0.125], [0.375, 0.0, 0.5, 0.125], [0.375, 0.0, 0.125, 0.5]],
    ],
    np.float32,
)


def random_members(rng, images=50, members=5, classes=4, sixteenths=True):
    """Probabilities with many ties; in sixteenths every sum is exact."""
    if sixteenths:
        counts = rng.multinomial(16, np.full(classes, 1 / classes), (images, members))
        return (counts / 16).astype(np.float32)
    return rng.dirichlet(np.full(classes, 0.5), (images, members)).astype(np.float32)


def vote_answer(members):
    """The rule in words, for one image: most votes, then the largest sum, then the lowest index."""
    counts = [0] * members.shape[1]
    for row in members.tolist():
        counts[row.index(max(row))] += 1
    sums = members.astype(np.float64).sum(axis=0)
    return max(range(len(counts)), key=lambda c: (counts[c], sums[c], -c)), counts


def test_sum_by_hand():
    actual = np.asarray(sum_rule(MEMBERS))
    expected = [[0.125, 0.375, 1.25 / 3, 0.25 / 3], [0.375, 0.5 / 3, 0.625 / 3, 0.25]]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert actual.argmax(axis=1).tolist() == [2, 0]


def test_logits_by_hand():
    # Classes 0 and 1 have the products 0.5 · 0.2 · 0.1 = 0.01 and 0.5 · 0.8 · 0.9 = 0.36, whose
    # cube roots stand to each other as 1 to 36 ** (1/3).
    members = np.array([[[0.5, 0.5], [0.2, 0.8], [0.1, 0.9]]], np.float32)
    ratio = 36 ** (1 / 3)
    expected = [[1 / (1 + ratio), ratio / (1 + ratio)]]
    np.testing.assert_allclose(np.asarray(logit_rule(members)), expected, rtol=1e-5)


def test_one_member_that_rules_a_class_out_outweighs_the_others():
    members = np.array([[[0.6, 0.4], [0.6, 0.4], [0.0, 1.0]]], np.float32)
    assert np.asarray(logit_rule(members)).argmax() == 1
    assert np.isfinite(np.asarray(logit_rule(members))).all()


def test_weights_by_hand():
    actual = np.asarray(weighted_rule(MEMBERS, [0.5, 0.0, 0.5]))
    expected = [[0, 0.3125, 0.5625, 0.125], [0.375, 0.25, 0.0625, 0.3125]]
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


def test_votes_by_hand():
    assert np.asarray(votes(MEMBERS)).tolist() == [[0, 2, 1, 0], [0, 1, 1, 1]]


def test_a_member_with_two_favourites_votes_for_the_first():
    members = np.array([[[0.0, 0.5, 0.5], [0.25, 0.25, 0.5]]], np.float32)
    assert np.asarray(votes(members)).tolist() == [[0, 1, 1]]


def test_vote_by_hand():
    actual = np.asarray(vote_rule(MEMBERS))
    expected = [[0, 2 / 3, 1 / 3, 0], [0, 1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(actual, expected, atol=5e-5)
    # Image 2: among the tied classes 1, 2, 3 the sums are 0.5, 0.625, 0.75.
    assert actual.argmax(axis=1).tolist() == [1, 3]


def test_a_tie_of_sums_too_goes_to_the_lowest_index():
    one, two = [0.0, 0.625, 0.375], [0.0, 0.375, 0.625]
    members = np.array([[one, two], [two, one]], np.float32)
    assert np.asarray(vote_rule(members)).argmax(axis=1).tolist() == [1, 1]


def test_a_majority_beats_any_sum():
    members = np.array([[[0.51, 0.49], [0.51, 0.49], [0.0, 1.0]]], np.float32)
    assert np.asarray(vote_rule(members)).argmax() == 0
    assert np.asarray(sum_rule(members)).argmax() == 1


def test_tie_rate_by_hand():
    assert tie_rate(MEMBERS) == 0.5
    assert tie_rate(MEMBERS[:1]) == 0
    assert tie_rate(MEMBERS[1:]) == 1
    unanimous = np.repeat(MEMBERS[:, :1], 3, axis=1)
    assert tie_rate(unanimous) == 0
    # A tie below the lead is none: votes 2, 2, 1 are one, votes 3, 1, 1 are not.
    favourites = np.eye(3, dtype=np.float32)
    assert tie_rate(favourites[[[0, 0, 1, 1, 2]]]) == 1
    assert tie_rate(favourites[[[0, 0, 0, 1, 2]]]) == 0


@pytest.mark.parametrize("method", sorted(RULES))
@pytest.mark.parametrize("members", [2, 3, 5, 100])
def test_shares(method, members):
    rng = np.random.default_rng(members)
    given = random_members(rng, members=members, sixteenths=False)
    actual = np.asarray(RULES[method](given))
    assert actual.dtype == np.float32
    assert actual.shape == (50, 4)
    assert (actual >= 0).all()
    np.testing.assert_allclose(actual.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("members", [2, 3, 4, 5, 6, 100])
def test_the_largest_share_is_the_answer_of_the_vote(members):
    rng = np.random.default_rng(members)
    given = random_members(rng, 300, members)
    actual = np.asarray(vote_rule(given))
    answers, counts = zip(*map(vote_answer, given), strict=True)
    np.testing.assert_array_equal(actual.argmax(axis=1), answers)
    np.testing.assert_allclose(actual, np.array(counts) / members, atol=1e-4)
    tied = [sorted(count)[-1] == sorted(count)[-2] for count in counts]
    assert tie_rate(given) == pytest.approx(np.mean(tied))
    assert 0 < np.mean(tied) < 1
    # No other class comes equally close.
    ordered = np.sort(actual, axis=1)
    assert (ordered[:, -1] > ordered[:, -2]).all()


@pytest.mark.parametrize("method", sorted(RULES))
def test_the_order_of_the_members_does_not_matter(method):
    rng = np.random.default_rng(0)
    given = random_members(rng, 200)
    expected = np.asarray(RULES[method](given))
    for _ in range(5):
        shuffled = given[:, rng.permutation(5)]
        np.testing.assert_allclose(np.asarray(RULES[method](shuffled)), expected, rtol=1e-5)
        assert tie_rate(shuffled) == tie_rate(given)


@pytest.mark.parametrize("method", sorted(RULES))
def test_equal_members_answer_as_one(method):
    one = random_members(np.random.default_rng(1), members=1, sixteenths=False)
    actual = np.asarray(RULES[method](np.repeat(one, 5, axis=1)))
    np.testing.assert_array_equal(actual.argmax(axis=1), one[:, 0].argmax(axis=1))
