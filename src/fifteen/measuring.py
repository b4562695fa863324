"""Trainings beside the pipeline: what ablations/ and ensembles/ measure."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fifteen.command import name_and_seed
from fifteen.config import Training, load_params
from fifteen.errors import UserError
from fifteen.files import read_json
from fifteen.git import commit
from fifteen.sections import with_epochs
from fifteen.tracked_training import Trained, trained


def planned(pipeline: str, description: str) -> tuple[str, int, Any]:
    """What a stage of measuring is called with, and its plan: (name, seed, plan).

    Args:
        pipeline: the folder of the pipeline; `trainings/NAME.json` in it holds the plan.
        description: of the stage, for `--help`.

    Raises:
        UserError: there is no plan of that name.
    """
    name, seed = name_and_seed(description, f"its name in {pipeline}/params.yaml")
    path = Path(pipeline) / "trainings" / f"{name}.json"
    if not path.exists():
        raise UserError(
            f"nothing is called {name!r} in {pipeline}/params.yaml, or it is new there and"
            f" `dvc repro {pipeline}/dvc.yaml:trainings` has not been run since"
        )
    return name, seed, read_json(path)


@contextmanager
def trained_beside(
    pipeline: str, name: str, section: Mapping[str, Any], seed: int, script: Path
) -> Iterator[Trained]:
    """Train as `section` says, from the last epoch finished; the block measures what came of it.

    Args:
        pipeline: the folder of the pipeline it belongs to, and the end of its MLflow experiment.
        name: of what is measured; unlike that of any other in this pipeline.
        section: the training, a section as in params.yaml.
        seed: of the training.
        script: the file that measures, a change of which begins anew.
    """
    params = load_params()
    config = with_epochs(Training.model_validate(section), params.budget.epochs)
    stage, min_steps = f"{pipeline}/dvc.yaml:{name}-{seed}", params.budget.min_steps_per_epoch
    title, use = f"{name} seed {seed}", params.hardware
    with trained(title, config, seed, use, min_steps, script, stage, pipeline) as found:
        found.run.set_tags({"measured": name} | commit())
        yield found
