"""How fast each network trains here: against PyTorch, this machine's peak, and the whole stage.

All numbers come from one run, in turn, several times over; each is the median. A multiplication
and an addition are two operations; the backward pass counts as two forward passes. PyTorch takes
part if it is installed: `pip install -r benchmarks/requirements.txt`.

Usage: python benchmarks/networks.py [--repeats 5] [--models swift swift_small]

Columns: images per second over those of PyTorch; operations per second over those of a large
convolution, measured beside it; time to make a batch over that of a step (each has all cores to
itself), in full size and, where a training begins with smaller images, with the smallest; an epoch
of the committed training in full size over its bare steps, where that was on a machine like this
one. A step is forward and backward pass and optimizer; self-distillation, averaging, metrics and
validation count to the stage.
"""

import argparse
import csv
import gc
import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from fifteen.common.errors import UserError, run_stage
from fifteen.common.files import read_json
from fifteen.data.arrays import Part
from fifteen.data.batches import steps_per_epoch, training_batches
from fifteen.inference import hardware
from fifteen.networks.build import build_network
from fifteen.params.reading import load_params
from fifteen.params.search_space import probes
from fifteen.params.sections import Muon, Training
from fifteen.params.sections import Swift as SwiftNetwork
from fifteen.training.kernels import with_fast_kernels
from fifteen.training.losses import cross_entropy
from fifteen.training.optimizers import build_optimizer
from fifteen.training.schedules import TabulatedSchedule

import keras
import numpy as np
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 100
FULL = 32  # pixels
TRAINING_IMAGES = 45_000
PRECISIONS = ("mixed_bfloat16", "float32")
COLUMNS = ["/ PyTorch", "of conv peak", "input / step", "if smallest", "stage / steps"]
COLUMNS += ["images/s", "GFLOP/s", "ms/step", "PyTorch im./s"]
Step = Callable[[], object]


def matrix_product(precision: str) -> tuple[Step, float]:
    """A large one, and its operations."""
    matrix = tf.cast(tf.random.normal((4096, 4096)), keras.DTypePolicy(precision).compute_dtype)
    multiply = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)[:1]))
    return lambda: multiply().numpy(), 2 * 4096**3


def convolution(precision: str) -> tuple[Step, float]:
    """A large one, and its operations."""
    dtype = keras.DTypePolicy(precision).compute_dtype
    images = tf.cast(tf.random.normal((256, 16, 16, 256)), dtype)
    kernel = tf.cast(tf.random.normal((3, 3, 256, 256)), dtype)
    convolve = tf.function(lambda: tf.reduce_sum(tf.nn.conv2d(images, kernel, 1, "SAME")[:1]))
    return lambda: convolve().numpy(), 2 * 256 * 16 * 16 * 256 * 256 * 9


def operations(network: keras.Model) -> float:
    """Operations of the convolutions and dense layers for one 32×32 image, forward."""
    network = keras.models.clone_model(network, keras.Input((FULL, FULL, 3)))
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
            places = np.prod(layer.output.shape[1:-1])  # 1 for a dense layer
            total += 2 * places * np.prod(layer.kernel.shape)
    return float(total)


def keras_step(
    network: keras.Model, config: Training, images: np.ndarray, labels: np.ndarray
) -> Step:
    """One training step with the kernels, the optimizer and the cross-entropy of the stage."""
    network = with_fast_kernels(network)
    rates = np.full(1, 1e-3, np.float32)
    network.compile(
        build_optimizer(config.optimizer, TabulatedSchedule(rates)),
        cross_entropy(config.label_smoothing),
        jit_compile=False,
    )
    network.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((tf.constant(images), labels)).repeat())
    return lambda: float(network.train_function(batches)["loss"])


def torch_step(
    network: keras.Model, config: Training, images: np.ndarray, labels: np.ndarray, precision: str
) -> Step:
    """The same step in PyTorch.

    Raises:
        UserError: its network or its optimizer is another one.
    """
    from swift_torch import Swift, training_step

    usual = SwiftNetwork(name="swift", width=config.network.width), Muon(name="muon")
    if (config.network, config.optimizer) != usual:
        raise UserError("benchmarks/swift_torch.py knows swift and Muon as they are by default")
    twin = Swift(config.network.width, CLASSES)
    ours, theirs = (
        sorted(np.prod(shape) for shape in shapes)
        for shapes in (
            [variable.shape for variable in network.trainable_variables],
            [p.shape for p in twin.parameters() if p.requires_grad],
        )
    )
    if ours != theirs:
        raise UserError("benchmarks/swift_torch.py has other weights than the network of Keras")
    return training_step(twin, images, labels, config.label_smoothing, precision)


def input_seconds(config: Training, part: Part, pixels: int, batches: int = 40) -> float:
    """The time to make a batch of images of `pixels`, the mean of many."""
    resolution = None if pixels == FULL else [[0, pixels]]
    config = config.model_copy(update={"resolution": resolution, "epochs": 1000})
    stream = iter(training_batches(part, config, 0, 0, CLASSES, total_steps=10**6))
    for _ in range(batches // 4):
        next(stream)
    return seconds(lambda: [next(stream) for _ in range(batches)]) / batches


def seconds(step: Step) -> float:
    """How long one call takes."""
    began = time.perf_counter()
    step()
    return time.perf_counter() - began


def medians(steps: Mapping[str, Step], repeats: int) -> dict[str, float]:
    """Seconds of each, measured in turn, after two calls that do not count."""
    times = {name: [] for name in steps}
    for repeat, (name, step) in itertools.product(range(-2, repeats), steps.items()):
        taken = seconds(step)
        if repeat >= 0:
            times[name].append(taken)
    return {name: statistics.median(found) for name, found in times.items()}


def stage_epoch_seconds(name: str, device: str, precision: str) -> float | None:
    """The median of the last third of a committed training's epochs, if it was made like this."""
    folder = ROOT / "reports" / "models" / name
    here = {"device": device, "precision": precision}
    if not folder.exists() or read_json(folder / "metrics.json")["hardware"] != here:
        return None
    with (folder / "history.csv").open(encoding="utf-8") as file:
        epochs = [float(row["seconds"]) for row in csv.DictReader(file)]
    return statistics.median(epochs[-max(1, len(epochs) // 3) :])


def row(name: str, config: Training, precision: str, device: str, repeats: int) -> list[str]:
    """What is measured of one training in one precision."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (TRAINING_IMAGES, FULL, FULL, 3), np.uint8)
    part = Part(pixels, random.integers(0, CLASSES, len(pixels)).astype(np.int32))
    images = pixels[: config.batch_size].astype(np.float32)
    labels = part.labels[: config.batch_size]

    keras.config.set_dtype_policy(precision)
    network = build_network(config.network, CLASSES, images)
    step_operations = 3 * operations(network) * len(images)
    peak, peak_operations = convolution(precision)
    steps = {"step": keras_step(network, config, images, labels), "peak": peak}
    smallest = int(min(size for _, size in config.resolution or [[0, FULL]]))
    if smallest < FULL:
        small = images[:, :smallest, :smallest]
        steps["smallest"] = keras_step(network, config, small, labels)
    if config.network.name == "swift" and find_spec("torch"):
        steps["torch"] = torch_step(network, config, images, labels, precision)
    times = medians(steps, repeats)

    def input_share(step: str, pixels: int) -> str:
        return f"{input_seconds(config, part, pixels) / times[step]:.1%}" if step in times else "–"

    speed = step_operations / times["step"]
    stage = stage_epoch_seconds(name, device, precision)
    bare = steps_per_epoch(TRAINING_IMAGES, config.batch_size) * times["step"]
    torch = times.get("torch")
    return [
        f"{torch / times['step']:.2f}" if torch else "–",
        f"{speed * times['peak'] / peak_operations:.1%}",
        input_share("step", FULL),
        input_share("smallest", smallest),
        f"{stage / bare:.2f}" if stage else "–",
        f"{config.batch_size / times['step']:.0f}",
        f"{speed / 1e9:.0f}",
        f"{1000 * times['step']:.0f}",
        f"{config.batch_size / torch:.0f}" if torch else "–",
    ]


def main() -> None:
    """Measure, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", help="of params.yaml; else one of each network")
    arguments = parser.parse_args()

    params = load_params(ROOT / "params.yaml")
    trainings = {name: params.training(name) for name in ("baseline", *params.variants)}
    for name, search in params.searches.items():
        trainings[name] = params.training(name, next(probes(search.space)))
    first_of_each = {config.network: name for name, config in reversed(trainings.items())}
    names = arguments.models or [name for name in trainings if name in first_of_each.values()]

    device = hardware.configure("auto").device
    print(f"{device}; images of {FULL}×{FULL}\n")
    layout = "{:12} {:15}" + "{:>14}" * len(COLUMNS)
    print(layout.format("network", "precision", *COLUMNS))
    for precision in PRECISIONS:
        for name in names:
            cells = row(name, trainings[name], precision, device, arguments.repeats)
            print(layout.format(name, precision, *cells), flush=True)
            keras.backend.clear_session()
            gc.collect()
        peaks = {"matmul": matrix_product(precision), "convolution": convolution(precision)}
        times = medians({what: step for what, (step, _) in peaks.items()}, arguments.repeats)
        for what, (_, cost) in peaks.items():
            print(f"{what + ' peak':17} {precision:15} {cost / times[what] / 1e9:.0f} GFLOP/s")


if __name__ == "__main__":
    run_stage(main)
