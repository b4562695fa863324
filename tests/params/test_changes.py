from fifteen.params.changes import changed, differences, with_epochs
from fifteen.params.sections import Training

import pytest


@pytest.mark.parametrize(
    ("section", "change", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 2, "b": 3}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"b": 2}, {"a": None}, {"b": 2}),
        ({"s": {"name": "x", "k": 1}}, {"s": {"k": 2}}, {"s": {"name": "x", "k": 2}}),
        ({"s": {"name": "x", "k": 1}}, {"s": {"name": "x", "k": 2}}, {"s": {"name": "x", "k": 2}}),
        ({"s": {"name": "x", "k": 1}}, {"s": {"name": "y", "l": 2}}, {"s": {"name": "y", "l": 2}}),
        ({"s": {"name": "x", "k": 1}}, {"s": {"k": None}}, {"s": {"name": "x"}}),
        ({"s": {"name": "x"}}, {"s": None}, {}),
        ({"s": "x"}, {"s": {"name": "x", "k": 1}}, {"s": {"name": "x", "k": 1}}),
        ({}, {"s": {"k": 1, "l": None}}, {"s": {"k": 1}}),
        ({"r": [[0, 20]]}, {"r": [[0, 32]]}, {"r": [[0, 32]]}),
    ],
)  # fmt: skip
def test_changed(section, change, expected):
    before = repr(section)
    assert changed(section, change) == expected
    assert repr(section) == before


def test_differences():
    one = Training.model_validate({"network": {"name": "swift", "width": 32}})
    other = Training.model_validate(
        {"network": {"name": "swift", "width": 64}, "averaging": {"name": "ema"}}
    )
    assert differences(one, one) == []
    # A key with a section in one and with nothing in the other is not the same either.
    assert differences(one, other) == [
        *("network.width", "averaging", "averaging.name", "averaging.every", "averaging.decay")
    ]


def test_with_epochs():
    section = Training.model_validate({"network": "baseline"})
    assert with_epochs(section, 15).epochs == 15
    assert with_epochs(section.model_copy(update={"epochs": 3}), 15).epochs == 3
