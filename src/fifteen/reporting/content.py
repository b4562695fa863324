"""Everything that the templates show: numbers, tables and charts by name."""

from collections.abc import Mapping
from typing import Any

from fifteen.reporting import charts, frames, tables
from fifteen.reporting.findings import findings, original_systems
from fifteen.reporting.numbers_file import BASELINE, aliases, best_first
from fifteen.reporting.recorded import Recorded, trials_table
from fifteen.reporting.study_tables import (
    against_single,
    changes_table,
    designs_table,
    seeds_table,
)

import altair as alt
import pandas as pd

Content = dict[str, Any]
Studies = Mapping[str, pd.DataFrame]

LARGEST = 3  # gains that are named where there is room for few
CLASSES_OF = 5  # models whose classes are listed, the best on validation
SHOWN = 10  # of the doubtful labels


def short_content(metrics: Mapping[str, Any], studies: Studies) -> Content:
    """What the README and the terminal say: no more than the numbers file and the studies.

    Args:
        metrics: the content of reports/metrics.json.
        studies: as `fifteen.reporting.first_edition.study_results` gives them; may lack kinds.
    """
    models = frames.models_frame(metrics)
    return {
        "metrics": metrics,
        "found": findings(metrics),
        "results": tables.results_table(models),
        "changes": _changes(studies),
        "designs": _designs(studies),
        "seeds": _seeds(studies),
    }


def report_content(metrics: Mapping[str, Any], recorded: Recorded, studies: Studies) -> Content:
    """What the report says.

    Args:
        metrics: the content of reports/metrics.json.
        recorded: the small files of reports/.
        studies: as in `short_content`.
    """
    models = frames.models_frame(metrics)
    ordered = best_first(metrics["models"])
    classes = frames.classes_frame(recorded.classes, ordered[:CLASSES_OF])
    doubtful = pd.DataFrame(
        metrics["doubtful_labels"]["images"], columns=["index", "class", "answer"]
    )
    copies = frames.copies_frame(recorded.data)
    return short_content(metrics, studies) | {
        "data": recorded.data,
        "frame": models,
        "details": tables.details_table(models),
        "original": tables.original_table(models) if original_systems(metrics) else None,
        "comparisons": tables.comparisons_table(frames.comparisons_frame(metrics)),
        "searches": [
            _search(search, metrics, variant) for variant, search in recorded.searches.items()
        ],
        "diversities": _diversities(metrics, recorded),
        "classes": tables.classes_table(classes),
        "calibration": tables.calibration_table(models),
        "lower_ece": int((models["calibrated_ece"] < models["ece"]).sum()),
        "parts": tables.parts_table(frames.parts_frame(recorded.data)),
        "copies": tables.copies_table(copies),
        "copies_differ": int((copies["class"] != copies["class_in_train"]).sum()),
        "doubtful": tables.doubtful_table(doubtful.head(SHOWN)),
        "aliases": aliases(metrics["models"]),
    }


def report_charts(content: Content, recorded: Recorded) -> dict[str, alt.TopLevelMixin]:
    """The charts of the report by name; those that have nothing to show are left out."""
    models, best = content["frame"], content["found"]["best"]["name"]
    drawn: dict[str, alt.TopLevelMixin] = {
        "accuracy": charts.accuracy_chart(models),
        "curves": charts.curves_chart(recorded.histories),
        "learning_rates": charts.learning_rates_chart(recorded.rates),
        "worst_classes": charts.worst_classes_chart(
            frames.worst_classes_frame(recorded.classes), best
        ),
        "reliability": charts.reliability_chart(recorded.reliability, best),
    }
    if len(models) > 1:
        drawn["differences"] = charts.differences_chart(models)
    if content["changes"]:
        drawn |= {
            f"changes_{study['name']}": (
                charts.ladder_chart if study["is_walk"] else charts.left_out_chart
            )(study["table"].frame)
            for study in content["changes"]["studies"]
        }
    if content["designs"]:
        drawn["designs"] = charts.designs_chart(content["designs"]["frame"])
    for search in content["searches"]:
        drawn[f"search_{search['variant']}"] = charts.trials_chart(
            search["curves"], search["winner"]["configuration"] if search["winner"] else ""
        )
    return drawn


def _changes(studies: Studies) -> Content | None:
    """What each change is worth, by study; None where nothing was measured."""
    results = studies.get("changes")
    if results is None or results.empty:
        return None
    changes = changes_table(results)
    return {
        "studies": [_change_study(str(name), rows) for name, rows in changes.groupby("study", sort=False)],
        "freedom": int(changes["freedom"].iloc[0]),
        "errors": float(changes["errors"].iloc[0]),
        "machines": _machines(results),
        "commits": results["commit"].nunique(),
    }  # fmt: skip


def _change_study(name: str, rows: pd.DataFrame) -> Content:
    """One study: a walk, where each row is compared with the one before, or a set of variations."""
    compared = rows["compared_with"].dropna()
    is_walk = compared.nunique() == len(compared)
    sought = "better" if is_walk else "worse"
    real = rows[rows["verdict"].isin(["better", "worse"])]
    real = real.reindex(real["gain"].abs().sort_values(ascending=False).index)
    return {
        "name": name,
        "is_walk": is_walk,
        "reference": None if is_walk else compared.iloc[0],
        "table": tables.changes_table_of(rows),
        "first": rows.iloc[0].to_dict(),
        "last": rows.iloc[-1].to_dict(),
        "largest": real[real["verdict"] == sought].head(LARGEST).to_dict("records"),
        "better": real[real["verdict"] == "better"].to_dict("records"),
        "worse": real[real["verdict"] == "worse"].to_dict("records"),
        "same": rows[rows["verdict"] == "same"].to_dict("records"),
        "unjudged": rows[rows["verdict"].isna() & rows["compared_with"].notna()].to_dict("records"),
        "count": len(compared),
    }


def _designs(studies: Studies) -> Content | None:
    """How several models share the epochs of one, by study; None where nothing was measured."""
    results = studies.get("designs")
    if results is None or results.empty:
        return None
    designs = designs_table(results)
    return {
        "frame": designs,
        "studies": [
            {
                "name": name,
                "table": tables.designs_table_of(rows),
                "rules": tables.rules_table(rows),
                "single": rows["single"].iloc[0],
                "single_loss": rows["single_loss"].iloc[0],
                "best": rows.loc[rows["best_gain"].idxmax()].to_dict(),
                "others": rows.drop(rows["best_gain"].idxmax()).to_dict("records"),
            }
            for name, rows in designs.groupby("study", sort=False)
        ],
        "machines": _machines(results),
    }


def _seeds(studies: Studies) -> Content | None:
    """Models that were trained with several seeds; None where nothing was measured."""
    results = studies.get("seeds")
    if results is None or results.empty:
        return None
    gains = against_single(results)
    return {
        "table": tables.seeds_table_of(seeds_table(results)),
        "gains": gains.to_dict("records"),
        "machines": _machines(results),
    }


def _search(search: Mapping[str, Any], metrics: Mapping[str, Any], variant: str) -> Content:
    baseline = metrics["models"][BASELINE]["hyperparameters"]
    items = frames.leave_one_out_frame(search, metrics["validation_images"])
    return {
        "variant": variant,
        "winner": frames.winner_of(search),
        "cost": frames.search_cost(search),
        "curves": frames.trials_frame(search),
        "hyperparameters": tables.hyperparameters_table(
            frames.hyperparameters_frame(search, baseline)
        ),
        "trials": tables.trials_table_of(trials_table({variant: search})),
        "leave_one_out": tables.leave_one_out_table(items),
        "needed": items[items["verdict"] == "worse"].to_dict("records"),
        "harmful": items[items["verdict"] == "better"].to_dict("records"),
        "unproven": items[items["verdict"] == "same"].to_dict("records"),
        "failed": items[items["change"].isna()].to_dict("records"),
    }


def _diversities(metrics: Mapping[str, Any], recorded: Recorded) -> dict[str, Content]:
    """By variant, how its snapshots differ; by the best on validation of its ensembles."""
    models = metrics["models"]
    return {
        models[name]["variant"]: frames.diversity_summary(models[name], recorded.diversities[name])
        for name in reversed(best_first(models))
        if name in recorded.diversities
    }


def _machines(results: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(results["device"] + ", " + results["precision"]))
