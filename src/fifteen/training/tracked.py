"""A training in its MLflow run, resumable: the heart of the stages that train."""

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
from fifteen.params.sections import Hardware, Training
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
class Trained:
    """A training that is done, in its MLflow run.

    Attributes:
        config: all of it, as adapted to the data.
        network: with the weights of the end, not compiled.
        history: its epochs.
        rates: the learning rate of each step that was made.
        work: the folder with its best epoch and its snapshots.
        training: the images it learned from.
        validation: the images that judged it.
        classes: what their labels mean.
        run: in MLflow.
        machine: what it ran on.
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
def trained(
    name: str,
    config: Training,
    seed: int,
    use: Hardware,
    min_steps: int,
    stage: str,
    pipeline: str = "",
) -> Iterator[Trained]:
    """Train as `config` says, from the last epoch finished; the block makes of it what it is for.

    Args:
        name: of the MLflow run; with `stage`, unlike that of any other training.
        config: the training, its number of epochs filled in; adapted to the data.
        seed: of the first weights and of the order of the images.
        use: how this machine is used.
        min_steps: least number of steps in an epoch; the batches of small data sets are smaller.
        stage: of DVC.
        pipeline: the folder of a pipeline beside the main one, the end of its MLflow experiment.
    """
    machine = hardware.configure(**use.model_dump())
    print(f"{name}: on {machine.device}, in {machine.precision}", flush=True)
    classes = read_classes(DATA)
    training, validation = read_part(DATA, "train"), read_part(DATA, "validation")
    wanted, config = config, adapted(config, len(training.labels), classes.mirrored, min_steps)
    if changes := describe_changes(wanted, config):
        print(f"{name}: {changes}", flush=True)
    steps = steps_per_epoch(len(training.labels), config.batch_size)
    rates = learning_rates(config.schedule, config.epochs, steps)
    checksums = read_json(DATA / "checksums.json")
    decides = {
        "training": config.model_dump(),
        "seed": seed,
        "precision": machine.precision,
        "data": checksums,
    }
    work = work_folder(name.replace(" ", "-"), decides, code=__name__)
    experiment = f"{classes.source}-{pipeline}" if pipeline else classes.source
    with (
        at_work(work),
        runs.resumable_run(experiment, name, stage, resume_key(work)) as run,
    ):
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
        yield Trained(
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
