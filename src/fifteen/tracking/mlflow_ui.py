"""The MLflow UI as a process of its own, and where in it runs are compared."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.common.ports import require_free

AS_CHARTS = "compareRunsMode=CHART&workflowType=machine_learning"
READY_WITHIN = 120  # seconds
ENDED_WITHIN = 10
# A proxy that the environment names is no way to this machine itself.
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def compared_at(port: int, source: str) -> tuple[str | None, str]:
    """The store that needs a UI, and where its runs are compared.

    A team's server has a UI of its own and needs none; any other store is shown at a port of this
    machine.

    Args:
        port: of the UI.
        source: the data set's name.

    Raises:
        UserError: as `comparison` does.
    """
    from fifteen.tracking.store import store_uri  # here and below, as it imports MLflow

    store = store_uri()
    if store.startswith("http"):
        return None, comparison(store.rstrip("/"), source)
    return store, comparison(f"http://localhost:{port}", source)


def comparison(address: str, source: str) -> str:
    """Where an MLflow UI shows runs side by side, as charts.

    They are those of a data set, or where it has none those of the newest experiment.

    Args:
        address: of the UI.
        source: the data set's name.

    Raises:
        UserError: there are no runs at all, or the store does not answer.
    """
    from fifteen.tracking.store import answering, connect

    import mlflow

    connect()
    with answering():
        named = mlflow.get_experiment_by_name(f"fifteen-{source}")
        if named is None or not mlflow.search_runs([named.experiment_id], max_results=1).size:
            named = None
        found = mlflow.search_experiments(filter_string="name LIKE 'fifteen-%'")
    if not found:
        raise UserError("there are no runs yet; `make run` or `make demo` makes some")
    experiment = (named or max(found, key=lambda one: one.last_update_time)).experiment_id
    return f"{address}/#/experiments/{experiment}/runs?{AS_CHARTS}"


@contextlib.contextmanager
def mlflow_ui(port: int, store: str) -> Iterator[subprocess.Popen[bytes]]:
    """A UI of the store with that address, on a port of this machine, ready to answer.

    Raises:
        UserError: the port is taken, or the UI does not start.
    """
    require_free(port, "make ui PORT")
    command = [Path(sys.executable).parent / "mlflow", "ui", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", store]
    command += ["--uvicorn-opts", "--log-level warning"]
    # Without the services for jobs it takes half the time and half the memory to start.
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    # In a process group of its own, as Ctrl-C, which would make it show a traceback, ends it below.
    server = subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.DEVNULL, process_group=0
    )
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise UserError("the MLflow UI does not start; what it says about that is above")
            time.sleep(0.2)
        yield server
    finally:
        server.terminate()
        try:
            server.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _answers(port: int) -> bool:
    try:
        DIRECTLY.open(f"http://127.0.0.1:{port}/health", timeout=5).close()
    except OSError:
        return False
    return True
