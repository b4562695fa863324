from fifteen.common.nested import flatten


def test_flatten():
    assert flatten({"a": 1, "b": {"c": {"d": 2}, "e": [3]}}) == {"a": 1, "b.c.d": 2, "b.e": [3]}
