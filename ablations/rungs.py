"""The rungs of ablations/params.yaml: what is trained, for which question, with which seeds."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Literal

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from fifteen.config import Name, Params, Strict, Training
from fifteen.errors import UserError
from fifteen.sections import Section, changed, checked, differences, read_plan, with_epochs

from pydantic import Field

FOLDER = Path("ablations")
FILE = FOLDER / "params.yaml"

Seeds = list[Annotated[int, Field(ge=0, lt=2**31)]]


class Step(Strict):
    """One change, in words and as part of a training section."""

    what: Annotated[str, Field(min_length=1)]
    change: dict[str, Any]


class More(Strict):
    """Rungs with seeds beyond those of all."""

    rungs: list[Name]
    seeds: Seeds


class AllSeeds(Strict):
    """Which seeds a rung is trained with."""

    ladder: Seeds
    leave_one_out: Seeds
    more: More


class Ablations(Strict):
    """The whole of ablations/params.yaml."""

    reference: Name
    seeds: AllSeeds
    ladder: Annotated[dict[Name, Step], Field(min_length=1)]
    variants: dict[Name, Annotated[str, Field(min_length=1)]]
    leave_one_out: dict[Name, Step]


@dataclass(frozen=True)
class Rung:
    """One training that is measured.

    Attributes:
        name: unlike that of any other rung.
        part: whether it adds to the rung before it, or leaves something of the reference out.
        what: its change in words.
        training: all of it, its number of epochs filled in.
        section: the same as said: without the keys that have their defaults.
        seeds: those it is trained with; none for a variant of ../params.yaml at the walk's end.
    """

    name: str
    part: Literal["ladder", "leave_one_out"]
    what: str
    training: Training
    section: Section
    seeds: tuple[int, ...]


def walk(start: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, Section]:
    """The section after each change, by its name: every one on top of those before."""
    sections, section = {}, dict(start)
    for name, change in changes.items():
        section = sections[name] = changed(section, change)
    return sections


def read_ablations(path: Path = FILE) -> Ablations:
    """Read and check ablations/params.yaml.

    Raises:
        UserError: it is missing, is not YAML, or something in it is impossible.
    """
    found = read_plan(path, Ablations)
    for one, other in combinations(("ladder", "variants", "leave_one_out"), 2):
        if twice := set(getattr(found, one)) & set(getattr(found, other)):
            raise UserError(f"{path}: {sorted(twice)} are in `{one}` and in `{other}`")
    unknown = set(found.seeds.more.rungs) - set(found.ladder) - set(found.leave_one_out)
    if unknown:
        raise UserError(f"{path}: seeds.more.rungs names {sorted(unknown)}, which are no rungs")
    return found


def all_rungs(ablations: Ablations, params: Params) -> list[Rung]:
    """The rungs of the walk in its order, then those that leave something out.

    Raises:
        UserError: one is no possible training, is over the budget, or changes nothing; or one of
            `variants` is none.
    """
    reference = params.training(ablations.reference)
    trainings = {"baseline": params.baseline, **params.variants}
    base = trainings[ablations.reference].model_dump(exclude_unset=True)
    start = params.baseline.model_dump(exclude_unset=True)
    steps = ablations.ladder | ablations.leave_one_out
    what = {name: step.what for name, step in steps.items()} | ablations.variants
    sections = {
        "ladder": walk(start, {name: step.change for name, step in ablations.ladder.items()})
        | {
            name: params.training(name).model_dump(exclude_unset=True)
            for name in ablations.variants
        },
        "leave_one_out": {
            name: changed(base, step.change) for name, step in ablations.leave_one_out.items()
        },
    }
    seeds = {"ladder": ablations.seeds.ladder, "leave_one_out": ablations.seeds.leave_one_out}
    more = ablations.seeds.more
    rungs = []
    for part, of_part in sections.items():
        before = None if part == "ladder" else reference
        for name, section in of_part.items():
            said = _checked(f"{part}.{name}", section, params.budget.epochs)
            training = with_epochs(said, params.budget.epochs)
            if before is not None and not differences(before, training):
                raise UserError(f"{FILE}: {part}.{name} changes nothing")
            before = training if part == "ladder" else reference
            own = dict.fromkeys([*seeds[part], *(more.seeds if name in more.rungs else ())])
            own = () if name in ablations.variants else tuple(own)
            section = said.model_dump(exclude_unset=True)
            rungs.append(Rung(name, part, what[name], training, section, own))
    return rungs


def reference_rung(rungs: list[Rung], reference: Training, name: str) -> Rung:
    """The rung of the walk that is the variant `reference`, called `name`.

    Raises:
        UserError: the walk does not pass through it.
    """
    ladder = [rung for rung in rungs if rung.part == "ladder"]
    closest = min(ladder, key=lambda rung: len(differences(rung.training, reference)))
    apart = differences(closest.training, reference)
    if apart:
        raise UserError(
            f"{FILE}: no rung of `ladder` comes out as variants.{name} of params.yaml; the closest,"
            f" {closest.name}, differs in {', '.join(apart)}"
        )
    return closest


def result_file(rung: str, seed: int) -> Path:
    """Where the measurement of a rung with a seed is."""
    return FOLDER / "results" / f"{rung}-{seed}.json"


def _checked(where: str, section: Section, budget: int) -> Training:
    training = checked(f"{FILE}, {where}", section)
    if training.epochs and training.epochs > budget:
        raise UserError(f"{FILE}: {where} has {training.epochs} epochs, over the budget {budget}")
    return training
