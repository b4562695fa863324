"""Everything that goes to MLflow of a run; registry.py has what becomes of its model."""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fifteen.tracking.store import answering, artifacts, connect, in_short

import mlflow
import numpy as np
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LifecycleStage,
    LoggedModelStatus,
    Metric,
    Param,
    RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.protos.databricks_pb2 import RESOURCE_ALREADY_EXISTS, ErrorCode
from mlflow.types import Schema, TensorSpec

if TYPE_CHECKING:
    import keras

logging.getLogger("mlflow").setLevel(logging.ERROR)  # not: tables created, artifacts looked for

RESUME_KEY = "resume.key"
MODEL = "model"
LAST_OF_EPOCH = "val/accuracy"
LEARNING_RATES_PER_EPOCH = 500  # points of the learning-rate curve, at most
BATCH_LIMIT = 1000  # metrics in one call, by MLflow's API


class TrackedRun:
    """One row of the MLflow table: a model from its training to its test."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self._client = mlflow.MlflowClient()

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log nested parameters under dotted names; the same ones again do no harm."""
        pairs = [Param(key, str(value)) for key, value in _flatten(params)]
        self._client.log_batch(self.id, params=pairs)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set or replace tags."""
        pairs = [RunTag(key, str(value)) for key, value in tags.items()]
        self._client.log_batch(self.id, tags=pairs)

    def set_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics of the whole run, except those that already have this value."""
        known = self._client.get_run(self.id).data.metrics
        self.log_metrics({key: value for key, value in metrics.items() if known.get(key) != value})

    def set_series(self, series: Mapping[str, list[tuple[int, float]]]) -> None:
        """`log_series` without those that are logged already."""
        known = self._client.get_run(self.id).data.metrics
        self.log_series({key: pairs for key, pairs in series.items() if key not in known})

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Log each metric at one step."""
        self.log_series({key: [(step, value)] for key, value in metrics.items()})

    def log_series(self, series: Mapping[str, list[tuple[int, float]]]) -> None:
        """Log many (step, value) pairs at once, series after series, in few transactions."""
        now = int(mlflow.utils.time.get_current_time_millis())
        metrics = [
            Metric(key, float(value), now, step)
            for key, pairs in series.items()
            for step, value in pairs
        ]
        for i in range(0, len(metrics), BATCH_LIMIT):
            self._client.log_batch(self.id, metrics=metrics[i : i + BATCH_LIMIT])

    def log_history(
        self, epochs: Sequence[Mapping[str, float]], rates: np.ndarray, steps: int
    ) -> None:
        """Log the curves of those epochs that are not logged yet.

        Args:
            epochs: all epochs so far, each with `epoch` (from 1) and its `train_` and `val_`
                metrics, which are logged as `train/` and `val/`.
            rates: the learning rate of each step, logged against the step.
            steps: steps per epoch.
        """
        stride = -(-steps // LEARNING_RATES_PER_EPOCH)
        logged = len(self._client.get_metric_history(self.id, LAST_OF_EPOCH))
        for row in epochs[logged:]:
            in_epoch = range((row["epoch"] - 1) * steps, row["epoch"] * steps, stride)
            series = {"learning_rate": [(step, float(rates[step])) for step in in_epoch]}
            # One transaction; the last metric of a row marks the epoch as logged.
            self.log_series(
                series
                | {
                    key.replace("_", "/", 1): [(row["epoch"], value)]
                    for key, value in row.items()
                    if key.startswith(("train_", "val_"))
                }
            )

    def publish(self, epochs: Sequence[Mapping[str, float]], rates: np.ndarray, steps: int) -> None:
        """`log_history` in the middle of a training, which goes on where the store fails.

        What is missing then is logged by the next call.
        """
        try:
            self.log_history(epochs, rates, steps)
        except MlflowException as error:
            print(f"the curves wait, as the MLflow store failed: {in_short(error)}", flush=True)

    def log_image(self, image: np.ndarray, key: str) -> None:
        """Log an (H, W, 3) uint8 picture, unless it is logged already.

        The UI shows it beside that of other runs.
        """
        logged = self._client.list_artifacts(self.id, "images")
        name = re.compile(f"images/{re.escape(key)}[%+]step")
        if not any(name.match(file.path) for file in logged):
            self._client.log_image(self.id, image, key=key, step=0)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or all files of a folder, as artifacts."""
        log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        log(self.id, str(path), folder)

    def log_data(self, source: str, digests: Mapping[str, str]) -> None:
        """Say which arrays the run saw.

        Each digest becomes a tag, and the digest of each part's images a data set of the UI.

        Args:
            source: the data set's name.
            digests: by file name, as in the checksums.json of a prepared folder.
        """
        inputs = [
            DatasetInput(
                Dataset(source, digest, source_type="code", source="{}"),
                [InputTag("mlflow.data.context", file.removesuffix("_images.npy"))],
            )
            for file, digest in digests.items()
            if file.endswith("_images.npy")
        ]
        # This fails where another run adds the same data set at the same moment. Then it is there,
        # so that one try more than there are data sets suffices.
        for left in reversed(range(len(inputs) + 1)):
            try:
                self._client.log_inputs(self.id, inputs)
                break
            except MlflowException as error:
                if not left or "unique constraint" not in str(error).lower():
                    raise
        self.set_tags({f"md5.{file}": digest for file, digest in digests.items()})

    def log_model(
        self,
        model: "keras.Model",
        image_shape: tuple[int, ...],
        classes: Sequence[str],
        temperature: float,
    ) -> None:
        """Log, in the run now open, a model from raw images to class probabilities.

        The names of its classes and the temperature that calibrates it go along as metadata. One
        that is logged already stays the only one; what a kill has left of one is removed.
        """
        experiment = self._client.get_run(self.id).info.experiment_id
        of_this_run = f"source_run_id = '{self.id}'"
        for begun in self._client.search_logged_models([experiment], of_this_run):
            if begun.status == LoggedModelStatus.READY:
                return
            self._client.delete_logged_model(begun.model_id)
        signature = ModelSignature(
            inputs=Schema([TensorSpec(np.dtype("uint8"), (-1, *image_shape))]),
            outputs=Schema([TensorSpec(np.dtype("float32"), (-1, len(classes)))]),
        )
        # Named requirements: inferring them takes ten seconds.
        mlflow.tensorflow.log_model(
            model,
            name=MODEL,
            signature=signature,
            metadata={"classes": list(classes), "temperature": temperature},
            pip_requirements=[
                f"{package}=={version(package)}" for package in ("tensorflow", "keras")
            ],
        )


@contextmanager
def new_run(source: str, name: str, stage: str) -> Iterator[TrackedRun]:
    """A new run in the experiment of `source`."""
    with answering():
        open_store(source)
        with mlflow.start_run(run_name=name, tags=_tags(stage)) as run:
            yield TrackedRun(run.info.run_id)


@contextmanager
def resumable_run(
    source: str, name: str, stage: str, resume_key: str, parent: str | None = None
) -> Iterator[TrackedRun]:
    """The run with the tag `resume_key`, whatever became of it, or else a new one.

    The key must belong to one training in one checkout, or trainings that share a server would
    write into each other's runs.

    Args:
        source: the data set's name.
        name: of a new run.
        stage: the DVC stage.
        resume_key: unlike that of any other training.
        parent: the run that this one is shown under, if any.
    """
    with answering():
        experiment = open_store(source)
        begun = mlflow.search_runs(
            [experiment], f"tags.`{RESUME_KEY}` = '{resume_key}'", output_format="list"
        )
        tags = _tags(stage) | {RESUME_KEY: resume_key}
        with mlflow.start_run(
            run_id=begun[0].info.run_id if begun else None,
            run_name=None if begun else name,
            tags=tags,
            nested=parent is not None,
            parent_run_id=None if begun else parent,
        ) as run:
            yield TrackedRun(run.info.run_id)


@contextmanager
def continued_run(source: str, run_id: str, name: str, stage: str) -> Iterator[TrackedRun]:
    """The finished run `run_id`, to add to it; it stays finished, with the duration it had.

    Where this store does not have it, because the store was deleted or the model was made on
    another machine, a new run takes its place.
    """
    with answering():
        open_store(source)
        if has_run(run_id):
            yield TrackedRun(run_id)
        else:
            print(f"run {run_id} of {name} is not in this MLflow store; a new one is begun")
            with new_run(source, name, stage) as run:
                yield run


def open_store(source: str) -> str:
    """Open the store, make the experiment of `source` where it is missing, and return its id."""
    name = f"fifteen-{source}"
    connect()
    if mlflow.get_experiment_by_name(name) is None:
        try:
            mlflow.create_experiment(name, artifacts())
        except MlflowException as error:  # another process, or another user, was faster
            if error.error_code != ErrorCode.Name(RESOURCE_ALREADY_EXISTS):
                raise
    return mlflow.set_experiment(name).experiment_id


def has_run(run_id: str) -> bool:
    """Whether the open store has this run, and nobody has deleted it in the UI."""
    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == LifecycleStage.ACTIVE
    except MlflowException:
        return False


def _tags(stage: str) -> dict[str, str]:
    """What DVC says of the experiment this process belongs to."""
    tags = {"dvc.stage": stage, "mlflow.source.name": " ".join(sys.argv)}
    names = {"dvc.exp_name": "DVC_EXP_NAME", "dvc.baseline_rev": "DVC_EXP_BASELINE_REV"}
    return tags | {tag: os.environ[key] for tag, key in names.items() if key in os.environ}


def _flatten(params: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
