"""The MLflow UI as a process, and the address where it compares runs."""

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
ENDED_WITHIN = 10  # seconds
# Without the proxy that the environment may name: it cannot reach this machine.
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def compared_at(port: int, source: str) -> tuple[str | None, str]:
    """The address of the store, and the address where an MLflow UI compares its runs as charts.

    The first is None for a team's server, which has a UI of its own. Any other store needs a UI on
    this machine. The runs are those of a data set; if it has none, those of the newest experiment.

    Args:
        port: of the UI on this machine.
        source: the data set's name.

    Raises:
        UserError: there are no runs, or the store does not answer.
    """
    from fifteen.tracking.store import store_uri  # here and below, as it imports MLflow

    store = store_uri()
    has_ui = store.startswith("http")
    address = store.rstrip("/") if has_ui else f"http://localhost:{port}"
    runs = f"{address}/#/experiments/{_experiment(source)}/runs?{AS_CHARTS}"
    return None if has_ui else store, runs


def _experiment(source: str) -> str:
    """The id of the experiment of a data set; if it has no runs, of the newest experiment."""
    from fifteen.tracking.store import answering, connect

    import mlflow

    connect()
    with answering():
        experiment = mlflow.get_experiment_by_name(f"fifteen-{source}")
        if not experiment or not mlflow.search_runs([experiment.experiment_id], max_results=1).size:
            experiments = mlflow.search_experiments(filter_string="name LIKE 'fifteen-%'")
            experiment = max(experiments, key=lambda e: e.last_update_time or 0, default=None)
    if experiment is None:
        raise UserError("there are no runs yet; `make run` or `make demo` makes some")
    return experiment.experiment_id


@contextlib.contextmanager
def mlflow_ui(port: int, store: str) -> Iterator[subprocess.Popen[bytes]]:
    """An MLflow UI of a store on a port of this machine, ready to answer.

    Raises:
        UserError: the port is taken, or the UI does not start.
    """
    require_free(port, "make ui PORT")
    command = [str(Path(sys.executable).parent / "mlflow"), "ui", "--workers", "1"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", store]
    command += ["--uvicorn-opts", "--log-level warning"]
    # Without MLflow's job services it starts in half the time, with half the memory.
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    # In its own process group, so that Ctrl-C ends it below instead of showing its traceback.
    server = subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.DEVNULL, process_group=0
    )
    try:
        deadline = time.monotonic() + READY_WITHIN
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise UserError("the MLflow UI does not start; see its messages above")
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
