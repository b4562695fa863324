"""A training beside the pipeline, tracked and resumable: what ablations/ and ensembles/ measure."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fifteen import hardware, tracking
from fifteen.config import Training, load_params
from fifteen.data.arrays import Part, read_classes, read_part
from fifteen.data.pipeline import steps_per_epoch
from fifteen.files import md5, read_json
from fifteen.hardware import HardwareInUse
from fifteen.networks.registry import build_network
from fifteen.sections import with_epochs
from fifteen.training.fit import train
from fifteen.training.history import History
from fifteen.training.schedules import learning_rates
from fifteen.training.work import resume_key, work_folder

import keras
from filelock import FileLock

DATA = Path("data/trainval")


@dataclass(frozen=True)
class Trained:
    """A training that is done, in its MLflow run.

    Attributes:
        config: all of it, its number of epochs filled in.
        network: with the weights of the end.
        history: its epochs.
        work: the folder with its best epoch and its snapshots, until the block ends.
        validation: the images that judge it.
        run: in MLflow.
        source: the data set's name.
        machine: what it ran on.
    """

    config: Training
    network: keras.Model
    history: History
    work: Path
    validation: Part
    run: tracking.TrackedRun
    source: str
    machine: HardwareInUse


@contextmanager
def trained(
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
    machine = hardware.configure(**params.hardware.model_dump())
    print(f"{name}, seed {seed}: on {machine.device}, in {machine.precision}", flush=True)
    classes = read_classes(DATA)
    training, validation = read_part(DATA, "train"), read_part(DATA, "validation")
    steps = steps_per_epoch(len(training.labels), config.batch_size)
    rates = learning_rates(config.schedule, config.epochs, steps)

    checksums = read_json(DATA / "checksums.json")
    decides = {
        "training": config.model_dump(),
        "seed": seed,
        "precision": machine.precision,
        "data": checksums,
        "script": md5(script),
    }
    work = work_folder(f"{pipeline}-{name}-{seed}", decides)
    experiment, stage = f"{classes.source}-{pipeline}", f"{pipeline}/dvc.yaml:{name}-{seed}"
    with (
        FileLock(work.with_suffix(".lock")),
        tracking.resumable_run(experiment, f"{name} seed {seed}", stage, resume_key(work)) as run,
    ):
        run.log_params(config.model_dump() | {"seed": seed, "precision": machine.precision})
        run.set_tags({"measured": name, "device": machine.device} | commit())
        run.log_data(classes.source, checksums)

        def publish(history: History) -> None:
            run.publish([asdict(row) for row in history], rates, steps)

        keras.utils.set_random_seed(seed)
        network = build_network(config.network, len(classes.names), training.images)
        with machine.scope():
            history = train(network, config, rates, training, validation, seed, work, publish)
        run.log_history([asdict(row) for row in history], rates, steps)
        yield Trained(config, network, history, work, validation, run, classes.source, machine)
        shutil.rmtree(work)


def commit() -> dict[str, Any]:
    """The commit whose code is at work, and whether that code has been changed since."""

    def git(*command: str) -> str | None:
        done = subprocess.run(("git", *command), capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else None

    code = ("src", "ablations/*.py", "ensembles/*.py", "requirements.txt")
    changes = git("status", "--porcelain", "--", *code)
    return {"commit": git("rev-parse", "HEAD"), "modified": bool(changes)}
