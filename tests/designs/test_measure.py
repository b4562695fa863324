"""What a measurement records."""

import numpy as np
import pytest
from measure import scores


def test_scores_by_hand():
    probabilities = np.array([[0.8, 0.2], [0.8, 0.2], [0.2, 0.8], [0.8, 0.2]], np.float32)
    found = scores(probabilities, np.array([0, 0, 1, 1]))
    # Three of four right, so that 0.75 is the best thing to say.
    assert found["accuracy"] == 0.75
    expected = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    assert found["nll"] == pytest.approx(expected, abs=1e-4)
