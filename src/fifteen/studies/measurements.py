"""The results of studies: one JSON file per training, and all of them as a table."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fifteen.common.files import read_json, write_json
from fifteen.params.sections import Data, Params, Training
from fifteen.studies.plan import FOLDER, Row, Study, read_study, study_names, training_digest

import pandas as pd
from pydantic import ValidationError

RESULTS = FOLDER / "results"
COLUMNS = {
    **dict.fromkeys(("study", "row", "what"), "object"),
    **dict.fromkeys(("base", "training"), "object"),
    **dict.fromkeys(("order", "seed"), "int64"),
    "compared_with": "object",
    **dict.fromkeys(("val_accuracy", "val_loss", "val_nll"), "float64"),
    **dict.fromkeys(("test_accuracy", "test_tta_accuracy"), "float64"),
    **{"parameters": "Int64", "seconds": "float64"},
    **dict.fromkeys(("device", "precision", "commit", "modified", "fingerprint"), "object"),
    **{"rules": "object", "single_accuracy": "float64"},
    **dict.fromkeys(("right", "test_right"), "object"),
}

Result = Mapping[str, Any]
Key = tuple[str, int]  # what is trained, and the seed


def key(row: Row, seed: int) -> Key:
    """What a result is looked up by; rows with the same training share it."""
    return training_digest(row.data, row.training, row.models), seed


def write_result(result: Result, folder: Path = RESULTS) -> Path:
    """Write a result in place of an older one of the same training; returns the file.

    It is SOURCE/LABEL-DIGEST-SEED.json. The label is for readers: the digest stands for the whole
    training section, the data set and the precision.
    """
    data, training = _trained(result)
    precision = result["hardware"]["precision"]
    digest = training_digest(data, training, result["models"], precision=precision)[:8]
    place, end = folder / _folder_name(data.source), f"-{digest}-{result['seed']}.json"
    path = next(place.glob(f"*{end}"), place / f"{result['label']}{end}")
    write_json(path, result)
    return path


def read_results(data: Data, precision: str = "auto", folder: Path = RESULTS) -> dict[Key, Result]:
    """The results on a data set and its split.

    Those of another precision do not count, unless `precision` is `auto`; nor those of a training
    that the code knows no more.
    """
    results: dict[Key, Result] = {}
    for path in sorted((folder / _folder_name(data.source)).glob("*.json")):
        result = read_json(path)
        try:
            measured_on, training = _trained(result)
        except ValidationError:
            continue
        if measured_on == data and precision in ("auto", result["hardware"]["precision"]):
            results[training_digest(data, training, result["models"]), result["seed"]] = result
    return results


def missing(rows: Iterable[Row], results: Mapping[Key, Result]) -> list[tuple[Row, int]]:
    """The rows and seeds without a result, in their order."""
    return [
        (row, seed)
        for row in rows
        for seed in row.seeds
        if _figures(row, results.get(key(row, seed))) is None
    ]


def measurements(studies: Iterable[Study], results: Mapping[Key, Result]) -> pd.DataFrame:
    """What was measured: one line per row of a study and seed; `results` as `read_results` gives.

    Returns:
        The columns `COLUMNS`. `training` is a digest of what is trained, `base` the section that it
        is based on. Accuracies are shares of 1, losses nats, `seconds` those of all
        trainings of a row. `val_loss` is that of the best epoch, `val_nll` that at the best
        temperature. For an ensemble the figures are those of the row's rule, and `rules` has the
        validation accuracy of every rule. Where a training has members, `single_accuracy` is the
        validation accuracy of its one model, or of the best of several. `right` and `test_right`
        say which images are right, packed, of the `single` model and by each rule. What is not
        measured has no line; what was not recorded is None, or NaN in columns of numbers.
    """
    lines = [
        {"study": study.name, "row": row.name, "what": row.what, "order": row.order}
        | {"base": row.base, "training": training_digest(row.data, row.training, row.models)}
        | {"seed": seed, "compared_with": row.compared_with}
        | figures
        for study in studies
        for row in study.rows
        for seed in row.seeds
        if (figures := _figures(row, results.get(key(row, seed)))) is not None
    ]
    # First as objects: None stays None where text or a dictionary is missing.
    return pd.DataFrame(lines, columns=list(COLUMNS), dtype=object).astype(COLUMNS)


def measured_by_kind(params: Params, folder: Path = FOLDER) -> dict[str, pd.DataFrame]:
    """What all studies measured on the data set of params.yaml, as the report shows it.

    Returns:
        By kind, as `measurements` gives it: `seeds` of studies with test results; `designs` of
        studies that compare ensembles, with the section that a row is based on in place of the
        study's name; and `changes` of all others.
    """
    results = read_results(params.data, params.hardware.precision, folder / "results")
    kinds: dict[str, list[Study]] = {"changes": [], "designs": [], "seeds": []}
    for name in study_names(folder):
        study = read_study(name, params, folder)
        compared = [row for row in study.rows if row.compared_with]
        of_ensembles = all(row.rule for row in compared)
        kind = "seeds" if study.rows[0].test else "designs" if of_ensembles else "changes"
        kinds[kind].append(study)
    frames = {kind: measurements(studies, results) for kind, studies in kinds.items()}
    return frames | {"designs": frames["designs"].assign(study=frames["designs"]["base"])}


def _figures(row: Row, result: Result | None) -> dict[str, Any] | None:
    """What a result says of a row, by column; None where the row asks for more than there is."""
    if result is None:
        return None
    rules = (result["ensemble"] or {}).get("rules", {})
    test = (result["test"] or {}) if row.test else None
    if test and row.rule:
        test = test["rules"].get(row.rule)
    if (row.rule and row.rule not in rules) or (row.test and not test):
        return None
    single = result["single"] or {}
    scores = rules[row.rule] if row.rule else single | {"accuracy": result["val_accuracy"]}
    members = result["ensemble"]["members"] if row.rule and row.rule != "average" else 1
    return {
        "val_accuracy": scores["accuracy"],
        "val_loss": None if row.rule else result["val_loss"],
        "val_nll": scores.get("nll"),
        "test_accuracy": test and test["accuracy"],
        "test_tta_accuracy": test and test["tta_accuracy"],
        "parameters": members * result["parameters"],
        **{name: result[name] for name in ("seconds", "commit", "modified", "fingerprint")},
        **result["hardware"],
        "rules": {rule: of["accuracy"] for rule, of in rules.items()} if row.rule else None,
        "single_accuracy": result["val_accuracy"] if rules else None,
        "right": _right({"single": single} | (rules if row.rule else {})),
        "test_right": test and _right({row.rule or "single": test}),
    }


def _right(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, str] | None:
    """Which images are right, packed, by name, as far as it was recorded."""
    return {name: of["right"] for name, of in scores.items() if of.get("right")} or None


def _trained(result: Result) -> tuple[Data, Training]:
    return Data.model_validate(result["data"]), Training.model_validate(result["training"])


def _folder_name(source: str) -> str:
    """A data set's name as the name of a folder."""
    return re.sub(r"\W+", "_", source)
