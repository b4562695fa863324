"""Open the MLflow UI where the runs are compared.

Usage: python src/ui.py [--port PORT]
"""

import argparse
import os
import signal
import sys
import webbrowser
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from fifteen.common.errors import UserError, run_stage
from fifteen.params.reading import load_params
from fifteen.tracking.mlflow_ui import compared_at, mlflow_ui


def main() -> None:
    """Start the UI if the store needs one, show where runs are compared, and wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    port, source = parser.parse_args().port, load_params().data.source
    # The server is in another process group: a closed terminal ends it through this process.
    signal.signal(signal.SIGHUP, signal.getsignal(signal.SIGTERM))
    # In another process, as MLflow takes 200 MB of memory, and this process lives on.
    with ProcessPoolExecutor(1, get_context("fork")) as beside:
        store, address = beside.submit(compared_at, port, source).result()
    if store is None:
        show(address)
        return
    with mlflow_ui(port, store) as server:
        show(address)
        if server.wait():
            raise UserError(f"the MLflow UI has ended with status {server.returncode}")


def show(address: str) -> None:
    """Print an address, and open it in a browser if there is a screen."""
    print(f"Compare the runs at {address}", flush=True)
    if sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        webbrowser.open(address)


if __name__ == "__main__":
    run_stage(main)
