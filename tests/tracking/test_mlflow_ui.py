import re
import socket
import subprocess
import sys
from pathlib import Path

import fifteen.tracking.mlflow_ui as module
import ui
from fifteen.common.errors import UserError
from fifteen.tracking.mlflow_ui import DIRECTLY, compared_at, mlflow_ui

import mlflow
import pytest


@pytest.fixture
def uri(tmp_path, monkeypatch):
    """A store of its own; MLflow keeps its address in the environment, so it is put back."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def store(uri):
    return mlflow.MlflowClient(uri)


def test_what_waits_for_the_server_does_without_mlflow():
    script = "import sys, ui; print({'mlflow', 'sqlalchemy'} & set(sys.modules))"
    source = Path(ui.__file__).parent
    actual = subprocess.run([sys.executable, "-c", script], cwd=source, stdout=subprocess.PIPE)
    assert actual.stdout == b"set()\n"


def test_the_address_of_the_comparison(store):
    with pytest.raises(UserError, match=r"no runs yet.*make run"):
        compared_at(7, "cifar100")
    empty, filled = (store.create_experiment(f"fifteen-{name}") for name in ("cifar100", "digits"))
    store.create_run(filled)
    address = "http://localhost:7/#/experiments/{}/runs?compareRunsMode=CHART&workflowType=machine_learning"
    assert compared_at(7, "digits")[1] == address.format(filled)
    assert compared_at(7, "cifar100")[1] == address.format(filled)  # after the demo
    store.create_run(empty)
    assert compared_at(7, "cifar100")[1] == address.format(empty)


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_store_of_this_machine_is_shown_at_the_port(uri, store):
    store.create_run(store.create_experiment("fifteen-digits"))
    assert compared_at(7, "digits")[0] == uri


def test_it_answers_and_ends(free_port, uri, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # which is no way to this machine
    monkeypatch.setenv("no_proxy", "")
    with (
        mlflow_ui(free_port, uri) as server,
        DIRECTLY.open(f"http://127.0.0.1:{free_port}/") as page,
    ):
        assert b"MLflow" in page.read()
        assert server.poll() is None
        with socket.socket() as probe:  # it listens to 127.0.0.1 alone, not to every address
            assert probe.connect_ex(("127.0.0.2", free_port)) != 0
    assert server.poll() is not None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", free_port)) != 0


def test_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        message = f"port {port} is taken; .* PORT={port + 1}"
        with pytest.raises(UserError, match=message), mlflow_ui(port, "sqlite://"):
            pass


def test_a_store_that_cannot_be_opened(free_port, tmp_path, capfd):
    (tmp_path / "file").touch()  # no folder can be made there
    store = f"sqlite:///{tmp_path}/file/mlflow.db"
    with (
        pytest.raises(UserError, match="the MLflow UI does not start"),
        mlflow_ui(free_port, store),
    ):
        pass
    assert capfd.readouterr().err


def test_without_runs_nothing_is_opened(uri, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["src/ui.py"])
    with pytest.raises(UserError, match="no runs yet"):
        ui.main()


@pytest.mark.parametrize("screen", [True, False])
def test_a_team_s_server_is_only_named(monkeypatch, capsys, screen):
    monkeypatch.setattr(sys, "argv", ["src/ui.py"])
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(module, "_experiment", lambda source: source)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://team/")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if screen:
        monkeypatch.setenv("DISPLAY", ":0")
    opened = []
    monkeypatch.setattr(ui.webbrowser, "open", opened.append)
    ui.main()
    (address,) = re.findall(r"https://team/#/experiments/cifar100/\S+", capsys.readouterr().out)
    assert opened == [address] * screen
