"""Which hyperparameters of a search made the difference, and how far the trials can tell.

Permutation importance (Breiman, "Random Forests", Machine Learning 45, 2001, section 10): a forest
learns the validation accuracy from the hyperparameters; where shuffling one of them among the
configurations makes its predictions worse, that hyperparameter carried information. It is measured
on configurations that the forest has not seen: what it memorised does not count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import GroupKFold

# With fewer configurations than this there is nothing to learn from.
MIN_CONFIGURATIONS = 8
# A conditional hyperparameter used by fewer of them than this has no importance of its own.
MIN_USES = 5

_FOLDS = 10
_SEEDS = 3  # each with its own folds and forests
_SHUFFLES = 10  # of every hyperparameter under each seed
_TREES = 100

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Importance:
    """What one hyperparameter tells about the accuracy.

    Attributes:
        increase: of the mean absolute error on held-out configurations, in percentage points, when
            the hyperparameter is shuffled; over the configurations that use it, each counting once.
            None where they are fewer than `MIN_USES`.
        standard_error: of the increase, over those configurations; None like the increase.
        configurations: how many use it.
        distinguishable: the increase is above two standard errors, and the forest predicts
            anything at all (`Importances.r2` above 0).
    """

    increase: float | None
    standard_error: float | None
    configurations: int
    distinguishable: bool


@dataclass(frozen=True)
class Importances:
    """The importance of every hyperparameter and what the estimate rests on.

    Attributes:
        by_name: in the order of the search's dimensions.
        r2: share of the variance between trials of equal epochs that the forest explains for
            configurations it has not seen; at or below 0 it predicts nothing.
        trials: how many the estimate rests on.
        configurations: how many different ones these trials have.
    """

    by_name: dict[str, Importance]
    r2: float
    trials: int
    configurations: int


def importances(search: Mapping[str, Any]) -> Importances | None:
    """Estimates how much each hyperparameter of a search matters.

    Every completed trial is compared with the completed trials of as many epochs: what the forest
    learns is its distance from their mean, so that a longer training is nothing a hyperparameter
    can take the credit for. A trial with no other of as many epochs is left out. Trials that were
    promoted are compared with others that were promoted; what all of these have in common shows
    only among those that were not.

    A standard error over shuffles alone would vanish with their number, however few the trials.
    The one given is over configurations: another search would have drawn others.

    Args:
        search: the content of a `search.json`: `dimensions` and `trials`; the order of either
            changes nothing.

    Returns:
        The same numbers for the same search; None where fewer than `MIN_CONFIGURATIONS`
        configurations can be compared.
    """
    trials, targets = _compared(search["trials"])  # (T,), (T,) percentage points
    ids = np.array([trial["configuration"] for trial in trials])
    configurations = sorted(set(ids))
    if len(configurations) < MIN_CONFIGURATIONS:
        return None

    dimensions = sorted(search["dimensions"], key=lambda dimension: dimension["name"])
    names = [dimension["name"] for dimension in dimensions]
    values = {trial["configuration"]: trial["hyperparameters"] for trial in trials}
    used = {
        dimension["name"]: [c for c in configurations if _is_used(dimension, values[c])]
        for dimension in dimensions
    }

    increases = np.zeros((len(names), len(trials)))
    scores = []
    for seed in range(_SEEDS):
        rng = np.random.default_rng(seed)
        tables = [_encoded(dimensions, values, ids)]
        for name in names:
            for _ in range(_SHUFFLES):
                tables.append(_encoded(dimensions, _shuffled(values, name, used[name], rng), ids))
        predictions = _held_out_predictions(np.array(tables), targets, ids, seed)
        errors = np.abs(predictions - targets)  # (1 + names · shuffles, T)
        increases += (errors[1:] - errors[0]).reshape(len(names), _SHUFFLES, -1).mean(axis=1)
        scores.append(_r2(targets, predictions[0]))
    increases /= _SEEDS
    r2 = float(np.mean(scores))

    found = {}
    for name, increase in zip(names, increases, strict=True):
        each = np.array([increase[ids == c].mean() for c in used[name]])
        found[name] = _importance(each, r2)
    by_name = {dimension["name"]: found[dimension["name"]] for dimension in search["dimensions"]}
    return Importances(by_name, r2, len(trials), len(configurations))


def _compared(trials: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], np.ndarray]:
    """The completed trials that have others of as many epochs, by id, and their (T,) targets.

    The target is the validation accuracy minus the mean of these, in percentage points.
    """
    completed = [trial for trial in trials if trial["status"] == "completed"]
    budgets: dict[int, list[float]] = {}
    for trial in completed:
        budgets.setdefault(trial["epochs"], []).append(100 * trial["val_accuracy"])
    kept = [trial for trial in completed if len(budgets[trial["epochs"]]) > 1]
    kept.sort(key=lambda trial: trial["trial"])
    means = {epochs: np.mean(accuracies) for epochs, accuracies in budgets.items()}
    targets = [100 * trial["val_accuracy"] - means[trial["epochs"]] for trial in kept]
    return kept, np.round(targets, 9)  # the order of a sum must not decide between equal splits


def _is_used(dimension: Mapping[str, Any], values: Values) -> bool:
    """Whether a configuration has a value of this dimension, and the condition of it holds."""
    conditions = dimension.get("when") or {}
    return dimension["name"] in values and all(
        values.get(parent) in allowed for parent, allowed in conditions.items()
    )


def _shuffled(
    values: Mapping[str, Values], name: str, used: Sequence[str], rng: np.random.Generator
) -> dict[str, Values]:
    """The configurations' values with those of `name` exchanged among the ones that use it."""
    givers = [used[index] for index in rng.permutation(len(used))]
    exchanged = {
        taker: {**values[taker], name: values[giver][name]}
        for taker, giver in zip(used, givers, strict=True)
    }
    return {**values, **exchanged}


def _encoded(
    dimensions: Sequence[Mapping[str, Any]], values: Mapping[str, Values], ids: Sequence[str]
) -> np.ndarray:
    """The features of the trials' configurations `ids` as (T, features)."""
    rows = {
        configuration: np.concatenate([_features(dimension, given) for dimension in dimensions])
        for configuration, given in values.items()
    }
    return np.array([rows[configuration] for configuration in ids])


def _features(dimension: Mapping[str, Any], values: Values) -> list[float]:
    """One hyperparameter as numbers: one for each word of a choice, else one in all.

    A number of a `log` range is its logarithm. One that is not used is the middle of its range.
    """
    value = values[dimension["name"]] if _is_used(dimension, values) else None
    choices = dimension.get("values")
    if choices is None:
        scale = log if dimension["sampling"] == "log" else float
        if value is None:
            return [(scale(dimension["low"]) + scale(dimension["high"])) / 2]
        return [scale(value)]
    if isinstance(choices[0], str):
        if value is None:
            return [1 / len(choices)] * len(choices)
        return [float(value == choice) for choice in sorted(choices)]
    return [float(np.mean([min(choices), max(choices)]) if value is None else value)]


def _held_out_predictions(
    tables: np.ndarray, targets: np.ndarray, ids: np.ndarray, seed: int
) -> np.ndarray:
    """Predictions for configurations that the forest in question has not learned from.

    Args:
        tables: (N, T, features), N versions of the same trials; the first is learned from.
        targets: (T,).
        ids: (T,) the configuration of each trial; all its trials are held out together.
        seed: of the folds and the forests.

    Returns:
        (N, T) predictions.
    """
    predictions = np.empty(tables.shape[:2])
    folds = GroupKFold(min(_FOLDS, len(set(ids))), shuffle=True, random_state=seed)
    for learned, held_out in folds.split(tables[0], groups=ids):
        forest = RandomForestRegressor(_TREES, min_samples_leaf=2, random_state=seed, n_jobs=1)
        forest.fit(tables[0][learned], targets[learned])
        asked = tables[:, held_out]
        answers = forest.predict(asked.reshape(-1, asked.shape[-1]))
        predictions[:, held_out] = answers.reshape(asked.shape[:2])
    return predictions


def _r2(targets: np.ndarray, predictions: np.ndarray) -> float:
    """Share of the variance explained, (T,) against (T,); 0 where there is no variance."""
    variance = np.sum((targets - targets.mean()) ** 2)
    return float(1 - np.sum((targets - predictions) ** 2) / variance) if variance > 0 else 0.0


def _importance(increases: np.ndarray, r2: float) -> Importance:
    """The mean of (C,) increases, one per configuration, and how sure it is."""
    count = len(increases)
    if count < MIN_USES:
        return Importance(None, None, count, distinguishable=False)
    increase = float(increases.mean())
    error = float(increases.std(ddof=1) / np.sqrt(count))
    return Importance(increase, error, count, distinguishable=r2 > 0 and increase > 2 * error)
