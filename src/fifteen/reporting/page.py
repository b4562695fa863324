"""The report as one HTML page that needs nothing but itself."""

import base64
import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fifteen.common.files import read_json
from fifteen.reporting import charts, ensembles, ladder, search_tables, tables
from fifteen.reporting.comparisons import relative_to
from fifteen.reporting.descriptions import what_is_what
from fifteen.reporting.original import original_results
from fifteen.reporting.search_tables import Searched
from fifteen.reporting.summary import lead
from fifteen.reporting.templates import environment

import numpy as np
from PIL import Image

VENDOR = Path(__file__).parent / "vendor"
NUMBER = r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
# So many the figures of a model show by themselves: fifteen.reporting.model_figures.
SHOWN_PAIRS, SHOWN_MISTAKES = 6, 24
SCRIPTS = ("sortable.min.js", "vega.min.js", "vega-lite.min.js", "vega-embed.min.js")

Table = tuple[tables.Row, list[tables.Row]]


@dataclass(frozen=True)
class Picture:
    """An image inside the page.

    Attributes:
        uri: all of it as a ``data:`` URI.
        width: in pixels; with the height it lets a browser lay out the page at once.
        height: in pixels.
        alt: what the image shows, for those who do not see it.
    """

    uri: str
    width: int
    height: int
    alt: str


def render_page(
    metrics: tables.Metrics,
    searches: Mapping[str, Searched],
    specs: Mapping[str, charts.Spec],
    diversities: Mapping[str, Mapping[str, Any]],
    changes: Sequence[ladder.Row],
    designs: Sequence[ensembles.Row],
    models_dir: Path,
    figures_dir: Path,
    data_dir: Path,
) -> str:
    """Renders the report: every image and script embedded, nothing loaded from anywhere.

    Args:
        metrics: the content of `reports/metrics.json`.
        searches: the hyperparameter searches by variant; may be empty.
        specs: of the charts: `curves`, `per_class`, `confusion` and `calibration`.
        diversities: of the snapshots of each variant that are combined, as
            `tables.diversity_sentences` takes it.
        changes: what each change is worth; may be empty.
        designs: how models may share the epochs; may be empty.
        models_dir: `reports/models`, with a folder per model: `per_class.csv`, `confusion.png`,
            `confused_pairs.png`, `mistakes.png` and, where the data has superclasses,
            `superclass_confusion.csv`.
        figures_dir: `reports/figures`: `accuracy.png`, `learning_rates.png` and, where something is
            compared with the baseline, `differences.png`; for each search
            `search_<variant>_parallel.png`, `search_<variant>_curves.png` and, where there are
            importances, `search_<variant>_importance.png`; `members_<variant>.png` and
            `gains_<variant>.png` for each of the diversities; `ladder.png` where there are
            changes, `designs.png` where there are designs.
        data_dir: `reports/data`: `summary.json`, `contact_sheet.png` and `copies.png`.

    Raises:
        FileNotFoundError: one of these files is not there.
    """
    templates = environment(autoescape=True)  # names of classes and models are data
    templates.filters["sort_key"] = _sort_key
    template = templates.get_template("report.html.j2")
    models = metrics["models"]
    data = _data_section(data_dir)
    return template.render(
        metrics=metrics,
        headline=tables.headline(metrics),
        lead=[tables.choice(metrics), *lead(changes, designs)],
        setting=tables.setting(metrics),
        results=tables.results_rows(metrics),
        what_is_what=what_is_what(models),
        glossary=tables.GLOSSARY,
        original=_beside_original(metrics, models_dir),
        comparisons=tables.comparison_rows(metrics["comparisons"]),
        what_worked=tables.what_worked(metrics),
        ensemble_verdicts=tables.ensemble_verdicts(metrics),
        figures=_figures(metrics, figures_dir),
        searches=[
            _search_section(variant, searched, figures_dir, metrics["validation_images"])
            for variant, searched in searches.items()
        ],
        changes=_changes_section(changes, figures_dir) if changes else None,
        designs=_designs_section(designs, figures_dir) if designs else None,
        ensembles=[
            _ensemble_section(variant, found, figures_dir) for variant, found in diversities.items()
        ],
        models=[
            _model_section(name, models[name], metrics["test_images"], models_dir / name)
            for name in tables.best_first(models)
        ],
        class_tables=_class_tables(models, data["summary"]["superclasses"], models_dir),
        calibration_sentence=tables.calibration_sentence(models),
        calibration=tables.calibration_rows(models),
        data=data,
        doubtful=_doubtful_section(metrics),
        # what ends a script element must not stand inside one
        charts={
            name: json.dumps(spec, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
            for name, spec in specs.items()
        },
        scripts=[(VENDOR / script).read_text(encoding="utf-8") for script in SCRIPTS],
        sortable_style=(VENDOR / "sortable-base.min.css").read_text(encoding="utf-8-sig"),
    )


def _sort_key(cell: str) -> str:
    """What a cell of a table is sorted by: a number, or its text; what says nothing comes last.

    The number is the one that the cell begins with, or, as in `otter (5.00)`, the one in brackets.
    """
    plain = cell.replace("−", "-").replace(",", "")
    number = re.match(f"(?:< )?({NUMBER})", plain) or re.search(rf"\(({NUMBER})\)", plain)
    return number[1] if number else cell.replace(tables.NONE, "")


def _picture(path: Path, alt: str) -> Picture:
    """The picture in a PNG file; as lossless WebP the same pixels take a fifth less."""
    content = io.BytesIO()
    with Image.open(path) as image:
        image.save(content, "webp", lossless=True)
        width, height = image.size
    encoded = base64.b64encode(content.getvalue()).decode("ascii")
    return Picture(f"data:image/webp;base64,{encoded}", width, height, alt)


def _figures(metrics: tables.Metrics, folder: Path) -> dict[str, Picture]:
    alts = {
        "accuracy": "Dot plot: test accuracy of each model with its 95 % interval",
        "learning_rates": "Line charts: the learning rate over the epochs, one chart per model",
    }
    if relative_to(metrics["comparisons"], tables.BASELINE):
        alts["differences"] = (
            "Dot plot: difference in test accuracy from the baseline with its 95 % interval"
        )
    return {name: _picture(folder / f"{name}.png", alt) for name, alt in alts.items()}


def _search_section(
    variant: str, searched: Searched, folder: Path, validation_images: int
) -> dict[str, Any]:
    def figure(kind: str, alt: str) -> Picture:
        return _picture(folder / f"search_{variant}_{kind}.png", alt)

    search, importances = searched.search, searched.importances
    return {
        "variant": variant,
        "winner": search_tables.winner_sentence(search),
        "cost": search_tables.cost_sentence(search),
        "did_it": search_tables.taken_back_sentences(search, validation_images),
        "taken_back": search_tables.taken_back_rows(search, validation_images),
        "sentences": search_tables.importance_sentences(searched),
        "basis": search_tables.basis_sentence(importances) if importances else None,
        "hyperparameters": search_tables.hyperparameter_rows(searched),
        "trials": search_tables.trial_rows(search),
        "parallel": figure(
            "parallel",
            f"Parallel coordinates: the hyperparameters of each configuration tried for {variant} "
            "and its validation accuracy",
        ),
        "curves": figure(
            "curves",
            f"Line chart: validation accuracy of each configuration tried for {variant} after "
            "each epoch",
        ),
        "importance": figure(
            "importance",
            f"Dot plot: importance of each hyperparameter searched for {variant} with its "
            "standard error",
        )
        if importances
        else None,
    }


def _changes_section(rows: Sequence[ladder.Row], folder: Path) -> dict[str, Any]:
    return {
        "epochs": max(row.epochs for row in rows),
        "figure": _picture(
            folder / "ladder.png",
            "Bar charts: validation accuracy after one change after the other, and the difference "
            "that one thing left out or replaced makes, with standard errors; the tables have the "
            "numbers",
        ),
        "chapters": ladder.ladder_chapters(rows),
        "note": ladder.ladder_note(rows),
    }


def _designs_section(rows: Sequence[ensembles.Row], folder: Path) -> dict[str, Any]:
    return {
        "epochs": ensembles.most_epochs(rows),
        "figure": _picture(
            folder / "designs.png",
            "Dot plots: validation accuracy of the members of each design, of their sum with its "
            "95 % interval, and of one model of the whole budget; the tables have the numbers",
        ),
        "chapters": ensembles.ensembles_chapters(rows),
        "note": ensembles.ensembles_note(rows),
    }


def _beside_original(metrics: tables.Metrics, models_dir: Path) -> list[dict[str, str]]:
    """The original study's systems, each with our figure where we have that model."""
    original = original_results(metrics["source"])
    if not original:
        return []
    models = metrics["models"]
    class_names = _class_names(models_dir / next(iter(models)) / "per_class.csv")

    def class_cell(entry: tuple[int, float]) -> str:
        identifier, accuracy = entry
        return f"{class_names[identifier]} ({tables.percent(accuracy)})"

    return [
        {
            "name": name,
            "original": tables.percent(result.accuracy),
            "ours": tables.accuracy_with_interval(models[name]["test"]) if name in models else "–",
            "difference": tables.signed_points(models[name]["test"]["accuracy"] - result.accuracy)
            if name in models
            else "–",
            "best": class_cell(result.best_class),
            "worst": class_cell(result.worst_class),
        }
        for name, result in original.items()
    ]


def _read_classes(per_class_csv: Path) -> list[dict[str, str]]:
    with per_class_csv.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _class_names(per_class_csv: Path) -> dict[int, str]:
    return {int(row["class"]): row["name"] for row in _read_classes(per_class_csv)}


def _class_tables(
    models: Iterable[str], superclasses: Sequence[str] | None, folder: Path
) -> dict[str, Table | None]:
    """The accuracy of each class under each model, and of each superclass where there are some."""
    classes = {name: _read_classes(folder / name / "per_class.csv") for name in models}
    shares = {name: [float(row["accuracy"]) for row in rows] for name, rows in classes.items()}
    names = [row["name"] for row in next(iter(classes.values()))]
    of_superclasses = None
    if superclasses:
        right = {name: _share_right(folder / name / "superclass_confusion.csv") for name in models}
        of_superclasses = _accuracy_table("superclass", superclasses, right)
    return {"classes": _accuracy_table("class", names, shares), "superclasses": of_superclasses}


def _share_right(confusion_csv: Path) -> np.ndarray:
    matrix = np.loadtxt(confusion_csv, int, delimiter=",")
    return matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)


def _accuracy_table(
    what: str, names: Sequence[str], shares: Mapping[str, Sequence[float] | np.ndarray]
) -> Table:
    """A row for each name and a column for each model, in percent."""
    columns = [[tables.percent(share) for share in of_model] for of_model in shares.values()]
    return [what, *shares], [list(row) for row in zip(names, *columns, strict=True)]


def _model_section(
    name: str, model: dict[str, Any], test_images: int, folder: Path
) -> dict[str, Any]:
    test = model["test"]
    pairs = [
        f"{pair['true']} taken for {pair['predicted']} ({pair['count']})"
        for pair in test["confused_pairs"][:SHOWN_PAIRS]
    ]
    wrong = round((1 - test["accuracy"]) * test_images)
    return {
        "name": name,
        "kind": tables.kind(model),
        "test": test,
        "accuracy": tables.accuracy_with_interval(test),
        "best_accuracy": tables.percent(test["best_class"]["accuracy"]),
        "worst_accuracy": tables.percent(test["worst_class"]["accuracy"]),
        "tie_rate": tables.percent(test["tie_rate"]) if "tie_rate" in test else None,
        "confusion": _picture(
            folder / "confusion.png", f"Confusion matrix of {name} over all classes"
        ),
        "confused_pairs": _picture(
            folder / "confused_pairs.png",
            f"Test images of the classes that {name} confuses most, a row each: "
            f"{', '.join(pairs) or 'none'}",
        ),
        "mistakes": _picture(
            folder / "mistakes.png",
            f"The {min(SHOWN_MISTAKES, wrong)} of {wrong:,} mistakes that {name} was surest of; "
            "above each image its class, the answer and the probability of the answer",
        ),
    }


def _ensemble_section(variant: str, diversity: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    return {
        "variant": variant,
        "sentences": tables.diversity_sentences(diversity),
        "members": _picture(
            folder / f"members_{variant}.png",
            f"Matrices: how different each two of the snapshots of {variant} are",
        ),
        "gains": _picture(
            folder / f"gains_{variant}.png",
            f"Charts: accuracy of the last snapshots of {variant} together; gain of each class",
        ),
    }


def _data_section(folder: Path) -> dict[str, Any]:
    summary = read_json(folder / "summary.json")
    copies = summary["copies_of_training_images"]
    return {
        "summary": summary,
        "parts": tables.part_rows(summary),
        "copies_sentence": tables.copies_sentence(summary) if copies else None,
        "copies_rows": tables.copies_rows(summary),
        "contact_sheet": _picture(
            folder / "contact_sheet.png", "Contact sheet: the first training images of each class"
        ),
        "copies": _picture(folder / "copies.png", "Images that stand among the training images"),
    }


def _doubtful_section(metrics: tables.Metrics) -> dict[str, Any] | None:
    if not metrics["doubtful_labels"]["images"]:
        return None
    return {
        "sentence": tables.doubtful_sentence(metrics),
        "rows": tables.doubtful_rows(metrics),
    }
