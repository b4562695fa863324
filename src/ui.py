"""Open the MLflow UI where the runs are compared.

Usage: python src/ui.py [--port PORT]
"""

import argparse
import webbrowser

from fifteen.config import load_params
from fifteen.errors import run_stage
from fifteen.tracking import open_store, store_uri
from fifteen.ui import comparison, mlflow_ui


def main() -> None:
    """Say where the comparison is, show it in a browser if there is one, and wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    port = parser.parse_args().port
    experiment = open_store(load_params().data.source)
    if store_uri().startswith("http"):  # a team's server has a UI of its own
        show(comparison(store_uri().rstrip("/"), experiment))
        return
    with mlflow_ui(port) as server:
        show(comparison(f"http://localhost:{port}", experiment))
        server.wait()


def show(address: str) -> None:
    """Print an address, and open it where there is a browser."""
    print(f"Compare the runs at {address}", flush=True)
    webbrowser.open(address)


if __name__ == "__main__":
    run_stage(main)
