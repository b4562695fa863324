"""Stage `evaluate`: predict the test images with one model, and score the predictions.

The results are in reports/models/NAME, small enough for git. They are all that `report` needs, so
it runs in any checkout, without models or predictions.

Usage: python src/evaluate.py NAME
"""

import csv
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fifteen.common.command import name_argument
from fifteen.common.errors import run_stage
from fifteen.common.files import new_file, new_folder, read_json, write_json
from fifteen.data.arrays import IMAGE_SHAPE, Classes, Part, read_classes, read_part
from fifteen.ensembling.combined_model import predictor
from fifteen.ensembling.rules import tie_rate
from fifteen.evaluation.calibration import reliability
from fifteen.evaluation.confusion import confusion_image, confusion_matrix, group_confusion
from fifteen.evaluation.diversity import diversity
from fifteen.evaluation.scores import calibrated_scores, per_class_accuracy, summarize
from fifteen.inference import hardware
from fifteen.inference.temperature import with_temperature
from fifteen.inference.views import predict_views
from fifteen.params.reading import load_params
from fifteen.reporting.model_figures import confused_pairs_figure, confusion_figure, mistakes_figure
from fifteen.reporting.style import save_png
from fifteen.tracking import runs

import keras
import numpy as np

DATA, MODELS = Path("data/test"), Path("models")
SCALARS = (
    *("accuracy", "top5_accuracy", "superclass_accuracy", "tie_rate"),
    *("nll", "ece", "calibrated_nll", "calibrated_ece"),
)


def scores_of_views(
    predict: Callable[[np.ndarray], dict[str, np.ndarray]],
    outputs: dict[str, np.ndarray],
    test: Part,
    classes: Classes,
) -> dict[str, Any]:
    """The scores of the mean over views of each image; `outputs` are of the unchanged images."""

    def probabilities(view: np.ndarray) -> np.ndarray:
        return (outputs if view is test.images else predict(view))["probabilities"]

    mean = predict_views(probabilities, test.images, classes.mirrored)
    return summarize(mean, test.labels, classes.names, classes.superclass_of)


def write_per_class(
    path: Path, names: Sequence[str], labels: np.ndarray, predicted: np.ndarray
) -> None:
    """Write one CSV row per class: its number of test images and its accuracy."""
    counts = np.bincount(labels, minlength=len(names))
    shares = per_class_accuracy(predicted, labels, len(names))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "name", "images", "accuracy"])
        writer.writerows(zip(range(len(names)), names, counts, shares, strict=True))


def write_answers(path: Path, labels: np.ndarray, outputs: Mapping[str, np.ndarray]) -> None:
    """Write one CSV row per test image: its class, the model's answer, and each member's."""
    columns = {"label": labels, "answer": outputs["probabilities"].argmax(-1)}
    if "member_probabilities" in outputs:
        members = outputs["member_probabilities"].argmax(-1).T
        columns |= {f"member_{number}": answers for number, answers in enumerate(members, start=1)}
    rows = np.stack(list(columns.values()), axis=1)
    np.savetxt(path, rows, "%d", delimiter=",", header=",".join(columns), comments="")


def reliability_diagrams(
    probabilities: np.ndarray, labels: np.ndarray, temperature: float
) -> dict[str, dict[str, list[float]]]:
    """The reliability diagrams before and after calibration, without empty bins."""
    calibrated, diagrams = with_temperature(probabilities, temperature), {}
    by_kind = {"as they come": probabilities, "calibrated": calibrated}
    for kind, given in by_kind.items():
        bins = reliability(given, labels)
        diagrams[kind] = {
            key: values[bins.count > 0].tolist() for key, values in vars(bins).items()
        }
    return diagrams


def write_report(
    folder: Path,
    name: str,
    classes: Classes,
    test: Part,
    probabilities: np.ndarray,
    confused: Sequence[dict[str, Any]],
) -> np.ndarray:
    """Write the tables and figures of one model; returns its confusion matrix."""
    predicted = probabilities.argmax(axis=-1)
    matrix = confusion_matrix(test.labels, predicted, len(classes.names))
    matrices = {"confusion": (matrix, classes.names)}
    if classes.superclass_of and classes.superclass_names:
        grouped = group_confusion(matrix, classes.superclass_of)
        matrices["superclass_confusion"] = (grouped, classes.superclass_names)
    for kind, (counts, names) in matrices.items():
        np.savetxt(folder / f"{kind}.csv", counts, "%d", delimiter=",")
        save_png(confusion_figure(counts, names, f"{name}: test images"), folder / f"{kind}.png")
    mistakes = mistakes_figure(test.images, test.labels, probabilities, classes.names)
    save_png(mistakes, folder / "mistakes.png")
    pairs = confused_pairs_figure(test.images, test.labels, predicted, classes.names, confused)
    save_png(pairs, folder / "confused_pairs.png")
    write_per_class(folder / "per_class.csv", classes.names, test.labels, predicted)
    return matrix


def main() -> None:
    """Evaluate the model named on the command line."""
    name = name_argument(__doc__, "a folder of models/")
    params = load_params()
    hardware.share_gpus()
    classes, test = read_classes(DATA), read_part(DATA, "test")
    result = read_json(MODELS / name / "result.json")
    run_id = result.pop("run_id")
    model = keras.models.load_model(MODELS / name / "model.keras")
    predict = predictor(model)
    outputs = predict(test.images)
    scores = summarize(outputs["probabilities"], test.labels, classes.names, classes.superclass_of)
    scores |= calibrated_scores(outputs["probabilities"], test.labels, result["temperature"])
    if result.get("method") == "vote":
        scores["tie_rate"] = tie_rate(outputs["member_probabilities"])
    by_views = {"test": scores}
    if params.test_time_augmentation:
        by_views["test_tta"] = scores_of_views(predict, outputs, test, classes)

    with (
        runs.continued_run(classes.source, run_id, name, "evaluate") as run,
        new_folder(Path("reports/models") / name) as folder,
        new_file(Path("predictions") / f"{name}.npz") as predictions,
    ):
        matrix = write_report(
            folder, name, classes, test, outputs["probabilities"], scores["confused_pairs"]
        )
        if result["kind"] == "single":
            searched = ["search.json"] if name in params.searches else []
            for file in ("history.csv", "learning_rate.csv", *searched):
                shutil.copy(MODELS / name / file, folder)
        write_answers(folder / "answers.csv", test.labels, outputs)
        probabilities, temperature = outputs["probabilities"], result["temperature"]
        diagrams = reliability_diagrams(probabilities, test.labels, temperature)
        write_json(folder / "calibration.json", diagrams)
        if "member_probabilities" in outputs:  # not of a single model or of averaged weights
            members, combined = outputs["member_probabilities"], outputs["probabilities"]
            measures = diversity(members, combined, test.labels)._asdict()
            as_lists = {key: np.asarray(value).tolist() for key, value in measures.items()}
            write_json(folder / "diversity.json", as_lists)
        write_json(folder / "metrics.json", result | {"run_id": run.id} | by_views)
        arrays: dict[str, Any] = {**outputs, "labels": test.labels}
        with predictions.open("wb") as file:
            np.savez(file, **arrays)

        run.set_metrics(
            {
                f"{part}/{key}": values[key]
                for part, values in by_views.items()
                for key in SCALARS
                if key in values
            }
        )
        run.log_image(confusion_image(matrix), "confusion_matrix_test")
        run.log_file(folder, "test")
        run.log_data(classes.source, read_json(DATA / "checksums.json"))
        if run.id != run_id:  # this store does not have the run of the training
            run.log_params({key: result[key] for key in ("kind", "epochs")})
            run.log_params({"network": {"name": result["network"]}})
            run.set_metrics({"val/best_accuracy": result["validation"]["accuracy"]})
            run.log_model(model, IMAGE_SHAPE, classes.names, result["temperature"])
    for part, values in by_views.items():
        low, high = values["accuracy_ci95"]
        interval = f"(95 % interval {low:.2%} to {high:.2%})"
        print(f"{name}: {part} accuracy {values['accuracy']:.2%} {interval}")


if __name__ == "__main__":
    run_stage(main)
