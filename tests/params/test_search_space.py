import math
from pathlib import Path

from fifteen.params.search_space import Dimension, dimensions, merge, probes, size, with_values
from fifteen.params.sections import Training

import pytest
from ruamel.yaml import YAML

PARAMS = Path(__file__).parents[2] / "params.yaml"
SPACE = {
    "network": {
        "name": "convnet",
        "slope": {"low": 0.1, "high": 0.3, "when": {"activation": "leaky_relu"}},
        "activation": ["relu", "leaky_relu"],
        "units": {"choice": [256, 512]},
    },
    "schedule": {"peak": {"low": 0.001, "high": 0.1, "sampling": "log"}},
    "factors": [[1, 1.0], [7, 0.1]],
    "flip": [False, True],
    "batch_size": 128,
}


@pytest.fixture(scope="module")
def committed():
    raw = YAML(typ="safe").load(PARAMS.read_text(encoding="utf-8"))
    return raw["searches"]["tuned"]["space"]


def test_dimensions_in_their_order_the_conditional_last():
    assert dimensions(SPACE) == [
        Dimension(("network", "activation"), ("relu", "leaky_relu")),
        Dimension(("network", "units"), (256, 512)),
        Dimension(("schedule", "peak"), (), 0.001, 0.1, "log"),
        Dimension(("flip",), (False, True)),
        Dimension(
            ("network", "slope"),
            (),
            0.1,
            0.3,
            parent=("network", "activation"),
            parent_values=("leaky_relu",),
        ),
    ]


def test_what_is_not_searched_is_no_dimension():
    assert dimensions({"a": 1, "b": {"c": "x"}, "d": [[1, 2]], "e": None, "f": {}}) == []


def test_a_list_is_short_for_a_choice():
    assert dimensions({"x": [1, 2]}) == dimensions({"x": {"choice": [1, 2]}})


@pytest.mark.parametrize(
    ("low", "high", "kind"), [(1, 5, int), (1, 5.0, float), (1.0, 5, float), (0.5, 1.5, float)]
)
def test_whole_bounds_make_a_whole_range(low, high, kind):
    (found,) = dimensions({"x": {"low": low, "high": high}})
    assert found.extremes() == (low, high)
    assert [type(value) for value in found.extremes()] == [kind, kind]
    assert found.sampling == "linear"


def test_whole_and_other_numbers_make_a_choice_of_floats():
    (found,) = dimensions({"x": [0, 0.5, 1]})
    assert [(type(value), value) for value in found.values] == [(float, v) for v in (0, 0.5, 1)]


def test_a_condition_on_one_of_several_values():
    space = {"a": [1, 2, 3], "b": {"choice": ["x", "y"], "when": {"a": [2, 3]}}}
    child = dimensions(space)[1]
    assert (child.parent, child.parent_values) == (("a",), (2, 3))


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        ({"a": ["p", "q", "r"]}, (("a",), ("q", "r"))),
        ({"a": ["p", "r"]}, (("a",), ("r",))),  # fewer choices than the condition names
        ({"a": "q"}, (None, ())),  # it always holds
        ({"a": "p"}, "not searched"),
        ({"a": ["p"]}, "not searched"),
        ({}, "not searched"),
        ({"b": {"a": ["q"]}}, "not searched"),  # the condition is on a key beside, not below
        ({"a": {"name": "q", "b": 1}}, (None, ())),  # for which `a: q` is short
        ({"a": {"name": "p"}}, "not searched"),
        ({"a": {"name": ["p", "q"]}}, (("a", "name"), ("q",))),
    ],
)
def test_a_condition_on_what_is_narrowed_fixed_or_absent(parent, expected):
    child = {"low": 1, "high": 2, "when": {"a": ["q", "r"]}}
    found = {d.name: (d.parent, d.parent_values) for d in dimensions(parent | {"x": child})}
    assert found.get("x", "not searched") == expected


def test_probes_have_every_value_of_a_condition():
    """So that a misspelt one cannot pass for one that never holds."""
    child = {"low": 1, "high": 2, "when": {"a": ["q", "typo"]}}
    sections = list(probes({"network": {"a": ["p", "q"], "x": child}}))
    assert {"network": {"a": "typo"}} in sections
    assert {"network": {"a": "q"}} in sections


def test_descriptions():
    found = {d.name: d.describe() for d in dimensions(SPACE)}
    assert found["network.units"] == {"name": "network.units", "values": [256, 512]}
    assert found["schedule.peak"] == {
        "name": "schedule.peak", "low": 0.001, "high": 0.1, "sampling": "log",
    }  # fmt: skip
    assert found["network.slope"]["when"] == {"network.activation": ["leaky_relu"]}


def test_with_values():
    values = {"network.activation": "relu", "network.units": 256, "schedule.peak": 0.5}
    assert with_values(SPACE, values | {"flip": False}) == {
        "network": {"name": "convnet", "activation": "relu", "units": 256},  # no slope
        "schedule": {"peak": 0.5},
        "factors": [[1, 1.0], [7, 0.1]],
        "flip": False,
        "batch_size": 128,
    }
    leaky = with_values(SPACE, values | {"network.activation": "leaky_relu", "network.slope": 0.2})
    assert leaky["network"]["slope"] == 0.2


def test_with_values_leaves_the_space_alone(committed):
    before = repr(committed)
    list(probes(committed))
    assert repr(committed) == before


def test_the_first_probe_has_the_first_of_everything():
    assert next(probes(SPACE)) == {
        "network": {"name": "convnet", "activation": "relu", "units": 256},
        "schedule": {"peak": 0.001},
        "factors": [[1, 1.0], [7, 0.1]],
        "flip": False,
        "batch_size": 128,
    }


@pytest.mark.parametrize("which", ["small", "committed"])
def test_probes_cover_every_extreme_under_its_condition(which, committed):
    def at(node, path):
        for key in path:
            if key not in node:
                return None
            node = node[key]
        return node

    space = SPACE if which == "small" else committed
    found = list(probes(space))
    for dimension in dimensions(space):
        for value in dimension.extremes():
            having = [section for section in found if at(section, dimension.path) == value]
            assert having, (dimension.name, value)
            if dimension.parent:
                assert {at(s, dimension.parent) for s in having} <= set(dimension.parent_values)


def test_a_child_is_probed_under_a_value_that_is_not_its_parent_s_first():
    space = {"a": [1, 2, 3], "b": {"choice": ["x", "y"], "when": {"a": [3, 2]}}}
    assert list(probes(space)) == [
        {"a": 1}, {"a": 1}, {"a": 2}, {"a": 3}, {"a": 3, "b": "x"}, {"a": 3, "b": "y"},
        {"a": 3}, {"a": 2},
    ]  # fmt: skip


def test_all_the_committed_probes_are_trainings(committed):
    for section in probes(committed):
        Training.model_validate(section)


def test_merge():
    base = {"network": {"name": "convnet", "units": 256}, "optimizer": "adam", "batch_size": 128}
    overrides = {
        "network": {"name": None, "units": 512},
        "optimizer": None,
        "batch_size": 64,
        "schedule": {"name": "cosine", "peak": None},
    }
    assert merge(base, overrides) == {
        "network": {"name": "convnet", "units": 512},
        "optimizer": "adam",
        "batch_size": 64,
        "schedule": {"name": "cosine"},
    }
    assert base["network"] == {"name": "convnet", "units": 256}  # as it was


@pytest.mark.parametrize(
    ("base", "overrides", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({}, {"a": None}, {}),
        ({"a": True}, {"a": False}, {"a": False}),
        ({"a": 1}, {"a": 0}, {"a": 0}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
        ({"a": 2}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ],
)
def test_merge_of(base, overrides, expected):
    assert merge(base, overrides) == expected


@pytest.mark.parametrize(
    ("searched", "message"),
    [
        # ranges
        (
            {"low": 1},
            "x: a range has `low` and `high`, and possibly `sampling` and `when`, not low",
        ),
        ({"high": 1, "step": 2}, "possibly `sampling` and `when`, not high, step"),
        ({"low": 1, "high": 2, "step": 1}, "not low, high, step"),
        ({"choice": [1, 2], "low": 1}, "not choice, low"),
        ({"low": 2, "high": 1}, "x: `low` must be below `high`, not 2 and 1"),
        ({"low": 1, "high": 1}, "x: `low` must be below `high`, not 1 and 1"),
        ({"low": math.nan, "high": 1}, "must be below `high`, not nan and 1"),
        ({"low": "1", "high": 2}, "x: `low` and `high` must be numbers, not '1' and 2"),
        ({"low": False, "high": True}, "must be numbers, not False and True"),
        ({"low": None, "high": 1}, "must be numbers, not None and 1"),
        ({"low": 0.5, "high": 10**400}, "x: a number is too large in"),
        ({"low": 1, "high": 2, "sampling": "cubic"}, "x: `sampling` is linear or, .*not 'cubic'"),
        ({"low": 1, "high": 2, "sampling": ["log"]}, r"`sampling` is linear or, .*not \['log'\]"),
        ({"low": 0, "high": 1, "sampling": "log"}, "for bounds above 0, log; not 'log'"),
        ({"low": -1, "high": 1, "sampling": "log"}, "for bounds above 0, log; not 'log'"),
        # choices
        ([], r"x: a choice is a list of values, not \[\]"),
        ({"choice": 3}, "x: a choice is a list of values, not 3"),
        ({"choice": {"a": 1}}, "a choice is a list of values, not {'a': 1}"),
        ([1, "a"], r"x: the values of a choice must be of one type, not \[1, 'a'\]"),
        ([True, 1], "must be of one type"),
        ([None], "must be of one type"),
        ([None, 3], "must be of one type"),
        ([{"a": 1}], "must be of one type"),
        ([0.5, 10**400], "x: a number is too large in"),
        ([3, 4, 3], r"x: a value stands twice in \[3, 4, 3\]"),
        ([1, 1.0], r"x: a value stands twice in \[1.0, 1.0\]"),
        # conditions
        ({"low": 1, "high": 2, "when": 5}, "x: `when` is {key: value} with one key, not 5"),
        ({"low": 1, "high": 2, "when": {}}, "x: `when` is {key: value} with one key, not {}"),
        ({"choice": [1], "when": {"a": "p", "r": 1}}, "`when` is {key: value} with one key"),
        (
            {"choice": [1], "when": {"x": 1}},
            "x: `when` must name .* chosen from a list under no condition",
        ),
        ({"choice": [1], "when": {"child": 1}}, "x: `when` must name .*not 'child'"),
        ({"choice": [1], "when": {"range": 1}}, "x: `when` must name .* chosen from a list"),
        ({"choice": [1], "when": {"a": []}}, r"x.when: a choice is a list of values, not \[\]"),
        ({"choice": [1], "when": {"a": None}}, "x.when: the values of a choice must be of one"),
        ({"choice": [1], "when": {"a": ["p", "p"]}}, "x.when: a value stands twice"),
    ],
)
def test_mistakes(searched, message):
    space = {
        "a": ["p", "q"],
        "range": {"low": 1, "high": 9},
        "child": {"choice": [1, 2], "when": {"a": "p"}},
        "fixed": 1,
        "x": searched,
    }
    with pytest.raises(ValueError, match=message):
        dimensions(space)
    with pytest.raises(ValueError, match=message):
        list(probes(space))


def test_a_mistake_deeper_down_has_its_whole_name():
    with pytest.raises(ValueError, match=r"^network\.units: a value stands twice"):
        dimensions({"network": {"units": [1, 1]}})


def test_keys_that_are_not_words():
    space = {"a": {1: [5, 6]}, None: {"low": 1, "high": 2}}
    assert [d.name for d in dimensions(space)] == ["a.1", "None"]
    assert list(probes(space))[-1] == {"a": {1: 5}, None: 2}


def test_size():
    space = {
        "a": [1, 2, 3],
        "b": ["x", "y"],
        "c": {"choice": [1, 2, 3, 4], "when": {"b": "y"}},
        "d": {"choice": [1, 2], "when": {"b": "y"}},
        "fixed": 0,
    }
    assert size(space) == 3 * (1 + 4 * 2)
    assert size(space | {"e": {"low": 0.0, "high": 1.0}}) == math.inf
    assert size(space | {"e": {"low": 0.0, "high": 1.0, "when": {"b": "x"}}}) == math.inf


def test_every_malformed_dimension_is_named():
    space = {"a": {"low": 2, "high": 1}, "b": [1, "x"], "c": [1, 2]}
    with pytest.raises(ValueError, match=r"^a: .*\nb: .*$"):
        dimensions(space)


def test_a_section_of_another_name_is_not_merged():
    base = {"schedule": {"name": "cosine", "peak": 0.01}, "batch_size": 8}
    other = {"schedule": {"name": "constant", "rate": 0.1}}
    assert merge(base, other) == {"schedule": {"name": "constant", "rate": 0.1}, "batch_size": 8}
    same = {"schedule": {"name": "cosine", "cycles": 2}}
    assert merge(base, same)["schedule"] == {"name": "cosine", "peak": 0.01, "cycles": 2}
