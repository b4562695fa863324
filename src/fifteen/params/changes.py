"""Training sections of params.yaml, changed in parts."""

from collections.abc import Mapping
from typing import Any

from fifteen.common.nested import flatten
from fifteen.params.search_space import merge
from fifteen.params.sections import Epochs, Training

Section = dict[str, Any]


def changed(section: Mapping[str, Any], change: Mapping[str, Any]) -> Section:
    """`section` with the values of `change` in their places, see `merge`; None removes a key."""
    return merge(section, change, none_removes=True)


def differences(a: Training, b: Training) -> list[str]:
    """The dotted keys that two trainings have not in common or not the same."""
    ours, theirs = flatten(a.model_dump()), flatten(b.model_dump())
    absent = object()
    keys = dict.fromkeys([*ours, *theirs])
    return [key for key in keys if ours.get(key, absent) != theirs.get(key, absent)]


def with_epochs(training: Training, budget: Epochs) -> Training:
    """`training` with its number of epochs filled in."""
    return training.model_copy(update={"epochs": training.epochs or budget})
