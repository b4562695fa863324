"""The MLflow store: where it is, and what can be wrong with it."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# MLflow's own 7 keep a training waiting for four minutes when the server is away; 3 are 14 seconds.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")

from fifteen.common.errors import UserError
from fifteen.common.files import new_folder, repository_root

import mlflow
from filelock import FileLock
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

# It logs with a traceback what it raises anyway.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

PATIENCE = 60  # seconds for which another process may keep the store to itself

# What names files by where they lie on this machine.
LOCATIONS = {
    "experiments": "artifact_location",
    "runs": "artifact_uri",
    "logged_models": "artifact_location",
    "model_versions": "storage_location",
}


def store_uri() -> str:
    """Where runs go: MLFLOW_TRACKING_URI, or the SQLite file of the main repository."""
    return os.environ.get("MLFLOW_TRACKING_URI") or own_store()


def own_store() -> str:
    """The address of the SQLite file of the main repository."""
    return f"sqlite:///{store_folder() / 'mlflow.db'}"


def store_folder() -> Path:
    """Where the SQLite store and its artifacts lie."""
    return repository_root() / "mlruns"


def artifacts() -> str | None:
    """Where the artifacts of a new experiment go; a team's server knows that by itself."""
    return (store_folder() / "artifacts").as_uri() if store_uri() == own_store() else None


def shown(uri: str) -> str:
    """An address without the password in it."""
    password = urlsplit(uri).password
    return uri.replace(f":{password}@", ":***@") if password else uri


def connect() -> None:
    """Make MLflow use the store, which is made where this checkout has none.

    A store of this checkout that was moved or copied with it finds its artifacts again.

    Raises:
        UserError: the SQLite file is damaged, or cannot be used or made.
    """
    mlflow.set_tracking_uri(store_uri())
    folder = store_folder()
    folder.mkdir(exist_ok=True)
    if store_uri() == own_store():
        with FileLock(folder / ".lock"):
            if (folder / "mlflow.db").exists():
                _settle(folder)
            else:
                _create(folder)


@contextmanager
def answering() -> Iterator[None]:
    """A block in which the store has to answer.

    Raises:
        UserError: it failed.
    """
    try:
        yield
    except MlflowException as error:
        raise UserError(
            f"the MLflow store {shown(store_uri())} failed: {in_short(error)}\n"
            "What is trained is kept. Put the store right and run the same command again."
        ) from None


def in_short(error: MlflowException | SQLAlchemyError) -> str:
    """The beginning of the message of an error of the store, without its SQL, as one line."""
    words = " ".join(str(error).partition("[SQL:")[0].split())
    return words if len(words) <= 200 else f"{words[:200]}…"


def _create(folder: Path) -> None:
    """Make a store, which appears whole or not at all.

    MLflow takes seconds to make one, and cannot go on with one whose making was cut short.
    """
    new = folder / "new"
    with new_folder(new) as partial:
        made = partial / "mlflow.db"
        try:
            mlflow.MlflowClient(f"sqlite:///{made}").search_experiments()
        except SQLAlchemyError as error:
            raise UserError(f"no MLflow store can be made in {folder}: {in_short(error)}") from None
        made.replace(folder / "mlflow.db")
    new.rmdir()


def _settle(folder: Path) -> None:
    """Let a store point at the artifacts beside it, wherever it was when they were written."""
    database, here = folder / "mlflow.db", (folder / "artifacts").as_uri()
    try:
        with closing(sqlite3.connect(database, timeout=PATIENCE)) as connection, connection:
            if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                return  # empty; MLflow fills it
            found = connection.execute(
                "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE"
                " 'file://%/mlruns/artifacts' AND artifact_location != ?",
                [here],
            )
            for (there,) in found.fetchall():
                for table, column in LOCATIONS.items():
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?)"
                        f" WHERE substr({column} || '/', 1, ?) = ? || '/'",
                        [here, len(there) + 1, len(there) + 1, there],
                    )
                print(f"the MLflow store of {there.removeprefix('file://')} is here now")
    except sqlite3.OperationalError as error:  # it is locked, say, or the disk is full
        raise UserError(
            f"{database} cannot be used ({error}); put that right and run the same command again"
        ) from None
    except sqlite3.DatabaseError as error:
        raise UserError(
            f"{database} is damaged ({error}); move it out of the way, and the next run begins a"
            " new one (reports/ and models/ do not depend on it)"
        ) from None
