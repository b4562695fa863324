from fifteen.ensembling.member_weights import (
    FITS,
    by_every_rule,
    cross_validated,
    fit_weights,
    folds,
    likeliest_weights,
    select_greedily,
)

import numpy as np
import pytest


def members_of(right):
    """Predictions for three classes that give the true class, 0, the probabilities `right`."""
    right = np.asarray(right, np.float32)[..., None]  # (N, M, 1)
    rest = (1 - right) / 2
    return np.concatenate([right, rest, rest], axis=-1), np.zeros(len(right), np.int32)


def test_the_likeliest_weights_are_the_shares_in_which_each_member_is_right():
    right = np.repeat([[1.0, 1e-7], [1e-7, 1.0]], [30, 10], axis=0)
    np.testing.assert_allclose(likeliest_weights(right), [0.75, 0.25], atol=1e-4)


def test_no_other_weights_are_likelier():
    rng = np.random.default_rng(0)
    right = rng.uniform(0.05, 0.95, (300, 3)) * [1.0, 0.8, 0.6]
    best = np.log(right @ likeliest_weights(right)).mean()
    others = np.log(right @ rng.dirichlet(np.ones(3), 200).T).mean(axis=0)
    assert best >= others.max() - 1e-6


def test_many_images_justify_unequal_weights():
    members, labels = members_of(np.repeat([[0.9, 0.1], [0.1, 0.9]], [900, 300], axis=0))
    # Concave in w: 0.75 / (w + 1/8) = 0.25 / (9/8 - w) gives w = 0.8125.
    np.testing.assert_allclose(fit_weights(members, labels), [0.8125, 0.1875], atol=0.02)


def test_few_images_without_a_difference_leave_the_weights_nearly_equal():
    rng = np.random.default_rng(3)
    distances = []
    for _ in range(20):
        members, labels = members_of(rng.uniform(0.05, 0.95, (30, 4)))
        fitted = fit_weights(members, labels)
        likeliest = likeliest_weights(members[:, :, 0].astype(np.float64))
        distances.append([np.abs(w - 0.25).max() for w in (fitted, likeliest)])
    fitted, likeliest = np.mean(distances, axis=0)
    assert fitted < likeliest / 2


def test_too_few_images_for_the_folds():
    with pytest.raises(ValueError, match=r"4 images .* 5 folds"):
        fit_weights(*members_of(np.full((4, 2), 0.5)))


def test_each_image_is_held_out_once():
    held_out = np.stack(list(folds(12)))
    np.testing.assert_array_equal(held_out.sum(axis=0), np.ones(12))
    assert sorted(held_out.sum(axis=1)) == [2, 2, 2, 3, 3]


def test_what_is_cross_validated_has_not_seen_its_own_images():
    rng = np.random.default_rng(0)
    members, labels = rng.dirichlet(np.ones(3), (20, 2)).astype(np.float32), np.arange(20)
    fitted_on = []

    def second_member(inside, labels):
        fitted_on.append(labels)
        return np.array([0.0, 1.0])

    actual = cross_validated(second_member, members, labels)
    np.testing.assert_allclose(actual, members[:, 1], rtol=1e-6)
    assert all(len(labels) == 16 for labels in fitted_on)
    assert all(sum(n in seen for seen in fitted_on) == 4 for n in labels)


def test_every_rule_answers():
    rng = np.random.default_rng(1)
    members = rng.dirichlet(np.ones(3), (50, 4)).astype(np.float32)
    labels = rng.integers(0, 3, 50)
    actual = by_every_rule(members, labels)
    assert list(actual) == ["sum", "logits", "vote", *FITS]
    for shares in actual.values():
        assert shares.shape == (50, 3)
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(actual["sum"], members.mean(axis=1), atol=1e-6)
    for name, fit in FITS.items():
        np.testing.assert_array_equal(actual[name], cross_validated(fit, members, labels))


def test_greedy_selection_by_hand():
    # The third member is the best alone (0.92 nats), with the first it is better (0.91), with both
    # 0.76; a fourth choice of any lowers it no more.
    members, labels = members_of([[0.9, 0.1, 0.4], [0.1, 0.9, 0.4]])
    np.testing.assert_allclose(select_greedily(members, labels), [1 / 3, 1 / 3, 1 / 3])


def test_greedy_selection_leaves_a_bad_member_out():
    members, labels = members_of([[0.8, 0.6, 0.1], [0.6, 0.8, 0.1]])
    np.testing.assert_allclose(select_greedily(members, labels), [0.5, 0.5, 0.0])


@pytest.mark.parametrize("method", sorted(FITS))
def test_weights_are_shares(method):
    rng = np.random.default_rng(1)
    members = rng.dirichlet(np.full(5, 0.3), (200, 4)).astype(np.float32)
    weights = FITS[method](members, rng.integers(0, 5, 200))
    assert weights.shape == (4,)
    assert (weights >= 0).all()
    assert weights.sum() == pytest.approx(1)
    order = [2, 0, 3, 1]
    labels = rng.integers(0, 5, 200)
    turned = FITS[method](members[:, order], labels)
    np.testing.assert_allclose(turned, FITS[method](members, labels)[order], atol=1e-6)
