"""Training sections of params.yaml, changed in parts, for ablations/ and ensembles/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from fifteen.config import Epochs, Strict, Training, read_yaml
from fifteen.errors import UserError

from pydantic import ValidationError

Section = dict[str, Any]
Plan = TypeVar("Plan", bound=Strict)


def read_plan(path: Path, kind: type[Plan]) -> Plan:
    """Read and check the params.yaml of a pipeline of its own.

    Raises:
        UserError: it is missing, is not YAML, or something in it is impossible.
    """
    try:
        return kind.model_validate(read_yaml(path))
    except ValidationError as error:
        raise UserError(_problems(f"{path}", error)) from None


def checked(where: str, section: Mapping[str, Any]) -> Training:
    """The training that a section stands for.

    Raises:
        UserError: it is no possible one; the message begins with `where`.
    """
    try:
        return Training.model_validate(section)
    except ValidationError as error:
        raise UserError(_problems(where, error)) from None


def changed(section: Mapping[str, Any], change: Mapping[str, Any]) -> Section:
    """`section` with the values of `change` in their places; None takes a key out.

    As in `fifteen.search_space.merge`, a section with another `name` replaces the one there.
    """
    result = dict(section) if change.get("name") in (None, section.get("name")) else {}
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = changed(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def flat(values: Mapping[str, Any], prefix: str = "") -> Section:
    """Nested values under dotted keys."""
    found = {}
    for key, value in values.items():
        inner = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return found


def differences(a: Training, b: Training) -> list[str]:
    """The dotted keys that two trainings have not in common or not the same."""
    ours, theirs = flat(a.model_dump()), flat(b.model_dump())
    absent = object()
    keys = dict.fromkeys([*ours, *theirs])
    return [key for key in keys if ours.get(key, absent) != theirs.get(key, absent)]


def with_epochs(training: Training, budget: Epochs) -> Training:
    """`training` with its number of epochs filled in."""
    return training.model_copy(update={"epochs": training.epochs or budget})


def _problems(where: str, error: ValidationError) -> str:
    lines = [
        f"  {'.'.join(map(str, details['loc']))} = {details['input']!r}: {details['msg']}"
        for details in error.errors()
    ]
    return "\n".join([f"{where}:", *lines])
