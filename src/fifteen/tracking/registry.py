"""The MLflow registry: models registered as `fifteen-SOURCE`, and their aliases."""

import math
from dataclasses import dataclass
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.common.files import new_folder, repository_root
from fifteen.tracking.runs import MODEL, has_run, open_store
from fifteen.tracking.store import answering, connect, store_folder, store_uri

import mlflow
from filelock import FileLock
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # no such model or alias


@dataclass(frozen=True)
class Registered:
    """A registered model, downloaded.

    Attributes:
        file: of the Keras model.
        classes: the names of the classes.
        temperature: calibrates its probabilities.
    """

    file: Path
    classes: list[str]
    temperature: float


def name_of(source: str) -> str:
    """The name under which the models of a data set are registered."""
    return f"fifteen-{source}"


@answering()
def register(
    source: str, alias: str, run_id: str, metric: str, description: str, force: bool = False
) -> None:
    """Register the model of a run as `fifteen-SOURCE` and give it an alias.

    Nothing happens if this store does not have the run, or if the alias belongs to a better one.

    Args:
        source: the data set's name.
        alias: such as `champion`.
        run_id: the run with the model.
        metric: a validation metric; a run is better if it has a higher one.
        description: of the new version.
        force: whether to take the alias from a better run.
    """
    open_store(source)
    client, name = mlflow.MlflowClient(), name_of(source)

    def score(run: str) -> float:
        metrics = client.get_run(run).data.metrics if has_run(run) else {}
        return metrics.get(metric, -math.inf)

    if not has_run(run_id):
        print(f"run {run_id} is not in this MLflow store; {alias} stays where it is")
        return
    with FileLock(store_folder() / ".registry.lock"):  # experiments may end at the same time
        current = _version_with(client, name, alias)
        holder = current.run_id if current else None
        if holder == run_id:
            return
        if holder and not force and score(holder) > score(run_id):
            print(
                f"{alias} stays with run {holder}, whose {metric} is {score(holder):.4f}, above "
                f"{score(run_id):.4f}; `python src/promote.py --force` moves it"
            )
            return
        version = _version_of(client, name, run_id, description)
        client.set_registered_model_alias(name, alias, version)


@answering()
def require(name: str, alias: str) -> str:
    """The number of the version of the registered model `name` that has `alias`.

    Raises:
        UserError: there is none.
    """
    uri = store_uri()
    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not path.exists():  # MLflow would create it
        raise UserError(
            f"there is no model yet, as {path} is missing; make one with `make run`, or `make demo`"
        )
    connect()
    client = mlflow.MlflowClient()
    version = _version_with(client, name, alias)
    if version is None:
        models = client.search_registered_models()
        existing = sorted(f"{model.name}@{alias}" for model in models for alias in model.aliases)
        raise UserError(
            f"no model {name}@{alias} is registered; there are: "
            f"{', '.join(existing) or 'none; make one with `make run`'}"
        )
    return version.version


@answering()
def download(name: str, alias: str) -> Registered:
    """Download the version of the registered model `name` that has `alias`.

    From a server, each version is downloaded once, into `.fifteen/`.

    Raises:
        UserError: there is none, or its metadata lack the classes.
    """
    version = require(name, alias)
    address = f"models:/{name}/{version}"
    folder = repository_root() / ".fifteen" / "models" / f"{name}-{version}"
    if store_uri().startswith("sqlite:///"):
        folder = Path(mlflow.artifacts.download_artifacts(address))  # not copied
    elif not folder.exists():
        with new_folder(folder) as partial:
            mlflow.artifacts.download_artifacts(address, dst_path=str(partial))
    metadata = mlflow.models.Model.load(str(folder)).metadata or {}
    if not {"classes", "temperature"} <= set(metadata):
        raise UserError(f"{name}@{alias} does not say its classes; make it anew with `make run`")
    return Registered(folder / "data" / "model.keras", metadata["classes"], metadata["temperature"])


def _version_with(client: mlflow.MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version of a registered model that has the alias, if any."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None


def _version_of(client: mlflow.MlflowClient, name: str, run_id: str, description: str) -> str:
    """The number of the version that is the model of a run; it is registered if there is none."""
    for version in client.search_model_versions(f"run_id = '{run_id}'"):
        if version.name == name:
            return version.version
    registered = mlflow.register_model(f"runs:/{run_id}/{MODEL}", name)
    client.update_model_version(name, registered.version, description)
    return registered.version
