"""Reading params.yaml: every mistake is found before any work, all of them at once."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError
from fifteen.params import search_space
from fifteen.params.messages import describe_problem
from fifteen.params.sections import Params, Training

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

PARAMS_FILE = Path("params.yaml")


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


def load_params(path: Path = PARAMS_FILE, found: Mapping[str, Any] | None = None) -> Params:
    """Read and check params.yaml.

    The variant that is searched for has the values of `found` wherever its own section gives none.

    Args:
        path: the file.
        found: a training section, the result of the search; where it is None, or empty, the first
            of all choices stands for it.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds unknown keys, wrong types or
            impossible values; the message names each key, its value and what is allowed.
    """
    raw = read_yaml(path)
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must hold sections like `data:` and `budget:`, not {raw!r}")

    in_space = list(_space_problems(raw))
    problems = list(_relation_problems(raw)) + in_space
    _complete_searched_variant(raw, found, judge=not in_space)
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        problems = [describe_problem(raw, details, Params) for details in error.errors()] + problems
    if problems:
        lines = "\n".join(f"  {problem}" for problem in problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise ConfigError(f"{count} in {path}:\n{lines}")
    return params


def _complete_searched_variant(
    raw: dict[Any, Any], found: Mapping[str, Any] | None, judge: bool
) -> None:
    """Put what was found under what the variant's own section gives; else take the variant out."""
    tune, variants = raw.get("tune"), raw.get("variants")
    if not (isinstance(tune, dict) and isinstance(variants, dict)):
        return
    name, sections = tune.get("variant"), _probes(tune)
    if not isinstance(name, str) or name not in variants:
        return
    own = {} if variants[name] is None else variants[name]
    if not isinstance(own, dict):
        return
    if sections and judge:
        variants[name] = search_space.merge(found or sections[0], own)
    else:
        del variants[name]  # the space has a problem; without it this one cannot be judged


def _probes(tune: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - anything YAML can hold
    """Trainings that show what the search can choose; none where the space is malformed."""
    space = tune.get("space") if isinstance(tune, dict) else None
    try:
        return list(search_space.probes(space)) if isinstance(space, dict) else []
    except ValueError:
        return []


def _space_problems(raw: dict[Any, Any]) -> Iterator[str]:
    """What is wrong with the space of the search, or with a training that it could choose."""
    tune = raw.get("tune")
    space = tune.get("space") if isinstance(tune, dict) else None
    if not isinstance(space, dict):
        return
    for key in ("epochs", "patience", "snapshots"):
        if key in space:
            yield f"tune.space.{key}: it is no part of what is searched; leave it out"
    try:
        if not search_space.dimensions(space):
            yield "tune.space: it leaves nothing to choose; give a list or a range somewhere"
    except ValueError as error:
        yield from (f"tune.space.{line}" for line in str(error).splitlines())
    seen = set()
    for section in _probes(tune):
        try:
            Training.model_validate(section)
        except ValidationError as error:
            for details in error.errors():
                line = f"tune.space.{describe_problem(section, details, Training)}"
                if line not in seen:
                    seen.add(line)
                    yield line


def _relation_problems(raw: dict[Any, Any]) -> Iterator[str]:
    """What is wrong between sections; parts that are malformed themselves are left to pydantic."""

    def section(key: str) -> dict[Any, Any]:
        value = raw.get(key)
        return value if isinstance(value, dict) else {}

    def whole(value: Any) -> bool:  # noqa: ANN401 - anything YAML can hold
        return isinstance(value, int) and not isinstance(value, bool)

    budget = section("budget").get("epochs")
    variants, ensembles = section("variants"), section("ensembles")
    trainings = {"baseline": section("baseline")}
    trainings |= {f"variants.{name}": value for name, value in variants.items()}
    for key, training in trainings.items():
        epochs = training.get("epochs") if isinstance(training, dict) else None
        if whole(epochs) and whole(budget) and epochs > budget:
            yield f"{key}.epochs = {epochs}: over the budget; at most budget.epochs = {budget}"

    for name, ensemble in ensembles.items():
        variant = ensemble.get("variant") if isinstance(ensemble, dict) else None
        if not isinstance(variant, str):
            continue
        if variant not in variants:
            yield (
                f"ensembles.{name}.variant = {variant!r}: no such variant; "
                f"there are: {', '.join(map(str, variants)) or 'none'}"
            )
        elif variants[variant] is None or isinstance(variants[variant], dict):
            given = (variants[variant] or {}).get("snapshots") or 0
            snapshots = len(given) if isinstance(given, list) else given
            if whole(snapshots) and snapshots < 2:
                yield (
                    f"ensembles.{name}.variant = {variant!r}: it saves {snapshots} snapshots; "
                    f"an ensemble needs variants.{variant}.snapshots of at least 2"
                )

    searched = section("tune").get("variant")
    known = isinstance(searched, str) and searched in variants
    for name, variant in variants.items():
        if not known and isinstance(variant, dict) and _leaves_open(variant):
            yield (
                f"variants.{name}: what is null must come from a search, but tune.variant names "
                f"{searched!r}, not {name!r}"
            )

    for key, names in {"variants": variants, "ensembles": ensembles}.items():
        taken = {"baseline"} | (set(variants) if key == "ensembles" else set())
        for name in names:
            if name in taken:
                yield f"{key}.{name}: the name is taken by another model; choose a new one"


def _leaves_open(variant: dict[Any, Any]) -> bool:
    """Whether a variant leaves its network, or something of it, to a search."""
    network = variant.get("network", "none")
    return network is None or (isinstance(network, dict) and None in network.values())
