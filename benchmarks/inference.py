"""What answers cost: images per second and memory of trained models, beside the first of them.

Usage: python benchmarks/inference.py [--models swift swift_best] [--images 2000] [--repeats 3]

Each measurement is a process of its own, the models in turn; numbers are medians. Images go in by
batches, as `src/predict.py` has them, after one batch that does not count. Memory is the most that
the process ever had, TensorFlow with it.
"""

import argparse
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from fifteen.common.errors import UserError, run_stage
from predict import BATCH

import numpy as np
from recorded_stage import RSS_UNIT
from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
SIZE = (32, 32, 3)
MEBIBYTE = 2**20


@dataclass(frozen=True)
class Cost:
    """Of one model in one process."""

    parameters: int
    per_second: float  # images
    peak: float  # bytes


def cost(file: Path, count: int) -> Cost:
    """Load a model and let it answer for `count` random images."""
    from fifteen.inference import hardware  # noqa: F401 - TensorFlow, quietly

    import keras

    model = keras.models.load_model(file, compile=False)
    images = np.random.default_rng(0).integers(0, 256, (count, *SIZE), np.uint8)
    model.predict(images[:BATCH], batch_size=BATCH, verbose=0)
    began = time.perf_counter()
    model.predict(images, batch_size=BATCH, verbose=0)
    taken = time.perf_counter() - began
    peak = RSS_UNIT * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Cost(model.count_params(), count / taken, peak)


def alone(file: Path, count: int) -> Cost:
    """`cost` in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        return other.submit(cost, file, count).result()


def main() -> None:
    """Measure, and print a table.

    Raises:
        UserError: a model is not there.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["swift", "swift_best"])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()

    files = {name: ROOT / "models" / name / "model.keras" for name in arguments.models}
    missing = [str(file) for file in files.values() if not file.exists()]
    if missing:
        raise UserError(f"{', '.join(missing)} is missing; `dvc repro` makes models")
    found: dict[str, list[Cost]] = {name: [] for name in files}
    for _ in range(arguments.repeats):
        for name, file in files.items():
            found[name].append(alone(file, arguments.images))

    medians = {
        name: [
            statistics.median(getattr(one, key) for one in costs) for key in ("per_second", "peak")
        ]
        for name, costs in found.items()
    }
    first_speed, first_peak = medians[arguments.models[0]]
    header = ["model", "parameters", "file, MiB", "images/s", "share of the first's"]
    header += ["memory, MiB", "share of the first's"]
    rows = [
        [
            name,
            f"{found[name][0].parameters:,}",
            f"{files[name].stat().st_size / MEBIBYTE:.0f}",
            f"{speed:.0f}",
            f"{speed / first_speed:.2f}",
            f"{peak / MEBIBYTE:.0f}",
            f"{peak / first_peak:.2f}",
        ]
        for name, (speed, peak) in medians.items()
    ]
    print(tabulate(rows, header, tablefmt="pipe", disable_numparse=True))


if __name__ == "__main__":
    run_stage(main)
