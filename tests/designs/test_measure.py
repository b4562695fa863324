"""What a measurement records."""

from fifteen.ensembles.weights import FITS

import numpy as np
import pytest
from measure import combinations, cross_validated, scores


def test_each_image_is_judged_by_weights_that_it_did_not_decide():
    rng = np.random.default_rng(0)
    members = rng.dirichlet(np.ones(3), (50, 2))
    labels = rng.integers(0, 3, 50)
    seen = []

    def fit(inside, inside_labels):
        assert len(inside) == len(inside_labels) == 40
        seen.append({row.tobytes() for row in inside})
        return [1.0, 0.0]

    found = cross_validated(fit, members, labels)
    np.testing.assert_allclose(found, members[:, 0])
    assert len(seen) == 5
    # Each image is left out once.
    for row in members:
        assert sum(row.tobytes() in inside for inside in seen) == 4


def test_every_rule_answers():
    rng = np.random.default_rng(1)
    members = rng.dirichlet(np.ones(3), (50, 4)).astype(np.float32)
    found = combinations(members, rng.integers(0, 3, 50))
    assert set(found) == {"sum", "logits", "vote", *FITS}
    for shares in found.values():
        assert shares.shape == (50, 3)
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found["sum"], members.mean(axis=1), atol=1e-6)


def test_scores_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.2]], np.float32)
    found = scores(probabilities, np.array([0, 0, 1, 1]))
    # Three of four right, so that 0.75 is the best thing to say.
    assert found["accuracy"] == 0.75
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found["nll"] == pytest.approx(expected, abs=1e-4)
