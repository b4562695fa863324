"""Stages `train_baseline` and `train_variant`: train one model of params.yaml, resumably.

Usage: python src/train.py NAME
"""

import shutil
from dataclasses import asdict
from pathlib import Path

from fifteen import hardware, tracking
from fifteen.command import name_argument
from fifteen.config import Training, load_params
from fifteen.data.arrays import IMAGE_SHAPE, read_classes, read_part
from fifteen.data.pipeline import steps_per_epoch
from fifteen.errors import run_stage
from fifteen.evaluation.calibration import fit_temperature
from fifteen.evaluation.confusion import confusion_image, confusion_matrix
from fifteen.files import fill_folder, md5, read_json, write_json
from fifteen.networks.registry import build_network
from fifteen.training.checkpoint import load_variables
from fifteen.training.fit import best_file, snapshot_file, train
from fifteen.training.history import History, best_epoch, write_history
from fifteen.training.schedules import learning_rates, write_learning_rates
from fifteen.training.work import resume_key, work_folder

import keras
from filelock import FileLock

DATA, MODELS = Path("data/trainval"), Path("models")


def export(model: keras.Model, config: Training, best: int, work: Path, folder: Path) -> None:
    """Save a folder with the snapshots, then `model` with the weights of the best epoch."""
    snapshots = folder / "snapshots"
    # An early stop leaves the later ones out.
    due = range(1, config.snapshot_count + 1)
    taken = [n for n in due if (work / snapshot_file(n)).exists()]
    write_json(snapshots / "taken.json", taken)
    for number in taken:
        load_variables(work / snapshot_file(number), model.weights)
        model.save(snapshots / f"snapshot_{number}.keras")
    load_variables(work / best_file(best), model.weights)
    model.save(folder / "model.keras")


def main() -> None:
    """Train the model named on the command line."""
    name = name_argument(__doc__, "baseline, or a key of `variants` in params.yaml")
    searched = MODELS / name / "hyperparameters.json"  # a stage before this one has written it
    params = load_params(found=None if name == "baseline" else read_json(searched))
    config = params.training(name)
    machine = hardware.configure(**params.hardware.model_dump())
    print(f"{name}: on {machine.device}, in {machine.precision}", flush=True)
    classes = read_classes(DATA)
    training, validation = read_part(DATA, "train"), read_part(DATA, "validation")
    steps = steps_per_epoch(len(training.labels), config.batch_size)
    rates = learning_rates(config.schedule, config.epochs, steps)

    stage = "train_baseline" if name == "baseline" else f"train_variant@{name}"
    checksums = read_json(DATA / "checksums.json")
    precision = machine.precision
    work = work_folder(
        name,
        {
            "training": config.model_dump(),
            "seed": params.seed,
            "precision": precision,
            "data": checksums,
            "script": md5(Path(__file__)),
        },
    )
    with FileLock(work.with_suffix(".lock")):  # an orphan, or a parallel experiment, goes first
        with tracking.resumable_run(classes.source, name, stage, resume_key(work)) as run:
            run.log_params(config.model_dump() | {"seed": params.seed, "precision": precision})
            run.set_tags({"device": machine.device})  # may change when a training is resumed
            run.log_data(classes.source, checksums)

            def publish(history: History) -> None:
                run.publish([asdict(row) for row in history], rates, steps)

            keras.utils.set_random_seed(params.seed)
            network = build_network(config.network, len(classes.names), training.images)
            with machine.scope():
                history = train(
                    network, config, rates, training, validation, params.seed, work, publish
                )
            run.log_history([asdict(row) for row in history], rates, steps)
            best = history[best_epoch(history, config.monitor) - 1]
            with fill_folder(MODELS / name) as folder:
                # never compiled: saved without an optimizer
                model = build_network(config.network, len(classes.names), training.images)
                export(model, config, best.epoch, work, folder)
                probabilities = model.predict(validation.images, batch_size=500, verbose=0)
                result = {
                    "name": name,
                    "kind": "single",
                    "seed": params.seed,
                    "network": config.network.name,
                    "hyperparameters": config.model_dump(),
                    "epochs": len(history),
                    "images_seen": len(history) * len(training.labels),
                    "parameters": model.count_params(),
                    "train_seconds": sum(row.seconds for row in history),
                    "hardware": asdict(machine),
                    "best_epoch": best.epoch,
                    "validation": {"accuracy": best.val_accuracy, "loss": best.val_loss},
                    "temperature": fit_temperature(probabilities, validation.labels),
                    "run_id": run.id,
                }
                write_json(folder / "result.json", result)
                write_history(folder / "history.csv", history)
                write_learning_rates(folder / "learning_rate.csv", rates[: len(history) * steps])
                for file in ("result.json", "history.csv", "learning_rate.csv"):
                    run.log_file(folder / file)
            run.set_metrics(
                {
                    "train/seconds": result["train_seconds"],
                    "val/best_accuracy": best.val_accuracy,
                    "best_epoch": best.epoch,
                }
            )
            predicted = probabilities.argmax(axis=-1)
            matrix = confusion_matrix(validation.labels, predicted, len(classes.names))
            run.log_image(confusion_image(matrix), "confusion_matrix_validation")
            run.log_model(model, IMAGE_SHAPE, classes.names, result["temperature"])
        shutil.rmtree(work)
    print(f"{name}: validation accuracy {best.val_accuracy:.2%} in epoch {best.epoch}")


if __name__ == "__main__":
    run_stage(main)
