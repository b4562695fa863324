"""How the recipes do on small data sets; writes benchmarks/small_data.json and docs/small_data.md.

Trains models of params.yaml on cut-down CIFAR-100 and on digits, adapted to their number of images
as the pipeline does it. An epoch is chosen by some validation images and judged by others: 2,000
and 3,000 of CIFAR-100's validation part; of digits the validation part and the test part. What has
been measured is kept, so that an interrupted call goes on.

Usage: python benchmarks/small_data.py [--seeds 1 2 3] [--models …] [--data …]
"""

import argparse
import math
import tempfile
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from fifteen.common.files import new_file, read_json, write_json
from fifteen.data.arrays import Part
from fifteen.data.batches import steps_per_epoch
from fifteen.datasets.sources import Source, load_source
from fifteen.datasets.split import part_indices
from fifteen.inference import hardware
from fifteen.networks.build import build_network
from fifteen.params.reading import load_params
from fifteen.params.search_space import with_values
from fifteen.params.sections import Params, Training
from fifteen.training.adaptation import adapted
from fifteen.training.checkpoint import load_variables
from fifteen.training.fit import best_file, train
from fifteen.training.history import best_epoch
from fifteen.training.schedules import learning_rates

import keras
import numpy as np
from tabulate import tabulate

RESULTS, PAGE = Path("benchmarks/small_data.json"), Path("docs/small_data.md")
MODELS = ("baseline", "tuned", "swift_tiny", "swift_small", "swift")
DATA = ("digits", "1000", "2500", "10000")
# How a training is fitted to the data: as the pipeline does it; not at all; and with learning rates
# scaled by the square root of the batch size.
FITS = {"pipeline": MODELS, "as on CIFAR-100": MODELS, "scaled rates": ("swift_tiny",)}
CHOOSING = 2000  # of the validation images
PARTS = {"train": [[0, 35], [45, 100]], "validation": [[35, 45]]}


def parts(source: Source, data: str) -> tuple[Part, Part, Part]:
    """The images that train, choose the epoch, and judge."""
    images = len(source.train.labels)
    validation = source.train.take(part_indices(PARTS["validation"], images))
    training = part_indices(PARTS["train"], images)
    if data == "digits":
        return source.train.take(training), validation, source.test
    choosing, judging = np.split(np.arange(len(validation.labels)), [CHOOSING])
    return (
        source.train.take(training[: int(data)]),
        validation.take(choosing),
        validation.take(judging),
    )


def fitted(config: Training, fit: str, images: int, mirrored: bool, min_steps: int) -> Training:
    """`config` fitted to the data in one of the ways of `FITS`."""
    if fit == "as on CIFAR-100":
        return adapted(config, images, mirrored, 1)
    result = adapted(config, images, mirrored, min_steps)
    if fit == "scaled rates":
        peak = config.schedule.peak * math.sqrt(result.batch_size / config.batch_size)
        schedule = config.schedule.model_copy(update={"peak": peak})
        result = result.model_copy(update={"schedule": schedule})
    return result


def training(params: Params, name: str) -> Training:
    """The training called `name`; a search's with what the committed search has found."""
    if name not in params.searches:
        return params.training(name)
    search = read_json(Path("reports/models") / name / "search.json")
    winner = next(row for row in search["trials"] if row["trial"] == search["winner"])
    chosen = with_values(params.searches[name].space, winner["hyperparameters"])
    return params.training(name, chosen)


def measure(config: Training, source: Source, data: str, seed: int, precision: str) -> float:
    """The share of the judging images that the best epoch of a training has right."""
    training, choosing, judging = parts(source, data)
    rates = learning_rates(
        config.schedule, config.epochs, steps_per_epoch(len(training.labels), config.batch_size)
    )
    keras.backend.clear_session()
    keras.config.set_dtype_policy(precision)
    keras.utils.set_random_seed(seed)
    network = build_network(config.network, len(source.names), training.images)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        history = train(
            network, config, rates, training, choosing, seed, work, lambda _: None, verbose=0
        )
        load_variables(work / best_file(best_epoch(history, config.monitor)), network.weights)
    answers = network.predict(judging.images, batch_size=500, verbose=0).argmax(axis=-1)
    return float(np.mean(answers == judging.labels))


def page(results: list[dict[str, Any]]) -> str:
    """docs/small_data.md."""
    rows = []
    for fit, models in FITS.items():
        for model in models:
            cells = [cell(results, fit, model, data) for data in DATA]
            if any(cells):
                rows.append([model, fit, *cells])
    header = ["model", "fitted", "digits, 1,347 images", "CIFAR-100, 1,000", "2,500", "10,000"]
    machines = sorted({f"{row['device']}, {row['precision']}" for row in results})
    return f"""\
# Small data sets

The recipes were made for 45,000 images. From 1,347 images a batch of 1,024 would make 30 steps in
15 epochs: too few to learn anything. So a batch has at most so many images that an epoch has
`budget.min_steps_per_epoch` steps (20, in params.yaml). Learning rates stay as they are. Images are
mirrored only where mirrored images keep their class: not digits. With CIFAR-100's 45,000 images
this changes nothing.

Right answers in percent, mean ± standard deviation over seeds (a single figure: one seed). The
epoch is chosen by other images than those that are counted. *pipeline*: as the pipeline fits a
training to the data; *as on CIFAR-100*: with the batches of params.yaml; *scaled rates*: with
learning rates scaled by the square root of the batch size too.

{tabulate(rows, header, tablefmt="pipe", disable_numparse=True)}

Measured by `python benchmarks/small_data.py` on {"; ".join(machines)}.
"""


def cell(results: list[dict[str, Any]], fit: str, model: str, data: str) -> str:
    """Mean and standard deviation over the seeds in percent; empty where nothing was measured."""
    shares = [
        100 * row["accuracy"]
        for row in results
        if (row["fit"], row["model"], row["data"]) == (fit, model, data)
    ]
    if len(shares) < 2:
        return "".join(f"{share:.1f}" for share in shares)
    return f"{fmean(shares):.1f} ± {stdev(shares):.1f}"


def main() -> None:
    """Measure what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--data", nargs="+", default=DATA, choices=DATA)
    arguments = parser.parse_args()
    params = load_params()
    machine = hardware.configure(**params.hardware.model_dump())
    sources = {name: load_source(name) for name in ("digits", "cifar100")}
    results = read_json(RESULTS) if RESULTS.exists() else []
    known = {tuple(row[key] for key in ("seed", "data", "model", "fit")) for row in results}
    plan = [
        (seed, data, model, fit)
        for seed in arguments.seeds
        for data in arguments.data
        for fit, models in FITS.items()
        for model in models
        if model in arguments.models
    ]
    for seed, data, model, fit in plan:
        if (seed, data, model, fit) in known:
            continue
        source = sources["digits" if data == "digits" else "cifar100"]
        images = len(parts(source, data)[0].labels)
        config = training(params, model).model_copy(update={"snapshots": 0})
        min_steps = params.budget.min_steps_per_epoch
        config = fitted(config, fit, images, source.mirrored, min_steps)
        accuracy = measure(config, source, data, seed, machine.precision)
        row = {"seed": seed, "data": data, "model": model, "fit": fit, "accuracy": accuracy}
        row |= {"batch_size": config.batch_size, **machine.recorded()}
        print(row, flush=True)
        results.append(row)
        write_json(RESULTS, results)
    with new_file(PAGE) as partial:
        partial.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
