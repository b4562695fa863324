"""Everything that the templates show: numbers, tables and charts by name."""

from collections.abc import Mapping
from typing import Any

from fifteen.reporting import charts, frames, study_tables, tables
from fifteen.reporting.findings import findings
from fifteen.reporting.formats import Column, Table, percent
from fifteen.reporting.numbers_file import aliases, best_first
from fifteen.reporting.recorded import Recorded

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
        studies: what was measured beside the pipeline, as `fifteen.reporting.study_tables` takes
            it: `changes`, `designs` and `seeds`, each of which may be empty or absent.
    """
    models = frames.models_frame(metrics)
    told = {"changes": _changes, "designs": _designs, "seeds": _seeds}
    return {
        "metrics": metrics,
        "findings": findings(metrics),
        "frame": models,
        "results": Table(models, tables.RESULTS),
        **{
            kind: tell(studies[kind]) if kind in studies and len(studies[kind]) else None
            for kind, tell in told.items()
        },
    }


def report_content(metrics: Mapping[str, Any], recorded: Recorded, studies: Studies) -> Content:
    """What the report says.

    Args:
        metrics: the content of reports/metrics.json.
        recorded: the small files of reports/.
        studies: as in `short_content`.
    """
    content = short_content(metrics, studies)
    models, ordered = content["frame"], best_first(metrics["models"])
    original, copies = models.dropna(subset=["original"]), frames.copies_frame(recorded.data)
    doubted = pd.DataFrame(metrics["doubtful_labels"]["images"][:SHOWN])
    shares = recorded.classes.pivot_table("accuracy", "class", "model", sort=False).reset_index()
    of_models = [Column(f"{name} %", name, percent) for name in ordered[:CLASSES_OF]]
    return content | {
        "data": recorded.data,
        "details": Table(models, tables.DETAILS),
        "original": Table(original, tables.ORIGINAL) if len(original) else None,
        "comparisons": Table(frames.comparisons_frame(metrics), tables.COMPARISONS),
        "searches": [
            _search(search, variant, metrics["validation_images"])
            for variant, search in recorded.searches.items()
        ],
        "diversities": {
            name: frames.diversity_summary(each) for name, each in recorded.diversities.items()
        },
        "classes": Table(shares, [Column("class", "class"), *of_models]),
        "lower_ece": int((models["calibrated_ece"] < models["ece"]).sum()),
        "parts": Table(frames.parts_frame(recorded.data), tables.PARTS),
        "copies": Table(copies, tables.COPIES),
        "copies_differ": int((copies["class"] != copies["class_in_train"]).sum()),
        "doubtful": Table(doubted, tables.DOUBTFUL),
        "aliases": aliases(metrics["models"]),
    }


def report_charts(content: Content, recorded: Recorded) -> dict[str, alt.TopLevelMixin]:
    """The charts of the report by name; those that have nothing to show are left out."""
    models, best = content["frame"], content["findings"]["best"]["name"]
    worst = frames.worst_classes_frame(recorded.classes)
    drawn: dict[str, alt.TopLevelMixin] = {
        "accuracy": charts.accuracy_chart(models),
        "curves": charts.curves_chart(recorded.histories),
        "learning_rates": charts.learning_rates_chart(recorded.rates),
        "worst_classes": charts.worst_classes_chart(worst, best),
        "reliability": charts.reliability_chart(recorded.reliability, best),
    }
    if len(models) > 1:
        drawn["differences"] = charts.differences_chart(models)
    for study in (content["changes"] or {"studies": []})["studies"]:
        draw = charts.ladder_chart if study["is_walk"] else charts.left_out_chart
        drawn[f"changes_{study['name']}"] = draw(study["table"].frame)
    if content["designs"]:
        drawn["designs"] = charts.designs_chart(content["designs"]["frame"])
    for search in content["searches"]:
        winner = (search["winner"] or {}).get("configuration", "")
        drawn[f"search_{search['variant']}"] = charts.trials_chart(search["curves"], winner)
    return drawn


def _changes(results: pd.DataFrame) -> Content:
    """What each change is worth, by study."""
    changes = study_tables.changes_table(results)
    return {
        "studies": [_change_study(rows) for _, rows in changes.groupby("study", sort=False)],
        "freedom": int(changes["freedom"].iloc[0]),
        "errors": float(changes["errors"].iloc[0]),
        "commits": results["commit"].nunique(),
        "machines": _machines(results),
    }


def _change_study(rows: pd.DataFrame) -> Content:
    """One study: a walk, where each row is compared with the one before, or a set of variations."""
    compared = rows["compared_with"].dropna()
    is_walk = 1 < compared.nunique() == len(compared)
    by_size = rows.sort_values("gain", key=lambda gains: -gains.abs())
    better, worse = (by_size[by_size["verdict"] == word] for word in ("better", "worse"))
    return {
        "name": rows["study"].iloc[0],
        "is_walk": is_walk,
        "reference": None if is_walk else compared.iloc[0],
        "table": Table(rows, tables.CHANGES),
        "first": rows.iloc[0].to_dict(),
        "last": rows.iloc[-1].to_dict(),
        "count": len(compared),
        "better": better.to_dict("records"),
        "worse": worse.to_dict("records"),
        "largest": better.head(LARGEST).to_dict("records"),
        "same": list(rows[rows["verdict"] == "same"]["row"]),
        "unjudged": list(rows[rows["verdict"].isna() & rows["compared_with"].notna()]["row"]),
    }


def _designs(results: pd.DataFrame) -> Content:
    """How several models share the epochs of one, by study."""
    designs = study_tables.designs_table(results)
    rules = pd.concat([designs, designs["rules"].apply(pd.Series)], axis=1)
    studies = [
        {
            "name": name,
            "table": Table(rows, tables.DESIGNS),
            "rules": Table(rules.loc[rows.index], tables.RULES),
            "single": rows["single"].iloc[0],
            "best": rows.sort_values("best_gain", ascending=False).iloc[0].to_dict(),
        }
        for name, rows in designs.groupby("study", sort=False)
    ]
    return {"frame": designs, "studies": studies, "machines": _machines(results)}


def _seeds(results: pd.DataFrame) -> Content:
    """Models that were trained with several seeds."""
    return {
        "table": Table(study_tables.seeds_table(results), tables.SEEDS),
        "gains": study_tables.against_single(results).to_dict("records"),
        "machines": _machines(results),
    }


def _search(search: Mapping[str, Any], variant: str, images: int) -> Content:
    items = frames.leave_one_out_frame(search, images)
    kinds = {"needed": "worse", "harmful": "better", "unproven": "same"}
    return {
        "variant": variant,
        "winner": frames.winner_of(search),
        "cost": frames.search_cost(search) | {key: search[key] for key in ("seconds", "workers")},
        "curves": frames.trials_frame(search),
        "leave_one_out": Table(items, tables.LEAVE_ONE_OUT),
        **{key: items[items["verdict"] == word].to_dict("records") for key, word in kinds.items()},
        "failed": items[items["change"].isna()].to_dict("records"),
    }


def _machines(results: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(results["device"] + ", " + results["precision"]))
