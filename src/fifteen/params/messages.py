"""What to say of a mistake that pydantic has found in a section."""

import difflib
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from fifteen.params.sections import Strict


def describe_problem(raw: Any, error: Any, root: Any) -> str:  # noqa: ANN401 - pydantic's mapping
    """One line for one pydantic error in a section of type `root`: key, value, what is allowed."""
    path, node = [], raw
    for part in error["loc"]:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            if error["type"] != "missing" or part != error["loc"][-1]:
                continue  # the tag of a union, not a key of the file
        path.append(part)
    key = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")
    match error["type"]:
        case "missing":
            return f"{key}: required, but missing"
        case "extra_forbidden":
            allowed = list(_kind(error["loc"][:-1], root).model_fields)
            close = difflib.get_close_matches(str(path[-1]), allowed, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            return (
                f"{key} = {error['input']!r}: unknown key; allowed here: {', '.join(allowed)}{hint}"
            )
        case "union_tag_invalid" | "union_tag_not_found":
            tags = ", ".join(repr(_tag(member)) for member in get_args(_kind(error["loc"], root)))
            value = (
                error["input"].get("name") if isinstance(error["input"], dict) else error["input"]
            )
            return f"{key}.name = {value!r}: allowed are {tags}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{key} = {error['input']!r}: {message[0].lower()}{message[1:]}"


def _kind(loc: tuple[int | str, ...], root: Any) -> Any:  # noqa: ANN401 - a type
    """The type of the section, a model or a union of models, that pydantic reports as `loc`."""
    kind: Any = root
    for part in loc:
        if get_origin(kind) in (Union, UnionType):
            kind = next(member for member in get_args(kind) if _tag(member) == part)
        elif get_origin(kind) is dict:
            kind = get_args(kind)[1]
        else:
            kind = kind.model_fields[part].annotation
        kind = _bare(kind)
    return kind


def _bare(kind: Any) -> Any:  # noqa: ANN401 - a type
    """A type without its annotations, and without the None that may stand in its place."""
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    members = [member for member in get_args(kind) if member is not type(None)]
    optional = get_origin(kind) in (Union, UnionType) and len(members) == 1
    return _bare(members[0]) if optional else kind


def _tag(member: type[Strict]) -> str:
    """What `name` must be for a section to be this member of a union."""
    return get_args(member.model_fields["name"].annotation)[0]
