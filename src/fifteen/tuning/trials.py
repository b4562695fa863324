"""One trial: a training that can be resumed and promoted, with a run of its own in MLflow."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError
from fifteen.common.files import digest, read_json, write_json
from fifteen.data.arrays import Classes, Part
from fifteen.data.batches import steps_per_epoch
from fifteen.inference.hardware import HardwareInUse
from fifteen.networks.build import build_network
from fifteen.params.search_space import with_values
from fifteen.params.sections import Search, Training
from fifteen.tracking import runs
from fifteen.training.adaptation import adapted
from fifteen.training.fit import train
from fifteen.training.history import History
from fifteen.training.schedules import learning_rates
from fifteen.tuning.oracle import own_values
from fifteen.tuning.progress import Progress

import keras
import tensorflow as tf
from filelock import FileLock
from keras_tuner.engine.trial import Trial

FAILURES = (UserError, MemoryError, tf.errors.ResourceExhaustedError)


class StepClock(keras.callbacks.Callback):
    """Measures the time in training and validation steps, that in earlier sessions included."""

    def __init__(self, file: Path) -> None:
        """Go on from what was saved in `file`, if anything was."""
        super().__init__()
        self._file = file
        self._before = read_json(file)["seconds"] if file.exists() else 0.0
        self._durations: dict[str, list[float]] = defaultdict(list)

    @property
    def seconds(self) -> float:
        """The time in steps so far.

        The first execution of each kind, in which TensorFlow builds its graph, counts as the mean
        of the others.
        """
        total = self._before
        for first, *others in self._durations.values():
            total += sum(others) + (min(first, sum(others) / len(others)) if others else first)
        return total

    def save(self) -> None:
        """Write the time so far to the file."""
        write_json(self._file, {"seconds": self.seconds})

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop the clock."""
        self._durations["training"].append(time.perf_counter() - self._began)

    on_test_batch_begin = on_train_batch_begin

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop the clock."""
        self._durations["validation"].append(time.perf_counter() - self._began)


@dataclass(frozen=True)
class Trials:
    """What the trials of one search share.

    Attributes:
        name: of the model that the search is for.
        search: its section of params.yaml.
        min_steps: least number of steps in an epoch; the batches of small data sets are smaller.
        classes: of the data set.
        training: the images to learn from.
        validation: the images that judge.
        machine: what they run on.
        folder: keeps a file of each trial and the checkpoints of each configuration.
        key: the resume key of the search.
        parent_run: the MLflow run of the search.
        progress: where to say what happens.
        save_clock: is called after every epoch, to remember the time that the search has taken.
    """

    name: str
    search: Search
    min_steps: int
    classes: Classes
    training: Part
    validation: Part
    machine: HardwareInUse
    folder: Path
    key: str
    parent_run: str
    progress: Progress
    save_clock: Callable[[], None]

    def train(self, trial: Trial) -> float:
        """Train a trial; returns its best validation accuracy, in [0, 1].

        A trial that was promoted goes on where the one before ended, with its optimizer's state. A
        trial that diverges, or for which memory does not suffice, is recorded as failed and is the
        worst of its rung.
        """
        # A chief that was started anew may give a trial to a second worker.
        with FileLock(self._file(trial.trial_id).with_suffix(".lock")):
            if not self._file(trial.trial_id).exists():
                write_json(self._file(trial.trial_id), self._outcome(trial))
        return self.result(trial.trial_id)["val_accuracy"] or 0.0

    def result(self, trial: str) -> dict[str, Any]:
        """What became of a trial that has ended."""
        return read_json(self._file(trial))

    def _file(self, trial: str) -> Path:
        return self.folder / f"trial_{trial}.json"

    def _outcome(self, trial: Trial) -> dict[str, Any]:
        own = trial.hyperparameters.values
        parent = own.get("tuner/trial_id")
        origin = self.result(parent) if parent else None
        values = own_values(trial, self.search)
        outcome = {
            "trial": trial.trial_id,
            "configuration": origin["configuration"] if origin else trial.trial_id,
            "status": "completed",
            "bracket": origin["bracket"] if origin else own["tuner/bracket"],
            "rung": own["tuner/round"],
            "epochs": own["tuner/epochs"],
            "promoted_from": parent,
            "hyperparameters": values,
        }
        config = Training.model_validate(with_values(self.search.space, values)).model_copy(
            update={"epochs": own["tuner/epochs"], "patience": self.search.patience}
        )
        self._say(outcome)
        clock = StepClock(self.folder / f"steps_{trial.trial_id}.json")
        tags = {k: outcome[k] for k in ("trial", "bracket", "rung", "promoted_from")}
        try:
            if origin and origin["status"] == "failed":
                raise UserError(f"it was promoted from trial {parent}, which failed")
            run_id, history = self._fit(
                f"trial {trial.trial_id}",
                trial.trial_id,
                {key: value for key, value in tags.items() if value is not None},
                config,
                self.folder / f"configuration_{outcome['configuration']}",
                own["tuner/initial_epoch"],
                clock,
            )
        except FAILURES as error:
            return outcome | {
                "status": "failed",
                "val_accuracy": None,
                "seconds": 0.0,
                "step_seconds": clock.seconds,
                "message": self._failed(error),
                "accuracies": [],
                "run_id": None,
            }
        accuracies = [row.val_accuracy for row in history]
        return outcome | {
            "val_accuracy": max(accuracies),
            "seconds": sum(row.seconds for row in history[own["tuner/initial_epoch"] :]),
            "step_seconds": clock.seconds,
            "message": None,
            "accuracies": accuracies,
            "run_id": run_id,
        }

    def take_back(self, name: str, config: Training) -> dict[str, Any]:
        """Train the winner with one thing taken back; its time is none of the search's.

        Args:
            name: of what is taken back.
            config: the training without it, its number of epochs filled in.

        Returns:
            `val_accuracy` of the best epoch, None if it failed, with a `message` then; `run_id`.
        """
        # another baseline means another training
        key = f"without-{name}-{digest(config.model_dump())}"
        path = self.folder / f"{key}.json"
        if not path.exists():
            result: dict[str, Any] = {"val_accuracy": None, "message": None, "run_id": None}
            try:
                result["run_id"], history = self._fit(
                    f"without {name}",
                    key,
                    {"taken_back": name},
                    config,
                    self.folder / f"configuration_{key}",
                )
                result["val_accuracy"] = max(row.val_accuracy for row in history)
            except FAILURES as error:
                result["message"] = self._failed(error)
            write_json(path, result)
        return read_json(path)

    def _failed(self, error: Exception) -> str:
        message = _reason(error)
        self.progress.say(f"  failed: {message}")
        return message

    def _fit(
        self,
        title: str,
        key: str,
        tags: dict[str, Any],
        config: Training,
        work: Path,
        initial_epoch: int = 0,
        clock: StepClock | None = None,
    ) -> tuple[str, History]:
        """Train in an MLflow run of its own; returns the run's id and the epochs in `work`."""
        images = len(self.training.labels)
        config = adapted(config, images, self.classes.mirrored, self.min_steps)
        steps = steps_per_epoch(images, config.batch_size)
        rates = learning_rates(config.schedule, self.search.max_epochs, steps)
        with runs.resumable_run(
            self.classes.source,
            f"{self.name} {title}",
            f"tune@{self.name}",
            f"{self.key}-{key}",
            parent=self.parent_run,
        ) as run:
            run.log_params(
                config.model_dump()
                | {"seed": self.search.seed, "precision": self.machine.precision}
            )
            run.set_tags(tags)

            def publish(history: History) -> None:
                run.publish([asdict(row) for row in history], rates, steps)
                row = history[-1]
                if row.epoch > initial_epoch:  # else it is of the trial before
                    if clock:
                        clock.save()
                        self.save_clock()
                    self.progress.say(
                        f"  epoch {row.epoch} of {config.epochs}: validation accuracy "
                        f"{row.val_accuracy:.2%}, {row.seconds:.0f} s"
                    )

            keras.backend.clear_session()  # the networks of earlier trials; it collects garbage
            keras.config.set_dtype_policy(self.machine.precision)
            keras.utils.set_random_seed(self.search.seed)
            try:
                network = build_network(
                    config.network, len(self.classes.names), self.training.images
                )
                with self.machine.scope():
                    history = train(
                        network,
                        config,
                        rates,
                        self.training,
                        self.validation,
                        self.search.seed,
                        work,
                        publish,
                        callbacks=[clock] if clock else [],
                        verbose=0,
                    )
            except FAILURES as error:
                run.set_tags({"failure": error})
                raise  # the run is FAILED
            run.log_history([asdict(row) for row in history], rates, steps)
            run.set_metrics({"val/best_accuracy": max(row.val_accuracy for row in history)})
        return run.id, history

    def _say(self, outcome: dict[str, Any]) -> None:
        where = f"bracket {outcome['bracket']}, rung {outcome['rung']}"
        promoted = outcome["promoted_from"]
        values = ", ".join(f"{k}={_short(v)}" for k, v in outcome["hyperparameters"].items())
        self.progress.say(
            f"trial {outcome['trial']} ({where}"
            + (f", promoted from {promoted}" if promoted else "")
            + f"): {values}"
        )


def _reason(error: Exception) -> str:
    """The line of a message that says it: TensorFlow's begin with where, not with what."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "OOM" in line), (lines or [type(error).__name__])[0])


def _short(value: bool | int | float | str) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
