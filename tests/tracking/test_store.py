import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, nullcontext
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.tracking import store
from fifteen.tracking.runs import new_run
from fifteen.tracking.store import answering, connect, shown, store_uri

import mlflow
import pytest
from mlflow.exceptions import MlflowException

pytestmark = pytest.mark.usefixtures("own_store")


@pytest.mark.parametrize("unset", [None, ""])
def test_without_a_server_runs_go_to_the_main_repository(unset, root, monkeypatch):
    if unset is not None:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", unset)
    assert store_uri() == f"sqlite:///{root}/mlruns/mlflow.db"
    source = f"local-{unset}"
    with new_run(source, "x", "train x"):
        pass
    location = mlflow.get_experiment_by_name(f"fifteen-{source}").artifact_location
    assert location == (root / "mlruns" / "artifacts").as_uri()


def test_a_server_wins(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://team:5000")
    assert store_uri() == "http://team:5000"
    assert store.artifacts() is None


def work_at(root, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    monkeypatch.setenv("DVC_ROOT", str(root))


def note_of(run_id):
    return mlflow.artifacts.load_text(f"{mlflow.get_run(run_id).info.artifact_uri}/notes/note.txt")


def test_a_moved_checkout_finds_its_artifacts(root, tmp_path, monkeypatch, capsys):
    note = tmp_path / "note.txt"
    note.write_text("hello")
    with new_run("moved", "x", "train x") as run:
        run.log_file(note, "notes")
    assert note_of(run.id) == "hello"
    capsys.readouterr()

    moved = tmp_path / "it's 50% _there_"
    shutil.copytree(root, moved)
    shutil.move(root / "mlruns" / "artifacts", root / "mlruns" / "gone")
    work_at(moved, monkeypatch)
    connect()
    assert f"{(root / 'mlruns' / 'artifacts').as_uri()[7:]} is here now" in capsys.readouterr().out
    assert note_of(run.id) == "hello"
    with new_run("moved", "y", "train y") as later:
        later.log_file(note, "notes")
    assert note_of(later.id) == "hello"
    connect()
    assert capsys.readouterr().out == ""  # once is enough

    # What it was copied from is as it was.
    shutil.move(root / "mlruns" / "gone", root / "mlruns" / "artifacts")
    work_at(root, monkeypatch)
    connect()
    assert note_of(run.id) == "hello"
    assert capsys.readouterr().out == ""


def test_a_moved_store_of_another_schema_is_not_edited(root, tmp_path, monkeypatch):
    with new_run("schema", "x", "train x"):
        pass
    moved = tmp_path / "moved"
    shutil.copytree(root, moved)
    database = moved / "mlruns" / "mlflow.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'another'")
    before = database.read_bytes()
    work_at(moved, monkeypatch)
    with pytest.raises(UserError, match=rf"was moved here.* not {store.SCHEMA}.*Move .* back"):
        connect()
    assert database.read_bytes() == before


def test_the_schema_is_that_of_this_mlflow(root):
    """After an update of MLflow, look through its tables and renew `SCHEMA` and `LOCATIONS`."""
    connect()
    with closing(sqlite3.connect(root / "mlruns" / "mlflow.db")) as connection:
        assert connection.execute("SELECT * FROM alembic_version").fetchall() == [(store.SCHEMA,)]


def test_every_place_that_names_files_is_known(root):
    """A column that a later MLflow adds would be left behind."""
    with new_run("columns", "x", "train x"):
        pass
    actual, mark = set(), (root / "mlruns" / "artifacts").as_uri()
    with sqlite3.connect(root / "mlruns" / "mlflow.db") as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        for (table,) in tables.fetchall():
            for _, column, *_ in connection.execute(f"PRAGMA table_info({table})").fetchall():
                query = f"SELECT 1 FROM {table} WHERE instr({column}, ?)"
                if connection.execute(query, [mark]).fetchone():
                    actual.add((table, column))
    assert {("experiments", "artifact_location"), ("runs", "artifact_uri")} <= actual
    assert actual <= set(store.LOCATIONS.items())


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 99]
)
def test_a_damaged_store(content, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns" / "mlflow.db").write_bytes(content)
    message = r"mlruns/mlflow\.db is damaged \(.*\); move it out of the way"
    with pytest.raises(UserError, match=message), new_run("x", "x", "train x"):
        pass
    assert (tmp_path / "mlruns" / "mlflow.db").read_bytes() == content


def test_a_store_whose_making_was_killed_is_made_anew(tmp_path):
    script = """
from fifteen.tracking.runs import new_run
with new_run("x", "x", "train x"):
    print("begun")
"""
    source, environment = Path(store.__file__).parents[2], os.environ | {"DVC_ROOT": str(tmp_path)}
    command = [sys.executable, "-c", script]
    making = subprocess.Popen(command, cwd=source, env=environment, stdout=subprocess.PIPE)
    while not list(tmp_path.glob("mlruns/**/mlflow.db-journal")):  # within a transaction
        assert making.poll() is None
    making.kill()
    assert making.communicate() == (b"", None)
    again = subprocess.run(command, cwd=source, env=environment, stdout=subprocess.PIPE, check=True)
    assert again.stdout == b"begun\n"
    assert {path.name for path in (tmp_path / "mlruns").iterdir()} <= {".lock", "mlflow.db"}


def test_a_store_that_cannot_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (tmp_path / "new" / "mlflow.db").mkdir(parents=True)  # no file can have that name
    monkeypatch.setattr(store, "new_folder", lambda _: nullcontext(tmp_path / "new"))
    with pytest.raises(UserError, match=r"can be made in .*/mlruns: .*unable to open") as caught:
        connect()
    assert "\n" not in str(caught.value)


def test_a_store_in_use_is_not_called_damaged(root, tmp_path, monkeypatch):
    """One that moved here, and another process is writing to it."""
    (tmp_path / "mlruns").mkdir()
    shutil.copy(root / "mlruns" / "mlflow.db", tmp_path / "mlruns")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(store, "LOCK_TIMEOUT", 0.1)
    with sqlite3.connect(tmp_path / "mlruns" / "mlflow.db") as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UserError, match=r"mlflow\.db cannot be used \(database is locked\)"):
            connect()
    connect()


def test_a_server_that_is_away(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    message = rf"http://127\.0\.0\.1:{port} failed: .*\nWhat is trained is kept"
    with pytest.raises(UserError, match=message), new_run("x", "x", "train x"):
        pass


def test_a_long_message_is_cut(monkeypatch):
    with pytest.raises(UserError, match=r"failed: (word ){40}…\n"), answering():
        raise MlflowException("word\n" * 200)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("postgresql://me:secret@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("https://me:s@cret@team/", "https://me:***@team/"),
        ("http://team:5000", "http://team:5000"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_passwords_are_not_shown(uri, expected):
    assert shown(uri) == expected
