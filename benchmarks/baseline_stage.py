"""The whole `train_baseline` stage against a plain Keras script that does the same training.

Both run as whole processes, imports included, in turn, on the data `dvc repro prepare` has
written. The stage also tracks, checkpoints every epoch and logs its model; the script does not.

Usage: python benchmarks/baseline_stage.py [--epochs 15] [--repeats 3]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "data" / "trainval"


def seconds(command: list[str], folder: Path) -> float:
    """How long `command` takes in `folder`, with an MLflow store of its own there."""
    environment = os.environ | {"DVC_ROOT": str(folder)}
    environment.pop("MLFLOW_TRACKING_URI", None)
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def workspace(folder: Path, epochs: int) -> str:
    """Lay out what the stage needs in `folder`; the precision that it will use."""
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["budget"]["epochs"] = epochs
    yaml.dump(params, folder / "params.yaml")
    (folder / "data").mkdir()
    (folder / "data" / "trainval").symlink_to(DATA)
    code = "from fifteen import hardware; print(hardware.configure('auto').precision)"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT / "src", check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()


def main() -> None:
    """Time both in turn and print the ratio of each pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"{DATA} is missing; run `dvc repro prepare` first")

    pairs = []
    for repeat in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            precision = workspace(folder, arguments.epochs)
            plain = str(ROOT / "benchmarks" / "plain_keras.py")
            script = [sys.executable, plain, str(DATA), str(arguments.epochs), precision]
            stage = [sys.executable, str(ROOT / "src" / "train.py"), "baseline"]
            # Which goes first alternates, so that a machine that warms up favours neither.
            order = [("stage", stage), ("script", script)]
            times = {name: seconds(c, folder) for name, c in order[:: 1 - 2 * (repeat % 2)]}
        pairs.append(times)
        a, b = times["stage"], times["script"]
        print(f"stage {a:.1f} s / script {b:.1f} s = {a / b:.3f}", flush=True)
    ratio = statistics.median(pair["stage"] / pair["script"] for pair in pairs)
    print(f"median of {len(pairs)} pairs, {arguments.epochs} epochs in {precision}: {ratio:.3f}")


if __name__ == "__main__":
    main()
