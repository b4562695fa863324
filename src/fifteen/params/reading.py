"""Reading params.yaml: every mistake is found before any work, all of them at once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

from fifteen.common.errors import UserError
from fifteen.params import search_space
from fifteen.params.messages import describe_problem
from fifteen.params.sections import Params, Training

from pydantic import TypeAdapter, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

PARAMS_FILE = Path("params.yaml")
TRAINING_AT_KEY = TypeAdapter(dict[str, Training])


class ConfigError(UserError):
    """params.yaml cannot be used; the message lists every problem with its key and value."""


def read_yaml(path: Path) -> Any:  # noqa: ANN401 - anything YAML can hold
    """What a file of parameters holds.

    Raises:
        ConfigError: it is missing, or is not YAML.
    """
    try:
        # The parser in C that DVC reads with would crash on what is nested deeply.
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        json.dumps(content, skipkeys=True, default=str)  # finds an alias that is within its anchor
    except FileNotFoundError:
        raise ConfigError(f"{path} is missing; run from the repository's root") from None
    except (YAMLError, ValueError, RecursionError) as error:  # such as a 13th month
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    return content


def load_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check params.yaml.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds unknown keys, wrong types or
            impossible values; the message names each key, its value and what is allowed.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold sections like `data:` and `budget:`, not {raw!r}")

    problems = [*_relation_problems(raw), *_search_problems(raw)]
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        problems = [describe_problem(raw, details, Params) for details in error.errors()] + problems
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"{count} in {path}:\n{lines}")
    return params


def _search_problems(raw: dict[Any, Any]) -> Iterator[str]:
    """What is wrong with the searches, or with a training that one of them could choose."""
    for name, search in _section(raw, "searches").items():
        if isinstance(search, dict) and isinstance(search.get("space"), dict):
            lines = _space_problems(search["space"], _section(search, "training"))
            yield from (f"searches.{name}.{line}" for line in lines)


def _space_problems(space: dict[Any, Any], own: dict[Any, Any]) -> Iterator[str]:
    """What is wrong with a space, and with the `own` values over what it can choose."""
    for key in ("epochs", "patience", "snapshots"):
        if key in space:
            yield f"space.{key}: it is no part of what is searched; leave it out"
    try:
        if not search_space.dimensions(space):
            yield "space: it leaves nothing to choose; give a list or a range somewhere"
        choices = list(search_space.probes(space))
    except ValueError as error:
        yield from (f"space.{line}" for line in str(error).splitlines())
        return
    problems = _training_problems("space", choices)
    # Over a space that is wrong itself, `own` cannot be judged.
    merged = [] if problems else [search_space.merge(choice, own) for choice in choices]
    yield from problems or _training_problems("training", merged)


def _training_problems(key: str, sections: list[dict[str, Any]]) -> list[str]:
    """A line for each problem of some training sections that stand at `key`."""
    lines: dict[Any, str] = {}
    for section in sections:
        try:
            TRAINING_AT_KEY.validate_python({key: section})
        except ValidationError as error:
            for details in error.errors():
                given = details["input"]
                value = None if isinstance(given, dict) else str(given)
                problem = (details["loc"], details["msg"], value)
                line = describe_problem({key: section}, details, dict[str, Training])
                lines.setdefault(problem, line)
    return list(lines.values())


def _section(raw: Any, key: str) -> dict[Any, Any]:  # noqa: ANN401 - anything YAML can hold
    """What is at `key`, if both are mappings; else nothing."""
    value = raw.get(key) if isinstance(raw, dict) else None
    return value if isinstance(value, dict) else {}


def _relation_problems(raw: dict[Any, Any]) -> Iterator[str]:
    """What is wrong between sections; parts that are malformed themselves are left to pydantic."""

    def whole(value: Any) -> TypeGuard[int]:  # noqa: ANN401 - anything YAML can hold
        return isinstance(value, int) and not isinstance(value, bool)

    budget = _section(raw, "budget").get("epochs")
    groups = {key: _section(raw, key) for key in ("variants", "searches", "ensembles")}
    variants, searches, ensembles = groups.values()
    keys = {name: f"variants.{name}" for name in variants}
    keys |= {name: f"searches.{name}.training" for name in searches}
    trainings = {"baseline": _section(raw, "baseline")}
    trainings |= {keys[name]: _section(variants, name) for name in variants}
    trainings |= {keys[name]: _section(search, "training") for name, search in searches.items()}
    for key, training in trainings.items():
        epochs = training.get("epochs")
        if whole(epochs) and whole(budget) and epochs > budget:
            yield f"{key}.epochs = {epochs}: over the budget; at most budget.epochs = {budget}"

    for name, ensemble in ensembles.items():
        variant = ensemble.get("variant") if isinstance(ensemble, dict) else None
        if not isinstance(variant, str):
            continue
        problem = f"ensembles.{name}.variant = {variant!r}"
        if variant not in keys:
            yield f"{problem}: no such variant; there are: {', '.join(map(str, keys)) or 'none'}"
        else:
            given = trainings[keys[variant]].get("snapshots") or 0
            snapshots = len(given) if isinstance(given, list) else given
            if whole(snapshots) and snapshots < 2:
                yield (
                    f"{problem}: it saves {snapshots} snapshots; "
                    f"an ensemble needs {keys[variant]}.snapshots of at least 2"
                )

    taken: set[Any] = {"baseline"}
    for key, names in groups.items():
        for name in names:
            if name in taken:
                yield f"{key}.{name}: the name is taken by another model; choose a new one"
        taken |= set(names)
