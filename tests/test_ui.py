import socket
import sys
import urllib.request

import ui
from fifteen.errors import UserError
from fifteen.ui import comparison, mlflow_ui

import pytest


def test_the_address_of_the_comparison():
    expected = "http://x:1/#/experiments/7/runs?compareRunsMode=CHART"
    assert comparison("http://x:1", "7") == expected


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_it_answers_and_ends(free_port, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    with (
        mlflow_ui(free_port) as server,
        urllib.request.urlopen(f"http://127.0.0.1:{free_port}/") as page,
    ):
        assert b"MLflow" in page.read()
        assert server.poll() is None
    assert server.poll() is not None
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", free_port)) != 0


def test_a_taken_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        message = f"port {port} is taken; .* PORT={port + 1}"
        with pytest.raises(UserError, match=message), mlflow_ui(port):
            pass


def test_a_store_that_cannot_be_opened(free_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:////nowhere/mlflow.db")
    message = r"the MLflow UI of sqlite:////nowhere/.* does not start"
    with pytest.raises(UserError, match=message), mlflow_ui(free_port):
        pass


def test_a_team_s_server_is_only_named(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["src/ui.py"])
    monkeypatch.setattr(ui, "open_store", lambda source: f"id-of-{source}")
    monkeypatch.setattr(ui, "store_uri", lambda: "https://team/")
    opened = []
    monkeypatch.setattr(ui.webbrowser, "open", opened.append)
    ui.main()
    address = "https://team/#/experiments/id-of-cifar100/runs?compareRunsMode=CHART"
    assert opened == [address]
    assert capsys.readouterr().out == f"Compare the runs at {address}\n"
