"""How fast each network trains here: against PyTorch, this machine's peak, and the whole stage.

All numbers come from one run, in turn, several times over; each is the median. A multiplication
and an addition are two operations; the backward pass counts as two forward passes.

Usage: python benchmarks/networks.py [--repeats 5] [--batch 1024] [--stage]

PyTorch takes part if it is installed: `pip install -r benchmarks/requirements.txt`. `--stage` adds
the seconds per epoch of committed trainings (reports/models) against their bare steps.
"""

import argparse
import csv
import gc
import statistics
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from fifteen import hardware  # noqa: E402
from fifteen.config import Training, load_params  # noqa: E402
from fifteen.networks.registry import build_network  # noqa: E402
from fifteen.training.kernels import with_fast_kernels  # noqa: E402
from fifteen.training.losses import cross_entropy  # noqa: E402
from fifteen.training.optimizers import build_optimizer  # noqa: E402
from fifteen.training.schedules import TabulatedSchedule  # noqa: E402

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

CLASSES = 100
PRECISIONS = ("mixed_bfloat16", "float32")
Step = Callable[[], object]


def peaks(precision: str) -> dict[str, tuple[Step, float]]:
    """A large matrix product and a large convolution, with their operations."""
    dtype = keras.dtype_policies.get(precision).compute_dtype
    matrix = tf.cast(tf.random.normal((4096, 4096)), dtype)
    images = tf.cast(tf.random.normal((256, 16, 16, 256)), dtype)
    kernel = tf.cast(tf.random.normal((3, 3, 256, 256)), dtype)
    multiply = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)[:1]))
    convolve = tf.function(lambda: tf.reduce_sum(tf.nn.conv2d(images, kernel, 1, "SAME")[:1]))
    return {
        "matmul 4096": (lambda: multiply().numpy(), 2 * 4096**3),
        "conv 3×3, 256": (lambda: convolve().numpy(), 2 * 256 * 16 * 16 * 256 * 256 * 9),
    }


def operations(network: keras.Model) -> float:
    """Operations of the convolutions and dense layers for one 32×32 image, forward."""
    network = keras.models.clone_model(network, keras.Input((32, 32, 3)))
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            places = np.prod(layer.output.shape[1:-1])  # 1 for a dense layer
            total += 2 * places * np.prod(layer.kernel.shape)
    return float(total)


def keras_step(
    config: Training, precision: str, images: np.ndarray, labels: np.ndarray
) -> tuple[Step, float]:
    """One training step as the stage makes it, and its operations."""
    keras.config.set_dtype_policy(precision)
    network = build_network(config.network, CLASSES, images)
    cost = 3 * operations(network) * len(images)
    network = with_fast_kernels(network)
    rates = np.full(1, 1e-3, np.float32)
    network.compile(
        build_optimizer(config.optimizer, TabulatedSchedule(rates)),
        cross_entropy(config.label_smoothing),
        jit_compile=False,
    )
    network.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((tf.constant(images), labels)).repeat())
    return lambda: float(network.train_function(batches)["loss"]), cost


def seconds(step: Step) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def epoch_seconds(name: str) -> float:
    """The median epoch of a committed training at full resolution: its last third."""
    with (ROOT / "reports" / "models" / name / "history.csv").open(encoding="utf-8") as file:
        epochs = [float(row["seconds"]) for row in csv.DictReader(file)]
    return statistics.median(epochs[-max(1, len(epochs) // 3) :])


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--stage", action="store_true")
    arguments = parser.parse_args()

    params = load_params(ROOT / "params.yaml")
    trainings = {"baseline": params.baseline, **params.variants}
    by_network = {}
    for name, config in trainings.items():
        by_network.setdefault(config.network, (name, config))
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (arguments.batch, 32, 32, 3)).astype(np.float32)
    labels = random.integers(0, CLASSES, arguments.batch).astype(np.int32)
    if find_spec("torch"):
        from swift_torch import training_step

    print(f"{hardware.configure('auto').device}; batches of {arguments.batch} images, 32×32\n")
    header = ("network", "precision", "/ PyTorch", "of conv peak", "stage / steps")
    print(
        ("{:12} {:15}" + "{:>14}" * 7).format(*header, "images/s", "GFLOP/s", "ms/step", "PyTorch")
    )
    for precision in PRECISIONS:
        work = peaks(precision)
        peak = {
            what: cost / statistics.median(seconds(step) for _ in range(1 + arguments.repeats))
            for what, (step, cost) in work.items()
        }
        for name, config in by_network.values():
            step, cost = keras_step(config, precision, images, labels)
            contenders = {"keras": step, "peak": work["conv 3×3, 256"][0]}
            if config.network.name == "swift" and find_spec("torch"):
                contenders["torch"] = training_step(
                    config.network.width, CLASSES, images, labels, precision
                )
            for contender in contenders.values():
                contender()
                contender()
            times = {
                key: statistics.median(found)
                for key, found in zip(
                    contenders,
                    zip(
                        *(
                            [seconds(contender) for contender in contenders.values()]
                            for _ in range(arguments.repeats)
                        ),
                        strict=True,
                    ),
                    strict=True,
                )
            }
            speed = cost / times["keras"]
            conv_peak = work["conv 3×3, 256"][1] / times["peak"]
            cells = [
                f"{times['torch'] / times['keras']:.2f}" if "torch" in times else "–",
                f"{speed / conv_peak:.1%}",
                "–",
                f"{arguments.batch / times['keras']:.0f}",
                f"{speed / 1e9:.0f}",
                f"{1000 * times['keras']:.0f}",
                f"{arguments.batch / times['torch']:.0f}" if "torch" in times else "–",
            ]
            if arguments.stage and precision == "mixed_bfloat16":
                steps = 45_000 / arguments.batch * times["keras"]
                cells[2] = f"{epoch_seconds(name) / steps:.2f}"
            print(("{:12} {:15}" + "{:>14}" * 7).format(name, precision, *cells), flush=True)
            del step, contenders
            keras.backend.clear_session()
            gc.collect()
        print(
            f"{'peak':12} {precision:15} "
            + ", ".join(f"{what}: {value / 1e9:.0f} GFLOP/s" for what, value in peak.items())
        )


if __name__ == "__main__":
    main()
