"""The registered model `fifteen-SOURCE`: which run's model has which alias."""

import math
from dataclasses import dataclass
from pathlib import Path

from fifteen.errors import UserError
from fifteen.tracking import MODEL, has_run, open_store, store_folder, store_uri

import mlflow
from filelock import FileLock
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


def register(source: str, alias: str, run_id: str, metric: str, force: bool = False) -> None:
    """Give `alias` of the registered model `fifteen-SOURCE` to the model of a run.

    The alias moves only when `metric` of the run, which must be a validation metric, is higher
    than that of the run that holds it, or with `force`; never to a run that this store does not
    have.
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
        holder = _holder(client, name, alias)
        if holder == run_id:
            return
        if holder and not force and score(holder) >= score(run_id):
            print(
                f"{alias} stays with run {holder}, whose {metric} is {score(holder):.4f}, "
                f"not below {score(run_id):.4f}; `python src/report.py --force` moves it"
            )
            return
        version = _version(client, name, run_id)
        client.set_registered_model_alias(name, alias, version)


def download(name: str, alias: str) -> Registered:
    """Fetch the model that has `alias` among the versions of the registered model `name`.

    Raises:
        UserError: there is none.
    """
    uri = store_uri()
    path = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and not path.exists():  # which MLflow would create
        raise UserError(f"there is no model yet, as {path} is missing; make one with `make run`")
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    if _holder(client, name, alias) is None:
        found = [f"{m.name}@{a}" for m in client.search_registered_models() for a in m.aliases]
        raise UserError(
            f"no model {name}@{alias} is registered in {uri}; there are: "
            f"{', '.join(sorted(found)) or 'none; make one with `make run`'}"
        )
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{name}@{alias}"))
    metadata = mlflow.models.Model.load(str(folder)).metadata or {}
    if not {"classes", "temperature"} <= set(metadata):
        raise UserError(f"{name}@{alias} does not say its classes; make it anew with `make run`")
    return Registered(folder / "data" / "model.keras", metadata["classes"], metadata["temperature"])


def _holder(client: mlflow.MlflowClient, name: str, alias: str) -> str | None:
    """The run whose model has the alias."""
    try:
        return client.get_model_version_by_alias(name, alias).run_id
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise
        return None


def _version(client: mlflow.MlflowClient, name: str, run_id: str) -> str:
    """The version that the model of a run is registered as, now or before."""
    for version in client.search_model_versions(f"run_id = '{run_id}'"):
        if version.name == name:
            return version.version
    return mlflow.register_model(f"runs:/{run_id}/{MODEL}", name).version
