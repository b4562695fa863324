"""Two people, an MLflow server on PostgreSQL and a DVC remote: the commands of docs/team.md."""

import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2
import pytest
from PIL import Image
from servers import READY_WITHIN, Server, free_port

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "team.md"
PATH = os.pathsep.join(  # Debian keeps the server's programs off the path
    [*map(str, Path("/usr/lib/postgresql").glob("*/bin")), os.environ["PATH"]]
)
PASSWORD = "SECRET"  # of the guide, on a database that lives as long as this test

# PostgreSQL refuses to run as root.
OWNER = "postgres" if os.geteuid() == 0 else None
AS_OWNER = ["runuser", "-u", OWNER, "--"] if OWNER else []

pytestmark = [
    pytest.mark.timeout(400),
    pytest.mark.skipif(
        shutil.which("initdb", path=PATH) is None,
        reason="PostgreSQL is not installed (on Debian: apt-get install postgresql)",
    ),
]


def documented(beginning, here=None):
    """The words of the guide's command that begins so, with ports and folders of this test."""
    (command,) = re.findall(rf"{re.escape(beginning)}.*", GUIDE.read_text(encoding="utf-8"))
    words = shlex.split(command, comments=True)
    for there, replacement in (here or {}).items():
        assert any(there in word for word in words), f"the guide has no {there} in: {command}"
        words = [word.replace(there, replacement) for word in words]
    return words


def edit(params):
    """Only the baseline, for one epoch, on the digits."""
    params["data"]["source"] = "digits"
    params["budget"]["epochs"] = 1
    params["variants"] = params["searches"] = params["ensembles"] = {}


@pytest.fixture(scope="module")
def database():
    """The port of PostgreSQL, with the role and the database that the guide makes."""
    port = str(free_port())
    with tempfile.TemporaryDirectory() as name:  # pytest's own are root's alone
        folder = Path(name)
        if OWNER:
            shutil.chown(folder, OWNER)

        def run(*command, **options):
            ran = subprocess.run(
                command,
                env=os.environ
                | {"PATH": PATH, "PGHOST": name, "PGPORT": port, "PGUSER": "postgres"},
                cwd=name,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # no terminal, so that a password is read from the input
                timeout=READY_WITHIN,
                **options,
            )
            assert ran.returncode == 0, ran.stdout

        # As Debian has it: no password on the machine's own socket, and one on the network.
        data, log = str(folder / "data"), str(folder / "log")
        access = ["--auth-local=trust", "--auth-host=scram-sha-256"]
        run(*AS_OWNER, "initdb", "--no-sync", "--username=postgres", *access, "--pgdata", data)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -k {name} -c fsync=off"
        run(*AS_OWNER, "pg_ctl", "start", "--wait", "-D", data, "-l", log, "-o", options)
        try:
            create = "runuser -u postgres -- create"
            run(*documented(f"{create}user")[4:], input=f"{PASSWORD}\n{PASSWORD}\n")
            run(*documented(f"{create}db")[4:])
            yield port
        finally:
            run(*AS_OWNER, "pg_ctl", "stop", "--mode=immediate", "-D", data)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="module")
def server(database, artifacts, environment, tmp_path_factory):
    """The address of an MLflow server on that database and folder."""
    folder, port = tmp_path_factory.mktemp("server"), str(free_port())
    here = {"5000": port, "/srv/fifteen/artifacts": str(artifacts)}
    command = documented("mlflow server", here)
    (store,) = documented("MLFLOW_BACKEND_STORE_URI=", {"5432": database})
    others = documented("MLFLOW_DISABLE_TELEMETRY=") + documented("MLFLOW_SERVER_ENABLE_JOB")
    settings = dict(setting.split("=", 1) for setting in (store, *others))
    server = Server(folder, f"http://127.0.0.1:{port}", command, environment | settings)
    try:
        server.start()
        yield server.address
    finally:
        server.kill()


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    return tmp_path_factory.mktemp("remote")


@pytest.fixture(scope="module")
def first(clone, server, remote):
    """The clone of one who has set up the remote, run the pipeline, committed and pushed."""
    project = clone(edit)
    team = {"MLFLOW_TRACKING_URI": server, "no_proxy": "127.0.0.1"}
    project = dataclasses.replace(project, environment=project.environment | team)
    project.run(*documented("dvc remote add", {"/srv/fifteen/dvc": str(remote)}))
    project.run(*documented("dvc remote modify team"))
    project.run("dvc", "repro")
    project.run("python", "src/promote.py")
    project.commit()
    project.run("dvc", "push")
    return project


@pytest.fixture(scope="module")
def second(first, tmp_path_factory):
    """Another one's clone of it, pulled."""
    root = tmp_path_factory.mktemp("another") / "clone"
    first.run("git", "clone", "--quiet", ".", str(root))
    project = dataclasses.replace(first, root=root)
    assert not (root / "models").exists()
    project.run("dvc", "pull")
    return project


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    """A proxy of this machine is no way to its own servers, for the client in this process too."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_the_runs_are_on_the_server_alone(first, database, artifacts):
    (run,) = first.runs().values()
    address = f"postgresql://mlflow:{PASSWORD}@127.0.0.1:{database}/mlflow"
    with psycopg2.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT run_uuid FROM runs")
        assert cursor.fetchall() == [(run.info.run_id,)]
    assert list(artifacts.rglob(f"{run.info.run_id}/artifacts/result.json"))
    assert run.info.run_name == "baseline"
    assert run.info.status == "FINISHED"
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    assert "test/accuracy" in run.data.metrics
    assert not (first.root / "mlruns" / "mlflow.db").exists()
    assert not (first.root / "mlruns" / "artifacts").exists()


def test_the_second_has_nothing_to_do(first, second):
    for file in ("models/baseline/model.keras", "predictions/baseline.npz"):
        assert (second.root / file).read_bytes() == (first.root / file).read_bytes()
    output = second.run("dvc", "repro")
    assert "Data and pipelines are up to date." in output
    assert "Running stage" not in output
    assert second.changes() == []
    assert len(second.runs()) == 1


def test_the_second_gets_the_artifacts_of_the_first(first, second, tmp_path):
    (run,) = second.runs()
    found = Path(second.client.download_artifacts(run, "test", str(tmp_path)))
    made = first.root / "reports" / "models" / "baseline"
    names = {path.name for path in made.iterdir()}
    assert {path.name for path in found.iterdir()} == names
    assert all((found / name).read_bytes() == (made / name).read_bytes() for name in names)


def test_the_second_asks_the_first_s_champion(second, tmp_path):
    """The model of the server answers as the one that DVC has pulled."""
    picture = str(tmp_path / "grey.png")
    Image.new("L", (32, 32), 100).save(picture)
    ask = ["python", "src/predict.py", picture, "--json", "--model"]
    (ours,) = second.read(*ask, "models/baseline")
    (theirs,) = second.read(*ask, "fifteen-digits@champion")
    assert theirs["classes"] == ours["classes"]
    assert list((second.root / ".fifteen" / "models").iterdir())  # fetched, not found beside


def test_what_one_pushes_others_may_add_to(first, remote):
    folders = [path for path in remote.rglob("*") if path.is_dir()]
    assert folders
    assert all(folder.stat().st_mode & 0o2070 == 0o2070 for folder in folders)
