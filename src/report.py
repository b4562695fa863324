"""Stage `report`: all models side by side, and which differences between them are real.

Usage: python src/report.py [--force]
"""

import argparse
import csv
from collections.abc import Iterable
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from typing import Any

from fifteen.common.errors import run_stage
from fifteen.common.files import new_file, new_folder, read_json, write_json
from fifteen.evaluation.importance import importances
from fifteen.evaluation.scores import wilson_interval
from fifteen.evaluation.statistics import compare
from fifteen.params.reading import load_params
from fifteen.reporting import charts, ensembles, ladder, search_figures
from fifteen.reporting import comparison_figures as figures
from fifteen.reporting.comparisons import members_compared, relative_to
from fifteen.reporting.descriptions import description
from fifteen.reporting.diversity_figures import gains_figure, matrices_figure
from fifteen.reporting.measured import read_measured
from fifteen.reporting.model_card import model_card
from fifteen.reporting.original import original_accuracies
from fifteen.reporting.page import render_page
from fifteen.reporting.search_tables import Searched, baseline_values, trials_csv
from fifteen.reporting.style import model_colours, save_png
from fifteen.reporting.summary import results_page
from fifteen.reporting.tables import best_of, headline
from fifteen.tracking import registry

import numpy as np

REPORTS = Path("reports")
MODELS = REPORTS / "models"


def read_answers(names: Iterable[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The labels of the N test images, and what each model answers.

    Returns:
        (N,) class ids; of each model (1 + M, N) class ids, its own and then those of M members.
    """
    answers = {}
    for name in names:
        path = MODELS / name / "answers.csv"
        labels, *found = np.loadtxt(path, int, delimiter=",", skiprows=1, unpack=True)
        answers[name] = np.array(found)
    return labels, answers


def compare_all(
    models: dict[str, dict[str, Any]], labels: np.ndarray, answers: dict[str, np.ndarray]
) -> list[dict[str, Any]]:
    """Every model against every earlier one, and each ensemble against its last and best member.

    `labels` and `answers`, by model, are as `read_answers` gives them.
    """
    right = {name: of_model == labels for name, of_model in answers.items()}
    pairs = [(a, b, right[a][0], right[b][0]) for b, a in combinations(models, 2)]
    for name, (of_model, *of_members) in right.items():
        if of_members:  # averaged weights leave none
            members = members_compared(models[name]["member_validation_accuracy"])
            for which, index in members.items():
                member = f"{models[name]['variant']}:{which}"
                pairs.append((name, member, of_model, of_members[index]))
    return [{"a": a, "b": b, **compare(right_a, right_b)} for a, b, right_a, right_b in pairs]


def doubtful_labels(
    labels: np.ndarray, answers: dict[str, np.ndarray], class_names: list[str]
) -> list[dict[str, Any]]:
    """The images for which all models have one and the same answer, which is not the label.

    Args:
        labels: (N,) class ids.
        answers: (N,) class ids by model; with fewer than two models nothing is agreed on.
        class_names: by id.
    """
    if len(answers) < 2:
        return []
    first, *others = answers.values()
    agreed = np.all([other == first for other in others], axis=0) & (first != labels)
    return [
        {"index": index, "class": class_names[labels[index]], "answer": class_names[first[index]]}
        for index in np.flatnonzero(agreed).tolist()
    ]


def read_columns(path: Path) -> dict[str, np.ndarray]:
    """The columns of a CSV file by name; those that are not numbers are left out."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {key: [row[key] for row in rows] for key in rows[0] if key != "name"}
    return {key: np.array(values, dtype=float) for key, values in columns.items()}


def read_searches(models: dict[str, dict[str, Any]]) -> dict[str, Searched]:
    """The searches for those of the models that were searched for, with what they amount to."""
    baseline = baseline_values(models["baseline"]["hyperparameters"])
    searches = {}
    for name in models:
        path = MODELS / name / "search.json"
        if path.exists():
            search = read_json(path)
            found = importances(search)
            searches[name] = Searched(search, asdict(found) if found else None, baseline)
    return searches


def write_search_figures(folder: Path, searches: dict[str, Searched]) -> None:
    """Draw the trials of each search, and what matters in it."""
    for variant, searched in searches.items():
        drawn = {
            "parallel": search_figures.parallel_figure(searched.search),
            "curves": search_figures.trial_curves_figure(searched.search),
        }
        if searched.importances:
            drawn["importance"] = search_figures.importance_figure(searched.importances)
        for kind, figure in drawn.items():
            save_png(figure, folder / f"search_{variant}_{kind}.png")


def write_figures(
    folder: Path,
    metrics: dict[str, Any],
    names: list[str],
    histories: dict[str, dict[str, np.ndarray]],
    per_class: dict[str, np.ndarray],
) -> None:
    """Draw what compares the models of `metrics`.

    Args:
        folder: where.
        metrics: the content of metrics.json.
        names: of the C classes.
        histories: the columns of the history of each model that was trained.
        per_class: (C,) accuracies of each model.
    """
    models, colours = metrics["models"], model_colours(metrics["models"])
    rates = {name: read_columns(MODELS / name / "learning_rate.csv") for name in histories}
    curves = {
        name: (
            rate["step"],
            rate["learning_rate"],
            len(rate["step"]) // len(histories[name]["epoch"]),
        )
        for name, rate in rates.items()
    }
    original = {k: v for k, v in original_accuracies(metrics["source"]).items() if k in models}
    drawn = {
        "accuracy": figures.accuracy_figure(models, original, colours),
        "curves": figures.curves_figure(histories, colours),
        "learning_rates": figures.learning_rate_figure(curves, colours),
        "per_class": figures.per_class_figure(per_class, names, colours),
    }
    if len(models) > 1:
        drawn["differences"] = figures.differences_figure(metrics["comparisons"], "baseline")
    for name, figure in drawn.items():
        save_png(figure, folder / f"{name}.png")


def class_intervals(accuracies: np.ndarray, images: list[int]) -> np.ndarray:
    """(C, 2): Wilson's 95 % interval of the accuracy of each of C classes, by its test images."""
    return np.array([share_interval(*one) for one in zip(accuracies, images, strict=True)])


def share_intervals(test: dict[str, Any], images: int) -> dict[str, tuple[float, float]]:
    """Wilson's 95 % intervals of other shares than the accuracy, of so many test images."""
    keys = [key for key in ("top5_accuracy", "superclass_accuracy") if key in test]
    return {key: share_interval(test[key], images) for key in keys}


def share_interval(share: float, images: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of so many images."""
    return wilson_interval(round(share * images), images)


def draw_charts(
    models: dict[str, dict[str, Any]],
    data: dict[str, Any],
    first: str,
    histories: dict[str, dict[str, np.ndarray]],
    per_class: dict[str, np.ndarray],
) -> dict[str, charts.Spec]:
    """The interactive charts of the page; where one model is shown at a time, `first` is first.

    `histories` and `per_class` are those of `write_figures`.
    """
    names = [first, *(name for name in models if name != first)]
    classes, superclasses = data["images_per_class"], data["superclasses"]
    images = [entry["test"] for entry in classes]
    kind = "superclass_confusion" if superclasses else "confusion"
    matrices = {
        name: np.loadtxt(MODELS / name / f"{kind}.csv", int, delimiter=",") for name in names
    }
    return {
        "curves": charts.curves_chart(histories, model_colours(models)),
        "per_class": charts.per_class_chart(
            {name: per_class[name] for name in names},
            {name: class_intervals(per_class[name], images) for name in names},
            [entry["class"] for entry in classes],
            [entry["superclass"] for entry in classes] if superclasses else None,
        ),
        "confusion": charts.confusion_chart(
            matrices, superclasses or [entry["class"] for entry in classes]
        ),
        "calibration": charts.calibration_chart(
            {name: read_json(MODELS / name / "calibration.json") for name in names}
        ),
    }


def write_curves(path: Path, names: list[str]) -> None:
    """Write the histories of all trained models below each other, for `dvc plots`."""
    with path.open("w", encoding="utf-8") as file:
        for name in names:
            header, *rows = (MODELS / name / "history.csv").read_text(encoding="utf-8").split()
            if name == names[0]:
                file.write(f"model,{header}\n")
            file.writelines(f"{name},{row}\n" for row in rows)


def member_diversities(
    models: dict[str, dict[str, Any]], class_names: list[str]
) -> dict[str, dict[str, Any]]:
    """How different the snapshots of each variant are that an ensemble combines.

    That is the fields of `Diversity`, the `weight_distances`, and the name of the `worst_class`,
    that which the members have right least often. Where several ensembles combine the same ones,
    it is judged by the best of them on validation.
    """
    found = {}
    for name in sorted(models, key=lambda name: models[name]["validation"]["accuracy"]):
        path = MODELS / name / "diversity.json"
        if path.exists():
            of_members = {key: np.array(value) for key, value in read_json(path).items()}
            found[models[name]["variant"]] = of_members | {
                "weight_distances": np.array(models[name]["weight_distances"]),
                "worst_class": class_names[of_members["class_accuracy"].argmin()],
            }
    return found


def write_diversity_figures(folder: Path, found: dict[str, dict[str, Any]]) -> None:
    """Draw how different the snapshots of each variant are, and what they gain together."""
    for variant, of_variant in found.items():
        matrices = {
            "different answers (share)": of_variant["disagreement"],
            "correlation of errors": of_variant["error_correlation"],
            "distance of weights": of_variant["weight_distances"],
        }
        save_png(matrices_figure(matrices), folder / f"members_{variant}.png")
        save_png(gains_figure(of_variant), folder / f"gains_{variant}.png")


def write_measured_figures(
    folder: Path, changes: list[ladder.Row], designs: list[ensembles.Row]
) -> None:
    """Draw what was measured beside the pipeline on this data set."""
    if changes:
        save_png(ladder.ladder_figure(changes), folder / "ladder.png")
    if designs:
        save_png(ensembles.ensembles_figure(designs), folder / "designs.png")


def of_kind(models: dict[str, dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """Those of the models that are `single`, or an `ensemble`."""
    return {name: model for name, model in models.items() if model["kind"] == kind}


def aliases(models: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Which model deserves which alias in the registry, judged on the validation images."""
    deserved = {"champion": best_of(models), "baseline": "baseline"}
    for kind in ("single", "ensemble"):
        if found := of_kind(models, kind):
            deserved[f"best-{kind}"] = best_of(found)
    return deserved


def main() -> None:
    """Write metrics.json, the figures and the report of all models in params.yaml."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--force", action="store_true", help="let a worse model take an alias too")
    force = parser.parse_args().force
    params = load_params()
    models = {name: read_json(MODELS / name / "metrics.json") for name in params.model_names()}
    data = read_json(REPORTS / "data" / "summary.json")
    classes = [entry["class"] for entry in data["images_per_class"]]
    singles = of_kind(models, "single")
    labels, answers = read_answers(models)
    comparisons = compare_all(models, labels, answers)
    beside_baseline = {c["a"]: c["verdict"] for c in relative_to(comparisons, "baseline")}
    good = [name for name in singles if beside_baseline.get(name) == "better"]
    metrics = {
        "source": data["source"],
        "epoch_budget": params.budget.epochs,
        **{f"{part}_images": count for part, count in data["images"].items()},
        "hardware": models["baseline"]["hardware"],
        "models": models,
        "comparisons": comparisons,
        "doubtful_labels": {
            "models": good,
            "images": doubtful_labels(labels, {name: answers[name][0] for name in good}, classes),
        },
    }
    searches, diversities = read_searches(models), member_diversities(models, classes)
    changes, designs = read_measured(REPORTS, data["source"])

    histories = {name: read_columns(MODELS / name / "history.csv") for name in singles}
    per_class = {name: read_columns(MODELS / name / "per_class.csv")["accuracy"] for name in models}

    with new_folder(REPORTS / "figures") as folder:
        write_figures(folder, metrics, classes, histories, per_class)
        write_search_figures(folder, searches)
        write_diversity_figures(folder, diversities)
        write_measured_figures(folder, changes, designs)
    with new_folder(REPORTS / "tune") as folder:
        rows = trials_csv({variant: searched.search for variant, searched in searches.items()})
        (folder / "trials.csv").write_text(rows, encoding="utf-8")
    with new_file(REPORTS / "curves.csv") as curves:
        write_curves(curves, list(singles))
    write_json(REPORTS / "metrics.json", metrics)
    write_json(
        REPORTS / "accuracy.json",
        {
            name: {part: models[name][part]["accuracy"] for part in ("validation", "test")}
            for name in models
        },
    )
    deserved = aliases(models)
    pages = {
        "model_card.md": model_card(
            metrics,
            data,
            params.data.split,
            deserved["champion"],
            share_intervals(models[deserved["champion"]]["test"], metrics["test_images"]),
            deserved["champion"] in searches,
        ),
        "results.md": results_page(
            metrics,
            [found.search for found in searches.values()],
            diversities,
            changes,
            designs,
            data,
        ),
        "report.html": render_page(
            metrics,
            searches,
            draw_charts(models, data, deserved["champion"], histories, per_class),
            diversities,
            changes,
            designs,
            MODELS,
            REPORTS / "figures",
            REPORTS / "data",
        ),
    }
    for file, text in pages.items():
        with new_file(REPORTS / file) as partial:
            partial.write_text(text, encoding="utf-8")

    for alias, name in deserved.items():
        run_id, what = models[name]["run_id"], f"{name}: {description(models[name])}"
        registry.register(data["source"], alias, run_id, "val/best_accuracy", what, force)
    print(headline(metrics))


if __name__ == "__main__":
    run_stage(main)
