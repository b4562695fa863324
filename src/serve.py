"""Serve a registered model with MLflow's scoring server, reachable from this machine alone.

Usage: python src/serve.py NAME@ALIAS [--port PORT]
"""

import argparse
import os
import sys
from pathlib import Path

from fifteen.common.errors import run_stage
from fifteen.common.ports import require_free
from fifteen.tracking import registry
from fifteen.tracking.store import store_uri

# Defaults: no messages of TensorFlow about GPUs, no progress bar of MLflow.
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


def main() -> None:
    """Check the model and the port, then replace this process by the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", metavar="NAME@ALIAS")
    parser.add_argument("--port", type=int, default=5001)
    arguments = parser.parse_args()
    name, _, alias = arguments.model.rpartition("@")
    version = registry.require(name, alias)
    require_free(arguments.port, "make serve SCORING_PORT")
    print(f"{arguments.model}, version {version}, at http://localhost:{arguments.port}", flush=True)
    os.environ |= QUIET | os.environ | {"MLFLOW_TRACKING_URI": store_uri()}
    mlflow = str(Path(sys.executable).parent / "mlflow")
    command = [mlflow, "models", "serve", "--model-uri", f"models:/{name}/{version}"]
    command += ["--env-manager", "local", "--workers", "1"]
    os.execv(mlflow, [*command, "--host", "127.0.0.1", "--port", str(arguments.port)])


if __name__ == "__main__":
    run_stage(main)
