from fifteen.evaluation.packing import packed, unpacked

import numpy as np
from hypothesis import given
from hypothesis import strategies as st


def test_packed_by_hand():
    assert packed(np.array([True, False, False, False, False, False, True, True, True])) == "9:g4A="


@given(st.lists(st.booleans(), max_size=40))
def test_nothing_is_lost(right):
    assert unpacked(packed(np.array(right, bool))).tolist() == right
