"""The MLflow store: where it is, opening it, and its errors."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# MLflow's default of 7 retries makes a training wait for four minutes if the server is away.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

from fifteen.common.errors import UserError
from fifteen.common.files import new_folder, repository_root

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

# It logs the traceback of errors that it also raises.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

LOCK_TIMEOUT = 60  # seconds; how long another process may lock the store

SCHEMA = "dc11669786a5"  # the schema version of MLflow whose tables `_relocate` knows
# The columns that hold addresses of artifacts on this machine, by table.
LOCATIONS = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


def store_uri() -> str:
    """The address of the store: MLFLOW_TRACKING_URI, or the SQLite file of the main repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_store()


def own_store() -> str:
    """The address of the SQLite file of the main repository."""
    return f"sqlite:///{store_folder() / 'mlflow.db'}"


def store_folder() -> Path:
    """The folder of the SQLite store and its artifacts."""
    return repository_root() / "mlruns"


def artifacts() -> str | None:
    """The address for the artifacts of a new experiment; None leaves it to a team's server."""
    return (store_folder() / "artifacts").as_uri() if store_uri() == own_store() else None


def shown(uri: str) -> str:
    """An address with its password hidden, for messages."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":***@") if password else uri


def connect() -> None:
    """Make MLflow use the store; create the SQLite store of this checkout if it has none.

    A store that was moved or copied with its checkout is pointed at its artifacts again.

    Raises:
        UserError: the SQLite store is damaged, locked, or cannot be created or relocated.
    """
    mlflow.set_tracking_uri(store_uri())
    folder = store_folder()
    folder.mkdir(exist_ok=True)
    if store_uri() == own_store():
        with FileLock(folder / ".lock"):
            if (folder / "mlflow.db").exists():
                _relocate(folder)
            else:
                _create(folder)


@contextmanager
def answering() -> Iterator[None]:
    """A block whose errors of the store become a `UserError`.

    Raises:
        UserError: the store failed.
    """
    try:
        yield
    except MlflowException as error:
        raise UserError(
            f"the MLflow store {shown(store_uri())} failed: {in_short(error)}\n"
            "What is trained is kept. Put the store right and run the same command again."
        ) from None


def in_short(error: MlflowException | SQLAlchemyError) -> str:
    """The message of an error of the store in one line, without its SQL, at most 200 characters."""
    words = " ".join(str(error).partition("[SQL:")[0].split())
    return words if len(words) <= 200 else f"{words[:200]}…"


def _create(folder: Path) -> None:
    """Create a store in one step: MLflow takes seconds, and cannot use a half-made one."""
    new = folder / "new"
    with new_folder(new) as partial:
        made = partial / "mlflow.db"
        try:
            mlflow.MlflowClient(f"sqlite:///{made}").search_experiments()
        except SQLAlchemyError as error:
            raise UserError(f"no MLflow store can be made in {folder}: {in_short(error)}") from None
        made.replace(folder / "mlflow.db")
    new.rmdir()


def _relocate(folder: Path) -> None:
    """Point a store at the artifacts beside it, wherever they were when it was written.

    MLflow has no supported way to move a store, so this edits its tables.

    Raises:
        UserError: the store was moved, and its tables are not those of `SCHEMA`; or it is damaged
            or locked.
    """
    database, here = folder / "mlflow.db", (folder / "artifacts").as_uri()
    try:
        with closing(sqlite3.connect(database, timeout=LOCK_TIMEOUT)) as connection, connection:
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                return  # MLflow creates its tables
            moved = connection.execute(
                "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE"
                " 'file://%/mlruns/artifacts' AND artifact_location != ?",
                [here],
            ).fetchall()
            schema = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if moved and schema != (SCHEMA,):
                raise UserError(
                    f"{database} was moved here, but its schema version is not {SCHEMA}, the only "
                    "one that is known well enough to change its addresses. Move the checkout "
                    "back, or move mlruns/ out of the way: the next run begins a new store"
                )
            for (there,) in moved:
                for table, column in LOCATIONS.items():
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                        f" WHERE substr({column} || '/', 1, ?) = ? || '/'",
                        [here, len(there) + 1, len(there) + 1, there],
                    )
                print(f"the MLflow store of {there.removeprefix('file://')} is here now")
    except sqlite3.OperationalError as error:  # it is locked, or the disk is full, for example
        raise UserError(
            f"{database} cannot be used ({error}); put that right and run the same command again"
        ) from None
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"{database} is damaged ({error}); move it out of the way, and the next run begins a"
            " new one (reports/ and models/ do not depend on it)"
        ) from None
