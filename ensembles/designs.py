"""The designs of ensembles/params.yaml: how several models may share fifteen epochs."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from fifteen.config import Name, Params, Strict, Training
from fifteen.errors import UserError
from fifteen.sections import Section, changed, checked, with_epochs

from pydantic import Field

FOLDER = Path("ensembles")
FILE = FOLDER / "params.yaml"


class Sketch(Strict):
    """One design: what is trained, and how often."""

    what: Annotated[str, Field(min_length=1)]
    variant: Name  # of ../params.yaml; the first design of a variant is what others are judged by
    change: dict[str, Any]
    models: Annotated[int, Field(ge=1, le=100)] = 1  # trained one after the other, each on its own


class Plan(Strict):
    """The whole of ensembles/params.yaml."""

    seeds: Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(min_length=1)]
    designs: Annotated[dict[Name, Sketch], Field(min_length=1)]


@dataclass(frozen=True)
class Design:
    """One way to spend the budget.

    Attributes:
        name: unlike that of any other design.
        what: it in words.
        variant: that it changes.
        training: all of one training, its number of epochs filled in.
        section: the same as said: without the keys that have their defaults.
        models: number of trainings; of one the snapshots are the members, else the models are.
    """

    name: str
    what: str
    variant: str
    training: Training
    section: Section
    models: int


def all_designs(plan: Plan, params: Params) -> list[Design]:
    """The designs in their order.

    Raises:
        UserError: one is no possible training, is over the budget, or has fewer than two members.
    """
    trainings = {"baseline": params.baseline, **params.variants}
    found = []
    for name, sketch in plan.designs.items():
        where = f"{FILE}, designs.{name}"
        if sketch.variant not in trainings:
            raise UserError(
                f"{where}: there is no variant {sketch.variant!r}; there are: "
                f"{', '.join(trainings)}"
            )
        base = trainings[sketch.variant].model_dump(exclude_unset=True)
        said = checked(where, changed(base, sketch.change))
        training = with_epochs(said, params.budget.epochs)
        if training.epochs * sketch.models > params.budget.epochs:
            raise UserError(
                f"{where}: {sketch.models} × {training.epochs} epochs are over the budget of "
                f"{params.budget.epochs}"
            )
        members = training.snapshot_count if sketch.models == 1 else sketch.models
        if members < 2:
            raise UserError(f"{where}: it has {members} members; give it snapshots, or models")
        section = said.model_dump(exclude_unset=True)
        found.append(Design(name, sketch.what, sketch.variant, training, section, sketch.models))
    return found


def result_file(design: str, seed: int) -> Path:
    """Where the measurement of a design with a seed is."""
    return FOLDER / "results" / f"{design}-{seed}.json"
