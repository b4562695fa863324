"""A search space: a training section of params.yaml with choices in place of some values.

In place of a value stands a list (`[adam, sgd]`), or a mapping with `choice`, or with `low` and
`high` and possibly `sampling: log`; whole bounds make a whole number. With `when: {key: value}` a
mapping is searched only where the key beside it has that value, or one of those values. Where that
key has a fixed value, the condition holds always or never; where it is absent, never.
"""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Scalar = bool | int | float | str
Path = tuple[str, ...]


@dataclass(frozen=True)
class Dimension:
    """One hyperparameter that is searched.

    Attributes:
        path: the keys that lead to it in the training section.
        values: what it can be, of one type; empty for a range.
        low: smallest value of a range.
        high: largest value of a range, included.
        sampling: of a range: `linear` or `log`.
        parent: the path of the dimension that it depends on, or None.
        parent_values: the values of the parent under which it is searched.
    """

    path: Path
    values: tuple[Scalar, ...] = ()
    low: float = 0
    high: float = 0
    sampling: str = "linear"
    parent: Path | None = None
    parent_values: tuple[Scalar, ...] = field(default=())

    @property
    def name(self) -> str:
        """The path with dots."""
        return ".".join(self.path)

    def extremes(self) -> tuple[Scalar, ...]:
        """The values that show whether all of them are allowed."""
        return self.values or (self.low, self.high)

    def describe(self) -> dict[str, Any]:
        """What is searched, as plain data."""
        what = (
            {"values": list(self.values)}
            if self.values
            else {"low": self.low, "high": self.high, "sampling": self.sampling}
        )
        when = {".".join(self.parent): list(self.parent_values)} if self.parent else None
        return {"name": self.name} | what | ({"when": when} if when else {})


def dimensions(space: Mapping[str, Any]) -> list[Dimension]:
    """The dimensions of a space in its order, those that depend on others last.

    Raises:
        ValueError: some are malformed; the message has a line for each, which names its key.
    """
    declared = _declared(space)
    by_path = _with_short_paths({dimension.path: dimension for dimension in declared})
    fixed = _with_short_paths({p: value for p, value in _leaves(space) if not _is_searched(value)})
    independent, dependent = [], []
    for dimension in declared:
        if dimension.parent is None:
            independent.append(dimension)
            continue
        parent = by_path.get(dimension.parent)
        if parent is None:
            if fixed.get(dimension.parent) in dimension.parent_values:
                independent.append(replace(dimension, parent=None, parent_values=()))
        elif parent.parent is not None or not parent.values:
            raise ValueError(
                f"{dimension.name}: `when` must name a key beside it that is chosen from a list "
                f"under no condition, not {'.'.join(dimension.parent)!r}"
            )
        elif common := [value for value in dimension.parent_values if value in parent.values]:
            dependent.append(replace(dimension, parent=parent.path, parent_values=tuple(common)))
    return independent + dependent


def size(space: Mapping[str, Any]) -> float:
    """How many different trainings a space holds; infinity where it has a range."""
    all_of_them = dimensions(space)
    total = 1.0
    for dimension in all_of_them:
        if dimension.parent is None and not dimension.values:
            return math.inf
        if dimension.parent is None:
            total *= sum(
                math.prod(
                    len(child.values) or math.inf
                    for child in all_of_them
                    if child.parent == dimension.path and value in child.parent_values
                )
                for value in dimension.values
            )
    return total


def with_values(space: Mapping[str, Any], values: Mapping[str, Scalar]) -> dict[str, Any]:
    """The training section in which each dimension has its value of `values` (by dotted name).

    A dimension without a value, because its condition does not hold, is left out.
    """

    def settle(node: Mapping[str, Any], prefix: Path) -> dict[str, Any]:
        settled: dict[str, Any] = {}
        for key, value in node.items():
            path = (*prefix, str(key))
            if _is_searched(value):
                if ".".join(path) in values:
                    settled[key] = values[".".join(path)]
            else:
                settled[key] = settle(value, path) if isinstance(value, Mapping) else value
        return settled

    return settle(space, ())


def probes(space: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Training sections that together have every extreme value, and every value in a `when`."""
    all_of_them = dimensions(space)
    first = {d.name: d.extremes()[0] for d in all_of_them if d.parent is None}
    yield with_values(space, first)
    for dimension in all_of_them:
        given = {".".join(dimension.parent): dimension.parent_values[0]} if dimension.parent else {}
        for value in dimension.extremes():
            yield with_values(space, first | given | {dimension.name: value})
    for dimension in _declared(space):
        for value in dimension.parent_values:
            under: Any = value
            for key in reversed(dimension.parent or ()):
                under = {key: under}
            yield merge(with_values(space, first), under)


def merge(
    base: Mapping[str, Any], overrides: Mapping[str, Any], none_removes: bool = False
) -> dict[str, Any]:
    """`base` with the values of `overrides` in their places.

    None overrides nothing, or removes the key with `none_removes`.

    A section with another `name`, such as another schedule, has nothing in common with the one of
    `base` and replaces it.
    """
    merged = dict(base) if overrides.get("name") in (None, base.get("name")) else {}
    for key, value in overrides.items():
        if isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value, none_removes)
        elif value is not None:
            merged[key] = value
        elif none_removes:
            merged.pop(key, None)
    return merged


def _declared(space: Mapping[str, Any]) -> list[Dimension]:
    """The dimensions as they stand in a space, whatever the keys of their conditions are."""
    declared, problems = [], []
    for path, value in _leaves(space):
        if _is_searched(value):
            try:
                declared.append(_dimension(path, value))
            except ValueError as error:
                problems.append(str(error))
    if problems:
        raise ValueError("\n".join(problems))
    return declared


def _with_short_paths(values: dict[Path, Any]) -> dict[Path, Any]:
    """What is at `optimizer.name` is at `optimizer` too: `sgd` is short for `{name: sgd}`."""
    return {path[:-1]: value for path, value in values.items() if path[-1] == "name"} | values


def _is_searched(value: Any) -> bool:  # noqa: ANN401 - anything YAML can hold
    if isinstance(value, list):  # a list of lists is a value, such as the factors of a schedule
        return not any(isinstance(item, list) for item in value)
    return isinstance(value, Mapping) and not {"choice", "low", "high"}.isdisjoint(value)


def _leaves(node: Mapping[str, Any], prefix: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and not _is_searched(value):
            yield from _leaves(value, (*prefix, str(key)))
        else:
            yield (*prefix, str(key)), value


def _dimension(path: Path, value: list[Any] | Mapping[str, Any]) -> Dimension:
    name = ".".join(path)
    settings: dict[str, Any] = {"choice": value} if isinstance(value, list) else dict(value)
    parent, parent_values = _condition(path, settings.pop("when", None))
    if set(settings) == {"choice"}:
        return Dimension(
            path, _choice(name, settings["choice"]), parent=parent, parent_values=parent_values
        )
    if not {"low", "high"} <= set(settings) <= {"low", "high", "sampling"}:
        raise ValueError(
            f"{name}: a range has `low` and `high`, and possibly `sampling` and `when`, "
            f"not {', '.join(map(str, value))}"
        )
    low, high, sampling = settings["low"], settings["high"], settings.get("sampling", "linear")
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in (low, high)):
        raise ValueError(f"{name}: `low` and `high` must be numbers, not {low!r} and {high!r}")
    if not low < high:
        raise ValueError(f"{name}: `low` must be below `high`, not {low} and {high}")
    if sampling not in ("linear", "log") or (sampling == "log" and low <= 0):
        raise ValueError(
            f"{name}: `sampling` is linear or, for bounds above 0, log; not {sampling!r}"
        )
    if {type(low), type(high)} != {int}:
        low, high = _floats(name, [low, high])
    return Dimension(path, (), low, high, sampling, parent=parent, parent_values=parent_values)


def _choice(name: str, values: Any) -> tuple[Scalar, ...]:  # noqa: ANN401 - anything YAML can hold
    if not isinstance(values, list) or not values:
        raise ValueError(f"{name}: a choice is a list of values, not {values!r}")
    if {type(value) for value in values} == {int, float}:
        values = _floats(name, values)
    types = {type(value) for value in values}
    if len(types) > 1 or not types <= {bool, int, float, str}:
        raise ValueError(f"{name}: the values of a choice must be of one type, not {values}")
    if any(a == b for a, b in itertools.combinations(values, 2)):
        raise ValueError(f"{name}: a value stands twice in {values}")
    return tuple(values)


def _floats(name: str, values: list[int | float]) -> list[float]:
    try:
        return [float(value) for value in values]
    except OverflowError:
        raise ValueError(f"{name}: a number is too large in {values}") from None


def _condition(path: Path, when: Any) -> tuple[Path | None, tuple[Scalar, ...]]:  # noqa: ANN401
    if when is None:
        return None, ()
    if not isinstance(when, Mapping) or len(when) != 1:
        raise ValueError(f"{'.'.join(path)}: `when` is {{key: value}} with one key, not {when!r}")
    ((key, value),) = when.items()
    return (*path[:-1], str(key)), _choice(
        f"{'.'.join(path)}.when", value if isinstance(value, list) else [value]
    )
