import report

import numpy as np
import pytest


def test_intervals_of_classes_are_wilsons():
    # by hand: (k + z²/2 ± z √(k (n − k) / n + z²/4)) / (n + z²) with z = 1.96
    intervals = report.class_intervals(np.array([0.3, 0.0]), [10, 100])
    assert intervals == pytest.approx(np.array([[0.1078, 0.6032], [0.0, 0.0370]]), abs=1e-4)
