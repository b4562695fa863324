"""Stages `train_baseline`, `train_tuned`, `train_variant`: train one model, resumably.

Usage: python src/train.py NAME
"""

from pathlib import Path

from fifteen.common.command import name_argument
from fifteen.common.errors import run_stage
from fifteen.common.files import fill_folder, read_json, write_json
from fifteen.data.arrays import IMAGE_SHAPE
from fifteen.evaluation.confusion import confusion_image, confusion_matrix
from fifteen.inference.temperature import fit_temperature
from fifteen.params.reading import load_params
from fifteen.params.sections import Training
from fifteen.training.checkpoint import load_variables
from fifteen.training.fit import best_file, snapshot_file
from fifteen.training.history import best_epoch, write_history
from fifteen.training.schedules import write_learning_rates
from fifteen.training.tracked import training_run

import keras

MODELS = Path("models")


def export(model: keras.Model, config: Training, best: int, work: Path, folder: Path) -> None:
    """Save the snapshots, then `model` with the weights of the best epoch."""
    snapshots = folder / "snapshots"
    # A training that stopped early has not taken the later ones.
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
    name = name_argument(__doc__, "baseline, or a key of `variants` or `searches` in params.yaml")
    params, chosen = load_params(), None
    stage = "train_baseline" if name == "baseline" else f"train_variant@{name}"
    if name in params.searches:
        chosen = read_json(MODELS / name / "hyperparameters.json")["training"]  # of stage `tune`
        stage = f"train_tuned@{name}"
    section = params.training(name, chosen)
    with training_run(
        name, section, params.seed, params.hardware, params.budget, stage
    ) as training:
        config, history, run = training.config, training.history, training.run
        labels, names = training.validation.labels, training.classes.names
        best = history[best_epoch(history, config.monitor) - 1]
        with fill_folder(MODELS / name) as folder:
            model = training.network
            export(model, config, best.epoch, training.work, folder)
            probabilities = model.predict(training.validation.images, batch_size=500, verbose=0)
            result = {
                "name": name,
                "kind": "single",
                "seed": params.seed,
                "network": config.network.name,
                "hyperparameters": config.model_dump(),
                "epochs": len(history),
                "images_seen": len(history) * len(training.training.labels),
                "parameters": model.count_params(),
                "train_seconds": sum(row.seconds for row in history),
                "hardware": training.machine.recorded(),
                "best_epoch": best.epoch,
                "validation": {"accuracy": best.val_accuracy, "loss": best.val_loss},
                "temperature": fit_temperature(probabilities, labels),
                "run_id": run.id,
            }
            write_json(folder / "result.json", result)
            write_history(folder / "history.csv", history)
            write_learning_rates(folder / "learning_rate.csv", training.rates)
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
        matrix = confusion_matrix(labels, predicted, len(names))
        run.log_image(confusion_image(matrix), "confusion_matrix_validation")
        run.log_model(model, IMAGE_SHAPE, names, result["temperature"])
    print(f"{name}: validation accuracy {best.val_accuracy:.2%} in epoch {best.epoch}")


if __name__ == "__main__":
    run_stage(main)
