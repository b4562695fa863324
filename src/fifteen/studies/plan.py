"""The studies: from a YAML file to its rows, and from a row to its training."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fifteen.common.errors import UserError
from fifteen.params.changes import Section, changed, with_epochs
from fifteen.params.messages import describe_problem
from fifteen.params.reading import read_yaml
from fifteen.params.sections import Data, Name, Params, Rule, Strict, Training
from fifteen.training.work import digest

from pydantic import Field, TypeAdapter, ValidationError

FOLDER = Path("studies")
PREVIOUS = "previous"
RULES_ON_TEST = ("sum", "logits", "vote")  # the others are fitted, or average weights

Text = Annotated[str, Field(min_length=1)]
# Several models of one row have the seeds 1000 × seed + 0, 1, …, which must be below 2³¹.
Seeds = Annotated[list[Annotated[int, Field(ge=0, lt=2_000_000)]], Field(min_length=1)]
Rows = Annotated[dict[str, Any], Field(min_length=1)]


class RowSection(Strict):
    """One row, as the file of a study has it."""

    what: Text
    change: Annotated[dict[str, Any], Field(default_factory=dict)]  # null takes a key out
    base: Name | None = None  # instead of the study's, or of the row before
    seeds: Seeds | None = None  # instead of the study's
    compare: Name | None = None  # instead of the study's; its own name: compared with none
    models: Annotated[int, Field(ge=1, le=100)] = 1  # independent trainings that share the budget
    rule: Rule | None = None  # the row is an ensemble: of its snapshots, or of its models


class StudySection(Strict):
    """A file of studies/."""

    question: Text
    base: Name  # a training section of params.yaml
    seeds: Seeds
    compare: Name  # each row with the `previous` one, or with the row of this name
    cumulative: bool = False  # whether each change is made on top of the rows before
    test: bool = False  # whether the test images are predicted too
    rows: Rows  # each a RowSection


class Row(RowSection):
    """One row of a study, ready to be trained, with its own seeds.

    Attributes:
        study: the name of the study.
        name: of the row, unlike that of any other in the study.
        order: place in the study, from 0.
        data: the data set and its split.
        training: the whole training section, with its number of epochs.
        base: the section of params.yaml that it is based on.
        seeds: with which it is trained.
        test: whether test results are wanted.
        compared_with: the row of the same study that it is compared with.
    """

    study: str
    name: Name
    order: int
    data: Data
    training: Training
    base: Name
    seeds: Seeds
    test: bool
    compared_with: Name | None


@dataclass(frozen=True)
class Study:
    """A question and the rows that answer it."""

    name: str
    question: str
    rows: tuple[Row, ...]


def study_names(folder: Path = FOLDER) -> list[str]:
    """The names of the files in `folder`, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_study(name: str, params: Params, folder: Path = FOLDER) -> Study:
    """Read and check studies/NAME.yaml; `params` has the sections that rows are based on.

    Raises:
        UserError: there is no such study, or its file has mistakes; the message names each with its
            key, its value and what is allowed.
    """
    path = folder / f"{name}.yaml"
    if not path.exists():
        there = ", ".join(study_names(folder)) or "none"
        raise UserError(f"no study is called {name!r} in {folder}; there are: {there}")
    raw = read_yaml(path)
    given = raw.get("rows") if isinstance(raw, dict) else None
    sections, problems = _each_valid(given if isinstance(given, dict) else {}, RowSection)
    rows: dict[str, Row] = {}
    try:
        study = StudySection.model_validate(raw)
        rows, in_rows = _plan(name, study, sections, params)
        problems += in_rows
    except ValidationError as error:
        at_top = [describe_problem(raw, details, StudySection) for details in error.errors()]
        problems = at_top + problems
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UserError("\n  ".join([f"{count} in {path}:", *problems]))
    return Study(name, study.question, tuple(rows.values()))


def training_digest(data: Data, training: Training, models: int, **more: str) -> str:
    """16 hexadecimal digits that stand for what is trained, whatever its seed."""
    content = {"data": data.model_dump(), "training": training.model_dump(), "models": models}
    return digest(content | more)


def _each_valid(rows: Mapping[str, Any], kind: Any) -> tuple[dict[str, Any], list[str]]:  # noqa: ANN401
    """The rows that are of a `kind`, and a line for each problem of the others."""
    valid: dict[str, Any] = {}
    problems: list[str] = []
    expected = dict[Name, kind]
    for name, row in rows.items():
        try:
            valid |= TypeAdapter(expected).validate_python({name: row})
        except ValidationError as error:
            lines = [describe_problem({name: row}, one, expected) for one in error.errors()]
            problems += [f"rows.{line}" for line in lines]
    return valid, problems


def _plan(
    name: str, study: StudySection, sections: Mapping[str, RowSection], params: Params
) -> tuple[dict[str, Row], list[str]]:
    """The rows that are possible, and a line for each problem of the others."""
    bases = {"baseline": params.baseline, **params.variants}
    trainings, problems = _each_valid(_changed(study, sections, bases), dict[str, Training])
    if study.cumulative:  # the rows after a mistake have it too
        first = {line.split(".", 2)[-1]: line for line in reversed(problems)}
        problems = [line for line in problems if line in first.values()]
    problems = [*_wrong_names(study, sections, bases), *problems]
    names, rows = list(study.rows), {}
    for row_name, section in sections.items():
        if row_name not in trainings:
            continue
        order, compared = names.index(row_name), section.compare or study.compare
        if compared == PREVIOUS:
            compared = names[max(order - 1, 0)]
        training = with_epochs(trainings[row_name]["change"], params.budget.epochs)
        resolved = {
            "study": name,
            "name": row_name,
            "order": order,
            "data": params.data,
            "training": training,
            "seeds": list(dict.fromkeys(section.seeds or study.seeds)),
            "base": section.base or study.base,
            "test": study.test,
            "compared_with": None if compared == row_name else compared,
        }
        row = rows[row_name] = Row(**dict(section) | resolved)
        problems += _impossible(row, rows.get(row.compared_with or ""), params.budget.epochs)
    return rows, problems


def _changed(
    study: StudySection, rows: Mapping[str, RowSection], bases: Mapping[str, Training]
) -> dict[str, dict[str, Section]]:
    """The training section of each row whose base is known, under the key `change`."""
    changed_sections: dict[str, dict[str, Section]] = {}
    before: Section | None = None
    for name, row in rows.items():
        base = bases.get(row.base or study.base)
        if not study.cumulative or row.base or before is None:
            before = base.model_dump(exclude_unset=True) if base else None
        if before is not None:
            before = changed(before, row.change)
            changed_sections[name] = {"change": before}
    return changed_sections


def _wrong_names(
    study: StudySection, rows: Mapping[str, RowSection], bases: Mapping[str, Training]
) -> Iterator[str]:
    given = {"": study} | {f"rows.{name}.": row for name, row in rows.items()}
    for key, section in given.items():
        for field, allowed in {"base": [*bases], "compare": [PREVIOUS, *study.rows]}.items():
            value = getattr(section, field)
            if value is not None and value not in allowed:
                yield f"{key}{field} = {value!r}: allowed are {', '.join(allowed)}"


def _impossible(row: Row, compared: Row | None, budget: int) -> Iterator[str]:
    """What is wrong with a row though its training section is valid."""
    where, epochs = f"rows.{row.name}", row.training.epochs or budget
    members = row.training.snapshot_count if row.models == 1 else row.models
    if row.models * epochs > budget:
        at = f".models = {row.models}" if row.models > 1 else f".change.epochs = {epochs}"
        yield f"{where}{at}: {row.models} × {epochs} epochs, at most budget.epochs = {budget}"
    if row.rule and members < 2:
        yield f"{where}.rule = {row.rule!r}: {members} members; give it 2 snapshots, or models"
    if row.models > 1 and row.rule in (None, "average"):
        yield f"{where}.rule = {row.rule!r}: the models need a rule that combines predictions"
    if row.test and row.rule not in (None, *RULES_ON_TEST):
        allowed = ", ".join(RULES_ON_TEST)
        yield f"{where}.rule = {row.rule!r}: with test results, allowed are {allowed}"
    if compared and all(
        getattr(row, key) == getattr(compared, key) for key in ("training", "models", "rule")
    ):
        yield f"{where}.change: it trains the same as {compared.name}, which it is compared with"
