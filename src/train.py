"""Stages `train_baseline` and `train_variant`: train one model of params.yaml, resumably.

Usage: python src/train.py NAME
"""

import hashlib
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import fifteen
from fifteen import hardware, tracking
from fifteen.config import Training, load_params
from fifteen.data.arrays import IMAGE_SHAPE, read_classes, read_part
from fifteen.errors import run_stage
from fifteen.evaluation.confusion import confusion_image, confusion_matrix
from fifteen.files import md5, new_folder, read_json, repository_root, write_json
from fifteen.networks.registry import build_network
from fifteen.training.checkpoint import load_variables, saved_history
from fifteen.training.fit import BEST, STATE, snapshot_file, steps_per_epoch, train
from fifteen.training.history import History, best_epoch, write_history
from fifteen.training.schedules import learning_rates, write_learning_rates

import keras
import numpy as np
from filelock import FileLock

DATA, MODELS = Path("data/trainval"), Path("models")
LEARNING_RATES_PER_EPOCH = 500  # points of the learning-rate curve in MLflow, at most


def resume_key(name: str, config: Training, seed: int, precision: str) -> str:
    """A digest of all that decides a training: what differs in anything is never resumed."""
    package = Path(fifteen.__file__).parent
    folders = ("data", "networks", "training")
    code = sorted(path for folder in folders for path in (package / folder).glob("*.py"))
    decides = {
        "name": name,
        "training": config.model_dump(),
        "seed": seed,
        "precision": precision,
        "data": read_json(DATA / "checksums.json"),
        "code": [md5(path) for path in code],
    }
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def log_epochs(run: tracking.TrackedRun, epochs: History, rates: np.ndarray, steps: int) -> None:
    """Log the curves of `epochs`, the learning rate against the training step."""
    stride = -(-steps // LEARNING_RATES_PER_EPOCH)
    for row in epochs:
        values = {
            key.replace("_", "/", 1): value
            for key, value in asdict(row).items()
            if key.startswith(("train_", "val_"))
        }
        in_epoch = range((row.epoch - 1) * steps, row.epoch * steps, stride)
        series = {"learning_rate": [(step, float(rates[step])) for step in in_epoch]}
        # One transaction where it fits; the validation metrics, last, mark the epoch as logged.
        run.log_series(series | {key: [(row.epoch, value)] for key, value in values.items()})


def log_data(run: tracking.TrackedRun, source: str) -> None:
    """Log which arrays the run saw: the data set's digest, and each file's as a tag."""
    digests = read_json(DATA / "checksums.json")
    run.log_dataset(source, digests["train_images.npy"][:8], "training")
    run.log_dataset(source, digests["validation_images.npy"][:8], "validation")
    run.set_tags({f"md5.{name}": digest for name, digest in digests.items()})


def export(config: Training, classes: int, work: Path, folder: Path) -> keras.Model:
    """Save the best epoch's model and the snapshots as .keras files; returns the former."""
    model = build_network(config.network, classes)  # never compiled: saved without an optimizer
    for number in range(1, config.snapshots + 1):
        if (work / snapshot_file(number)).exists():  # an early stop leaves the later ones out
            load_variables(work / snapshot_file(number), model.weights)
            model.save(folder / f"snapshot_{number}.keras")
    load_variables(work / BEST, model.weights)
    model.save(folder / "model.keras")
    return model


def main() -> None:
    """Train the model named on the command line."""
    name = sys.argv[1]
    params = load_params()
    config = params.training(name)
    machine = hardware.configure(params.hardware.precision)
    classes = read_classes(DATA)
    training, validation = read_part(DATA, "train"), read_part(DATA, "validation")
    steps = steps_per_epoch(len(training.labels), config.batch_size)
    rates = learning_rates(config.schedule, config.epochs, steps)

    key = resume_key(name, config, params.seed, machine.precision)
    work = repository_root() / ".fifteen" / f"{name}-{key}"
    work.parent.mkdir(exist_ok=True)
    with FileLock(work.with_suffix(".lock")):  # an orphan, or a parallel experiment, goes first
        finished = len(saved_history(work / STATE))
        with tracking.resumable_run(
            classes.source, name, f"train {name}", key, finished, "val/accuracy"
        ) as run:
            run.log_params(
                config.model_dump() | {"seed": params.seed, "precision": machine.precision}
            )
            run.set_tags({"device": machine.device})  # may change when a training is resumed
            log_data(run, classes.source)

            def publish(history: History) -> None:
                log_epochs(run, history[run.steps_logged("val/accuracy") :], rates, steps)

            keras.utils.set_random_seed(params.seed)
            network = build_network(config.network, len(classes.names))
            history = train(
                network, config, rates, training, validation, params.seed, work, publish
            )
            best = history[best_epoch(history, config.monitor) - 1]
            with new_folder(MODELS / name) as folder:
                model = export(config, len(classes.names), work, folder)
                result = {
                    "name": name,
                    "kind": "single",
                    "network": config.network,
                    "epochs": len(history),
                    "images_seen": len(history) * len(training.labels),
                    "parameters": model.count_params(),
                    "train_seconds": sum(row.seconds for row in history),
                    "hardware": asdict(machine),
                    "best_epoch": best.epoch,
                    "validation": {"accuracy": best.val_accuracy, "loss": best.val_loss},
                    "run_id": run.id,
                }
                write_json(folder / "result.json", result)
                write_history(folder / "history.csv", history)
                write_learning_rates(folder / "learning_rate.csv", rates[: len(history) * steps])
                for file in ("result.json", "history.csv", "learning_rate.csv"):
                    run.log_file(folder / file)
            run.log_metrics(
                {
                    "train/seconds": result["train_seconds"],
                    "val/best_accuracy": best.val_accuracy,
                    "best_epoch": best.epoch,
                }
            )
            predicted = model.predict(validation.images, batch_size=500, verbose=0).argmax(-1)
            matrix = confusion_matrix(validation.labels, predicted, len(classes.names))
            run.log_image(confusion_image(matrix), "confusion_matrix_validation")
            run.log_model(model, IMAGE_SHAPE, len(classes.names))
        shutil.rmtree(work)
    print(f"{name}: validation accuracy {best.val_accuracy:.2%} in epoch {best.epoch}")


if __name__ == "__main__":
    run_stage(main)
