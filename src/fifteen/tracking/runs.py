"""MLflow runs: opening them, and logging to them."""

import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fifteen.common.nested import flatten
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

logging.getLogger("mlflow").setLevel(logging.ERROR)  # not its progress

RESUME_KEY = "resume.key"
MODEL = "model"
LAST_OF_EPOCH = "val/accuracy"
LEARNING_RATES_PER_EPOCH = 500  # most points of the learning-rate curve
BATCH_LIMIT = 1000  # most metrics that MLflow takes in one call


class TrackedRun:
    """An MLflow run, which holds all of one model from its training to its test."""

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self._client = mlflow.MlflowClient()

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log nested parameters under dotted names; logging them again changes nothing."""
        pairs = [Param(key, str(value)) for key, value in flatten(params).items()]
        self._client.log_batch(self.id, params=pairs)

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set or replace tags."""
        pairs = [RunTag(key, str(value)) for key, value in tags.items()]
        self._client.log_batch(self.id, tags=pairs)

    def set_metrics(self, metrics: Mapping[str, float]) -> None:
        """Log metrics of the whole run, but for those that already have their value."""
        known = self._client.get_run(self.id).data.metrics
        new = {key: value for key, value in metrics.items() if known.get(key) != value}
        self.log_series({key: [(0, value)] for key, value in new.items()})

    def set_series(self, series: Mapping[str, list[tuple[int, float]]]) -> None:
        """Log series of (step, value) pairs, but for those that are logged already."""
        known = self._client.get_run(self.id).data.metrics
        self.log_series({key: pairs for key, pairs in series.items() if key not in known})

    def log_series(self, series: Mapping[str, list[tuple[int, float]]]) -> None:
        """Log series of (step, value) pairs in few transactions."""
        now = int(mlflow.utils.time.get_current_time_millis())
        pairs = ((key, *pair) for key, pairs in series.items() for pair in pairs)
        metrics = [Metric(key, float(value), now, step) for key, step, value in pairs]
        for i in range(0, len(metrics), BATCH_LIMIT):
            self._client.log_batch(self.id, metrics=metrics[i : i + BATCH_LIMIT])

    def log_history(
        self, epochs: Sequence[Mapping[str, float]], rates: np.ndarray, steps: int
    ) -> None:
        """Log the curves of the epochs that are not logged yet.

        Args:
            epochs: all epochs so far. Each has its number `epoch`, from 1, and metrics `train_…`
                and `val_…`, which are logged as `train/…` and `val/…`.
            rates: the learning rate of each step.
            steps: steps per epoch.
        """
        stride = -(-steps // LEARNING_RATES_PER_EPOCH)
        logged = len(self._client.get_metric_history(self.id, LAST_OF_EPOCH))
        for row in epochs[logged:]:
            epoch = int(row["epoch"])
            in_epoch = range((epoch - 1) * steps, epoch * steps, stride)
            series = {"learning_rate": [(step, float(rates[step])) for step in in_epoch]}
            for key, value in row.items():
                if key.startswith(("train_", "val_")):
                    series[key.replace("_", "/", 1)] = [(epoch, value)]
            self.log_series(series)  # one transaction; its last metric marks the epoch as logged

    def publish(self, epochs: Sequence[Mapping[str, float]], rates: np.ndarray, steps: int) -> None:
        """`log_history` during a training, which continues when the store fails.

        The next call logs what is missing.
        """
        try:
            self.log_history(epochs, rates, steps)
        except MlflowException as error:
            print(f"the curves wait, as the MLflow store failed: {in_short(error)}", flush=True)

    def log_image(self, image: np.ndarray, key: str) -> None:
        """Log an (H, W, 3) uint8 picture, unless one is logged under `key` already."""
        logged = self._client.list_artifacts(self.id, "images")
        name = re.compile(f"images/{re.escape(key)}[%+]step")
        if not any(name.match(file.path) for file in logged):
            self._client.log_image(self.id, image, key=key, step=0)

    def log_file(self, path: Path, folder: str | None = None) -> None:
        """Log a file, or all files of a folder, as artifacts."""
        log = self._client.log_artifacts if path.is_dir() else self._client.log_artifact
        log(self.id, str(path), folder)

    def log_data(self, source: str, digests: Mapping[str, str]) -> None:
        """Log the data that the run used.

        Each digest becomes a tag. The digest of each part's images also becomes an MLflow data set.

        Args:
            source: the data set's name.
            digests: of the arrays, by file name, as in checksums.json.
        """
        inputs = [
            DatasetInput(
                Dataset(source, digest, source_type="code", source="{}"),
                [InputTag("mlflow.data.context", file.removesuffix("_images.npy"))],
            )
            for file, digest in digests.items()
            if file.endswith("_images.npy")
        ]
        # This fails when another run adds one of these data sets at the same time. After that it
        # exists, so one try more than there are data sets suffices.
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
        """Log a model from raw images to class probabilities, in the run that is open.

        Its metadata have the names of the classes and the temperature that calibrates it. A run has
        one model: a second call changes nothing, and the rest of a killed call is removed.
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
        # MLflow would take ten seconds to infer the requirements.
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
    """The run with the tag `resume_key`, whatever its status, or else a new one.

    The key must be unique to one training in one checkout, as others may use the same server.

    Args:
        source: the data set's name.
        name: of a new run.
        stage: the DVC stage.
        resume_key: unique to the training.
        parent: the id of the parent run of a new run, if any.
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
    """The finished run `run_id`, to log more to it without changing its status and duration.

    If this store does not have it, a new run takes its place: the store may have been deleted, or
    the model made on another machine.
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
    """Open the store and select the experiment of `source`, new if missing; returns its id."""
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
    """Whether the open store has this run, and it has not been deleted in the UI."""
    try:
        return mlflow.get_run(run_id).info.lifecycle_stage == LifecycleStage.ACTIVE
    except MlflowException:
        return False


def _tags(stage: str) -> dict[str, str]:
    """The tags of a new run: its stage, its command, and its DVC experiment if there is one."""
    tags = {"dvc.stage": stage, "mlflow.source.name": " ".join(sys.argv)}
    names = {"dvc.exp_name": "DVC_EXP_NAME", "dvc.baseline_rev": "DVC_EXP_BASELINE_REV"}
    return tags | {tag: os.environ[key] for tag, key in names.items() if key in os.environ}
