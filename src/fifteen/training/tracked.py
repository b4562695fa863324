"""One training inside its MLflow run, resumable: what every stage that trains has in common."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from fifteen.common.files import read_json
from fifteen.data.arrays import Classes, Part, read_classes, read_part
from fifteen.data.batches import steps_per_epoch
from fifteen.inference import hardware
from fifteen.inference.hardware import HardwareInUse
from fifteen.networks.build import build_network
from fifteen.params.sections import Budget, Hardware, Training
from fifteen.tracking import runs
from fifteen.training.adaptation import adapted, describe_changes
from fifteen.training.fit import train
from fifteen.training.history import History
from fifteen.training.schedules import learning_rates
from fifteen.training.work import at_work, resume_key, work_folder

import keras
import numpy as np

DATA = Path("data/trainval")


@dataclass(frozen=True)
class TrainingRun:
    """A finished training and its MLflow run.

    Attributes:
        config: the training section, adapted to the data.
        network: with the weights after the last step, not compiled.
        history: its epochs.
        rates: the learning rate of each step that was made, (steps,) float32.
        work: the folder with the weights of the best epoch and of the snapshots.
        training: the training images.
        validation: the validation images.
        classes: what the labels mean.
        run: the MLflow run, still open.
        machine: the hardware and precision that were used.
    """

    config: Training
    network: keras.Model
    history: History
    rates: np.ndarray
    work: Path
    training: Part
    validation: Part
    classes: Classes
    run: runs.TrackedRun
    machine: HardwareInUse


@contextmanager
def training_run(
    name: str,
    config: Training,
    seed: int,
    use: Hardware,
    budget: Budget,
    stage: str,
    pipeline: str = "",
) -> Iterator[TrainingRun]:
    """Train in an MLflow run, from the last finished epoch on; the block uses the result.

    The training counts as done when the block succeeds.

    Args:
        name: of the MLflow run. No two trainings have the same `name` and `stage`.
        config: the training section; it is adapted to the data.
        seed: decides the first weights and the order of the images.
        use: how the hardware is used.
        budget: the number of epochs where `config` gives none, and the least number of steps in
            an epoch.
        stage: of DVC.
        pipeline: a suffix for the MLflow experiment of trainings outside the main pipeline.
    """
    machine = hardware.configure(**use.model_dump())
    print(f"{name}: on {machine.device}, in {machine.precision}", flush=True)
    classes = read_classes(DATA)
    training, validation = read_part(DATA, "train"), read_part(DATA, "validation")
    images, wanted = len(training.labels), config
    config = adapted(wanted, images, classes.mirrored, budget.min_steps_per_epoch)
    if changes := describe_changes(wanted, config):
        print(f"{name}: {changes}", flush=True)
    steps = steps_per_epoch(images, config.batch_size)
    rates = learning_rates(config.schedule, config.epochs or budget.epochs, steps)
    checksums = read_json(DATA / "checksums.json")
    decides = {
        "training": config.model_dump(),
        "seed": seed,
        "precision": machine.precision,
        "data": checksums,
    }
    work = work_folder(name.replace(" ", "-"), decides, code=__name__)
    experiment = f"{classes.source}-{pipeline}" if pipeline else classes.source
    with at_work(work), runs.resumable_run(experiment, name, stage, resume_key(work)) as run:
        run.log_params(config.model_dump() | {"seed": seed, "precision": machine.precision})
        run.set_tags({"device": machine.device})  # may change when a training is resumed
        run.log_data(classes.source, checksums)

        def publish(history: History) -> None:
            run.publish([asdict(row) for row in history], rates, steps)

        keras.utils.set_random_seed(seed)
        network = build_network(config.network, len(classes.names), training.images)
        with machine.scope():
            history = train(network, config, rates, training, validation, seed, work, publish)
        run.log_history([asdict(row) for row in history], rates, steps)
        yield TrainingRun(
            config,
            network,
            history,
            rates[: len(history) * steps],
            work,
            training,
            validation,
            classes,
            run,
            machine,
        )
