"""Open the MLflow UI where the runs are compared.

Usage: python src/ui.py [--port PORT]
"""

import argparse
import os
import sys
import webbrowser

from fifteen.config import load_params
from fifteen.errors import UserError, run_stage
from fifteen.store import store_uri
from fifteen.ui import comparison, mlflow_ui


def main() -> None:
    """Say where the comparison is, show it in a browser if there is one, and wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=5000)
    port, source = parser.parse_args().port, load_params().data.source
    if store_uri().startswith("http"):  # a team's server has a UI of its own
        show(comparison(store_uri().rstrip("/"), source))
        return
    address = comparison(f"http://localhost:{port}", source)
    with mlflow_ui(port) as server:
        show(address)
        if server.wait():
            raise UserError(f"the MLflow UI has ended with status {server.returncode}")


def show(address: str) -> None:
    """Print an address, and open it where there is a screen."""
    print(f"Compare the runs at {address}", flush=True)
    if sys.platform == "darwin" or {"DISPLAY", "WAYLAND_DISPLAY"} & set(os.environ):
        webbrowser.open(address)


if __name__ == "__main__":
    run_stage(main)
