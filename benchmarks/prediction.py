"""How long src/predict.py takes: for the first answer, and for a thousand pictures.

Usage: python benchmarks/prediction.py [--model MODEL] [--repeats N]

Each is a process of its own, from its start to its end. The pictures are JPEG files of the size of
a photograph on the web, 640×480 pixels.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SIZE = (480, 640)
COUNTS = (1, 1000)


def seconds(project: Path, environment: Mapping[str, str], *arguments: str) -> float:
    """How long `src/predict.py` of a checkout takes."""
    began = time.perf_counter()
    command = [sys.executable, "src/predict.py", *arguments]
    subprocess.run(command, cwd=project, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def write_pictures(folder: Path, count: int) -> None:
    """Smooth random pictures, which compress as photographs do."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
        picture = coarse.resize(SIZE[::-1], Image.Resampling.BICUBIC)
        picture.save(folder / f"{number:04}.jpg", quality=85)


def measure(
    model: str, repeats: int, project: Path, environment: Mapping[str, str]
) -> dict[int, list[float]]:
    """The seconds that each number of pictures takes in a checkout, `repeats` times."""
    found = {}
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder:
            write_pictures(Path(folder), count)
            ask = partial(seconds, project, environment, folder, "--model", model)
            found[count] = [ask() for _ in range(repeats)]
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="champion")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print("| pictures | seconds, median | least | most |\n|--:|--:|--:|--:|")
    for count, found in measure(arguments.model, arguments.repeats, ROOT, os.environ).items():
        print(
            f"| {count:,} | {statistics.median(found):.1f} | {min(found):.1f} | {max(found):.1f} |"
        )


if __name__ == "__main__":
    main()
