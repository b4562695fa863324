"""The MLflow UI as a process of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from fifteen.errors import UserError
from fifteen.tracking import store_uri

READY_WITHIN = 60  # seconds


def comparison(address: str, experiment: str) -> str:
    """Where an MLflow UI shows the runs of an experiment side by side, as charts.

    Args:
        address: of the UI.
        experiment: its id.
    """
    return f"{address}/#/experiments/{experiment}/runs?compareRunsMode=CHART"


@contextlib.contextmanager
def mlflow_ui(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A UI of this workspace's store on a port of this machine, ready to answer.

    Raises:
        UserError: the port is taken, or the UI does not start.
    """
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise UserError(f"port {port} is taken; choose another one: make ui PORT={port + 1}")
    command = [Path(sys.executable).parent / "mlflow", "ui", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", store_uri()]
    # Without the services for jobs it takes half the time and half the memory to start.
    without_jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    server = subprocess.Popen(command, env=os.environ | without_jobs, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise UserError(f"the MLflow UI of {store_uri()} does not start")
            time.sleep(0.2)
        yield server
    finally:
        server.terminate()
        server.wait()


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
    except OSError:
        return False
    return True
