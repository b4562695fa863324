"""The registered model `fifteen-SOURCE`: which run's model has which alias."""

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

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # no such model, no such alias


@dataclass(frozen=True)
class Registered:
    """A registered model on this machine.

    Attributes:
        file: with the Keras model.
        classes: their names.
        temperature: that calibrates its probabilities.
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
    """Give `alias` of the registered model `fifteen-SOURCE` to the model of a run.

    It never goes to a run that this store does not have.

    Args:
        source: the data set's name.
        alias: such as `champion`.
        run_id: the run whose model should have it.
        metric: of the runs, on validation images; the alias never goes to a run with a lower one
            than that of the run that has it.
        description: of the model, for who looks at its version.
        force: whether it goes there all the same.
    """
    open_store(source)
    client, name = mlflow.MlflowClient(), name_of(source)

    def score(run: str) -> float:
        metrics = client.get_run(run).data.metrics if has_run(run) else {}
        return metrics.get(metric, -math.inf)

    if not has_run(run_id):
        print(f"run {run_id} is not in this MLflow store; {alias} stays where it is")
        return
    with FileLock(store_folder() / ".registry.lock"):  # experiments that end at once, in turn
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
    """The version with `alias` of the registered model `name`.

    Raises:
        UserError: there is none.
    """
    uri = store_uri()
    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not path.exists():  # which MLflow would create
        raise UserError(
            f"there is no model yet, as {path} is missing; make one with `make run`, or `make demo`"
        )
    connect()
    client = mlflow.MlflowClient()
    version = _version_with(client, name, alias)
    if version is None:
        found = [f"{m.name}@{a}" for m in client.search_registered_models() for a in m.aliases]
        raise UserError(
            f"no model {name}@{alias} is registered; there are: "
            f"{', '.join(sorted(found)) or 'none; make one with `make run`'}"
        )
    return version.version


@answering()
def download(name: str, alias: str) -> Registered:
    """Fetch the model that has `alias` among the versions of the registered model `name`.

    From a server it is fetched once for each version, into `.fifteen/`.

    Raises:
        UserError: there is none, or it does not say its classes.
    """
    version = require(name, alias)
    address = f"models:/{name}/{version}"
    folder = repository_root() / ".fifteen" / "models" / f"{name}-{version}"
    if store_uri().startswith("sqlite:///"):
        folder = Path(mlflow.artifacts.download_artifacts(address))  # where it lies
    elif not folder.exists():
        with new_folder(folder) as partial:
            mlflow.artifacts.download_artifacts(address, dst_path=str(partial))
    metadata = mlflow.models.Model.load(str(folder)).metadata or {}
    if not {"classes", "temperature"} <= set(metadata):
        raise UserError(f"{name}@{alias} does not say its classes; make it anew with `make run`")
    return Registered(folder / "data" / "model.keras", metadata["classes"], metadata["temperature"])


def _version_with(client: mlflow.MlflowClient, name: str, alias: str) -> ModelVersion | None:
    """The version that has the alias."""
    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None


def _version_of(client: mlflow.MlflowClient, name: str, run_id: str, description: str) -> str:
    """The version that the model of a run is registered as, now or before."""
    for version in client.search_model_versions(f"run_id = '{run_id}'"):
        if version.name == name:
            return version.version
    version = mlflow.register_model(f"runs:/{run_id}/{MODEL}", name).version
    client.update_model_version(name, version, description)
    return version
