"""What the stages before have left in reports/: all that the report is made from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fifteen.common.files import read_json

import numpy as np
import pandas as pd

POINTS = 300  # of each learning rate curve
TRIAL = ["variant", "trial", "configuration", "bracket", "rung", "epochs", "promoted_from"]
TRIAL += ["val_accuracy", "seconds", "status", "message"]


@dataclass(frozen=True)
class Recorded:
    """The small files of reports/."""

    models: dict[str, dict[str, Any]]  # models/NAME/metrics.json by name
    data: dict[str, Any]  # data/summary.json
    searches: dict[str, dict[str, Any]]  # models/NAME/search.json of those that were tuned
    diversities: dict[str, dict[str, Any]]  # models/NAME/diversity.json of ensembles
    labels: np.ndarray  # (N,), the classes of the test images
    answers: dict[str, np.ndarray]  # (1 + M, N) class ids: a model's own and its M members'
    histories: pd.DataFrame  # model, epoch and the columns of history.csv
    rates: pd.DataFrame  # model, epoch (a fraction) and learning_rate
    classes: pd.DataFrame  # model, class, images and accuracy on the test images
    reliability: pd.DataFrame  # model, probabilities, images, confidence and accuracy of each bin


def read_recorded(reports: Path, names: Iterable[str]) -> Recorded:
    """What is in `reports` of the models called `names`.

    Raises:
        UserError: a metrics.json is missing or is no JSON.
    """
    folders = {name: reports / "models" / name for name in names}
    models = {name: read_json(folder / "metrics.json") for name, folder in folders.items()}
    singles = {name: folders[name] for name, model in models.items() if model["kind"] == "single"}
    answers = _tables(folders, "answers.csv")
    of_model = {str(name): rows.dropna(axis="columns") for name, rows in answers.groupby("model")}
    labels = next(iter(of_model.values()))["label"].to_numpy(int)
    columns = {name: rows.drop(columns=["model", "label"]) for name, rows in of_model.items()}
    classes = _tables(folders, "per_class.csv").drop(columns="class")
    return Recorded(
        models=models,
        data=read_json(reports / "data" / "summary.json"),
        searches=_json_files(folders, "search.json"),
        diversities=_json_files(folders, "diversity.json"),
        labels=labels,
        answers={name: rows.to_numpy(int).T for name, rows in columns.items()},
        histories=_tables(singles, "history.csv"),
        rates=pd.concat([_rates(name, folder) for name, folder in singles.items()]),
        classes=classes.rename(columns={"name": "class"}),
        reliability=pd.concat(
            pd.DataFrame({"model": name, "probabilities": kind, **diagram})
            for name, folder in folders.items()
            for kind, diagram in read_json(folder / "calibration.json").items()
        ).rename(columns={"count": "images"}),
    )


def read_commits(path: Path) -> dict[str, str]:
    """By MLflow run, the commit whose code measured it; empty where there is no such file."""
    return read_json(path) if path.exists() else {}


def trials_table(searches: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """All trials of all searches, best first within each; a column for each hyperparameter."""
    rows = [
        {"variant": variant, **trial, **trial["hyperparameters"]}
        for variant, search in searches.items()
        for trial in search["trials"]
    ]
    names = dict.fromkeys(d["name"] for search in searches.values() for d in search["dimensions"])
    table = pd.DataFrame(rows, columns=[*TRIAL, *names])
    return table.sort_values(["variant", "val_accuracy", "trial"], ascending=[True, False, True])


def _json_files(folders: Mapping[str, Path], file: str) -> dict[str, dict[str, Any]]:
    paths = {name: folder / file for name, folder in folders.items()}
    return {name: read_json(path) for name, path in paths.items() if path.exists()}


def _tables(folders: Mapping[str, Path], file: str) -> pd.DataFrame:
    """A CSV file of each model, below each other, with a first column `model`."""
    tables = {name: pd.read_csv(folder / file) for name, folder in folders.items()}
    return pd.concat(tables, names=["model", None]).reset_index("model").reset_index(drop=True)


def _rates(name: str, folder: Path) -> pd.DataFrame:
    """A learning rate over the epochs, at a few hundred steps."""
    table = pd.read_csv(folder / "learning_rate.csv")
    steps_per_epoch = len(table) // len(pd.read_csv(folder / "history.csv"))
    kept = table.iloc[:: max(1, len(table) // POINTS)]
    epoch = kept["step"] / steps_per_epoch
    return pd.DataFrame({"model": name, "epoch": epoch, "learning_rate": kept["learning_rate"]})
