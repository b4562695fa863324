from fifteen.evaluation.packing import packed, unpacked

import numpy as np
import pytest


@pytest.mark.parametrize("count", [1, 7, 8, 1001])
def test_packed_booleans_come_back(count):
    right = np.random.default_rng(0).random(count) < 0.5
    np.testing.assert_array_equal(unpacked(packed(right)), right)
