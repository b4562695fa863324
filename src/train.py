"""Stages `train_baseline` and `train_variant`: train one model of params.yaml, resumably.

Usage: python src/train.py NAME
"""

import argparse
import hashlib
import json
import shutil
import uuid
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import fifteen
from fifteen import hardware, tracking
from fifteen.config import Training, load_params
from fifteen.data.arrays import IMAGE_SHAPE, read_classes, read_part
from fifteen.errors import run_stage
from fifteen.evaluation.confusion import confusion_image, confusion_matrix
from fifteen.files import md5, new_file, new_folder, read_json, repository_root, write_json
from fifteen.networks.registry import build_network
from fifteen.training.checkpoint import load_variables
from fifteen.training.fit import best_file, snapshot_file, steps_per_epoch, train
from fifteen.training.history import History, best_epoch, write_history
from fifteen.training.schedules import learning_rates, write_learning_rates

import keras
import numpy as np
from filelock import FileLock

DATA, MODELS = Path("data/trainval"), Path("models")
LEARNING_RATES_PER_EPOCH = 500  # points of the learning-rate curve in MLflow, at most


def digest(name: str, config: Training, seed: int, precision: str) -> str:
    """A digest of all that decides a training: what differs in anything is never resumed."""
    package = Path(fifteen.__file__).parent
    code = [Path(__file__), package / "hardware.py"]
    for folder in ("data", "networks", "training"):
        code += sorted((package / folder).glob("*.py"))
    decides = {
        "name": name,
        "training": config.model_dump(),
        "seed": seed,
        "precision": precision,
        "data": read_json(DATA / "checksums.json"),
        "code": [md5(path) for path in code],
        "versions": [version(package) for package in ("tensorflow", "keras")],
    }
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def resume_key(work: Path) -> str:
    """The name, unlike any other, of the training that is under way in the folder `work`."""
    path = work / "resume_key"
    if not path.exists():
        with new_file(path) as partial:
            partial.write_text(f"{work.name}-{uuid.uuid4().hex[:8]}", encoding="utf-8")
    return path.read_text(encoding="utf-8")


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
        # One transaction; the validation metrics, last, mark the epoch as logged.
        run.log_series(series | {key: [(row.epoch, value)] for key, value in values.items()})


def export(config: Training, classes: int, best: int, work: Path, folder: Path) -> keras.Model:
    """Save the best epoch's model and the snapshots as .keras files; returns the former."""
    model = build_network(config.network, classes)  # never compiled: saved without an optimizer
    for number in range(1, config.snapshots + 1):
        if (work / snapshot_file(number)).exists():  # an early stop leaves the later ones out
            load_variables(work / snapshot_file(number), model.weights)
            model.save(folder / f"snapshot_{number}.keras")
    load_variables(work / best_file(best), model.weights)
    model.save(folder / "model.keras")
    return model


def main() -> None:
    """Train the model named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="baseline, or a key of `variants` in params.yaml")
    name = parser.parse_args().name
    params = load_params()
    config = params.training(name)
    machine = hardware.configure(params.hardware.precision)
    print(f"{name}: on {machine.device}, in {machine.precision}", flush=True)
    classes = read_classes(DATA)
    training, validation = read_part(DATA, "train"), read_part(DATA, "validation")
    steps = steps_per_epoch(len(training.labels), config.batch_size)
    rates = learning_rates(config.schedule, config.epochs, steps)

    stage = "train_baseline" if name == "baseline" else f"train_variant@{name}"
    key = digest(name, config, params.seed, machine.precision)
    work = repository_root() / ".fifteen" / f"{name}-{key}"
    work.parent.mkdir(exist_ok=True)
    with FileLock(work.with_suffix(".lock")):  # an orphan, or a parallel experiment, goes first
        with tracking.resumable_run(classes.source, name, stage, resume_key(work)) as run:
            run.log_params(
                config.model_dump() | {"seed": params.seed, "precision": machine.precision}
            )
            run.set_tags({"device": machine.device})  # may change when a training is resumed
            run.log_data(classes.source, read_json(DATA / "checksums.json"))

            def publish(history: History) -> None:
                log_epochs(run, history[run.steps_logged("val/accuracy") :], rates, steps)

            keras.utils.set_random_seed(params.seed)
            network = build_network(config.network, len(classes.names))
            history = train(
                network, config, rates, training, validation, params.seed, work, publish
            )
            best = history[best_epoch(history, config.monitor) - 1]
            with new_folder(MODELS / name) as folder:
                model = export(config, len(classes.names), best.epoch, work, folder)
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
