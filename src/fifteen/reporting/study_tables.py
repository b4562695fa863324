"""What studies amount to: tables of repeated trainings, one row per recipe.

All functions take one data frame with a row per (row of a study, seed) and the columns

    study, row, what, order   the study, its row, the change in words, the row's place
    seed                      of the training
    compared_with             the row that this one is compared with, or None
    val_accuracy, val_loss    of the epoch that is kept
    test_accuracy, test_tta_accuracy   or None where the test images were not looked at
    parameters, seconds, device, precision, commit
    rules                     by rule, the validation accuracy of all members together, or None
    single_accuracy           validation accuracy of one model of that training, or None
    right                     by rule, and by "single", which validation images are right
                              (`fifteen.evaluation.significance.packed`), or None

Shares and their differences are from 0 to 1.
"""

from collections.abc import Mapping
from math import nan, sqrt

from fifteen.evaluation.significance import (
    errors_beyond_chance,
    interval_over_images,
    interval_over_seeds,
    pooled_deviation,
    unpacked,
    verdict_beyond,
    verdict_of,
)

import numpy as np
import pandas as pd

Gain = tuple[float, float, float]  # mean, lower and upper bound


def changes_table(results: pd.DataFrame) -> pd.DataFrame:
    """What each change is worth: the rows of studies of single models, in their order.

    A gain is the mean difference from the row that it is compared with, over the seeds that both
    have. Standard errors are from the spread between seeds of all rows together, so that rows with
    one seed have one too; a gain counts where it is larger than so many of them as Student's t
    distribution says (`errors`, with `freedom` degrees of freedom).

    Returns:
        study, row, what, compared_with, accuracy, error, gain, gain_error, verdict (None where
        nothing can be judged), parameters, seconds (of the fastest seed), seeds, freedom, errors.
    """
    by_row = {row: group.set_index("seed")["val_accuracy"] for row, group in _by_row(results)}
    first = results.drop_duplicates("row").set_index("row")
    paired = {
        row: _paired(accuracies, by_row.get(first.loc[row, "compared_with"]))
        for row, accuracies in by_row.items()
    }
    spread, _ = pooled_deviation(list(accuracies) for accuracies in by_row.values())
    spread_of_gains, freedom = pooled_deviation(gains for gains in paired.values() if gains)
    errors = errors_beyond_chance(freedom) if freedom else nan
    rows = []
    for row, group in _by_row(results):
        gains = paired[row]
        gain = float(np.mean(gains)) if gains else nan
        gain_error = _standard_error(spread_of_gains, len(gains))
        rows.append(
            {
                **first.loc[row, ["study", "what", "compared_with", "parameters"]].to_dict(),
                "row": row,
                "accuracy": group["val_accuracy"].mean(),
                "error": _standard_error(spread, len(group)),
                "gain": gain,
                "gain_error": gain_error,
                "verdict": None
                if np.isnan(gain_error)
                else verdict_beyond(gain, gain_error, errors),
                "seconds": group["seconds"].min(),
                "seeds": tuple(sorted(group["seed"])),
            }
        )
    return pd.DataFrame(rows).assign(freedom=freedom, errors=errors)


def designs_table(results: pd.DataFrame) -> pd.DataFrame:
    """How several models may share the epochs of one: the rows of studies of ensembles.

    The sum of the members, and the rule with the highest accuracy, are compared with the single
    model of the row named in `compared_with` (its own where that is None), on common seeds. Where
    the images that are right are known, the interval is over the images; else over seeds.

    Returns:
        study, row, what, single, single_loss, sum, sum_gain, sum_low, sum_high, sum_verdict, rule,
        best_gain, best_low, best_high, best_verdict, rules, seconds (of the fastest seed), seeds.
    """
    groups = dict(_by_row(results))
    rows = []
    for row, group in groups.items():
        control = groups.get(group["compared_with"].iloc[0], group)
        common = sorted(set(group["seed"]) & set(control["seed"]))
        if not common:
            continue
        alone = control.set_index("seed").loc[common]
        together = group.set_index("seed").loc[common]
        rules = {
            rule: float(np.mean([one[rule] for one in group["rules"]]))
            for rule in group["rules"].iloc[0]
        }
        best = max(rules, key=lambda rule: rules[rule])
        gains = {"sum": _gain(together, alone, "sum"), "best": _gain(together, alone, best)}
        judged = {
            f"{name}_{key}": value
            for name, gain in gains.items()
            for key, value in zip(
                ("gain", "low", "high", "verdict"),
                (*gain, None if np.isnan(gain[1]) else verdict_of(*gain[1:])),
                strict=True,
            )
        }
        rows.append(
            {
                **group.iloc[0][["study", "what"]].to_dict(),
                "row": row,
                "single": alone["single_accuracy"].mean(),
                "single_loss": alone["val_loss"].mean(),
                "sum": rules["sum"],
                **judged,
                "rule": best,
                "rules": rules,
                "seconds": group["seconds"].min(),
                "seeds": tuple(sorted(group["seed"])),
            }
        )
    return pd.DataFrame(rows)


def seeds_table(results: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds and the standard deviation between them.

    Returns:
        row, seeds, and of validation, test and tta the mean and NAME_deviation; parameters; seconds
        (mean of the machine with most seeds), device.
    """
    measures = {"val_accuracy": "validation", "test_accuracy": "test", "test_tta_accuracy": "tta"}
    rows = []
    for row, group in _by_row(results):
        device = group["device"].mode().iloc[0]
        rows.append(
            {
                "row": row,
                "seeds": tuple(sorted(group["seed"])),
                **{name: group[key].mean(skipna=False) for key, name in measures.items()},
                **{f"{name}_deviation": group[key].std() for key, name in measures.items()},
                "parameters": group["parameters"].iloc[0],
                "seconds": group.loc[group["device"] == device, "seconds"].mean(),
                "device": device,
            }
        )
    return pd.DataFrame(rows)


def against_single(results: pd.DataFrame) -> pd.DataFrame:
    """What each ensemble gains on the test images over the single model of the same trainings.

    Returns:
        row, compared_with, difference, low, high (Student's t over the seeds that both have, at
        least two), verdict, seeds.
    """
    groups = dict(_by_row(results))
    rows = []
    for row, group in groups.items():
        single = groups.get(group["compared_with"].iloc[0])
        if single is None:
            continue
        gains = _paired(*(one.set_index("seed")["test_accuracy"] for one in (group, single)))
        if len(gains) > 1:
            middle, low, high = interval_over_seeds(gains)
            rows.append((row, group["compared_with"].iloc[0], middle, low, high, len(gains)))
    table = pd.DataFrame(rows, columns=["row", "compared_with", "difference", "low", "high", "seeds"])
    return table.assign(verdict=[verdict_of(*bounds) for bounds in zip(table.low, table.high)])


def _by_row(results: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    ordered = results.sort_values(["order", "seed"], kind="stable")
    return [(str(row), group) for row, group in ordered.groupby("row", sort=False)]


def _paired(values: pd.Series, others: pd.Series | None) -> list[float]:
    """The differences from other values with the same seeds, in their order."""
    if others is None:
        return []
    common = sorted(set(values.index) & set(others.index))
    return [values[seed] - others[seed] for seed in common]


def _standard_error(deviation: float | None, count: int) -> float:
    return nan if deviation is None or count == 0 else deviation / sqrt(count)


def _gain(together: pd.DataFrame, alone: pd.DataFrame, rule: str) -> Gain:
    """What a rule gains over one model, seed by seed, with its 95 % interval."""
    if together["right"].notna().all() and alone["right"].notna().all():
        return interval_over_images(_right(together, rule), _right(alone, "single"))
    accuracies = together["rules"].map(lambda rules: rules[rule])
    gains = _paired(accuracies, alone["single_accuracy"])
    return interval_over_seeds(gains) if len(gains) > 1 else (gains[0], nan, nan)


def _right(results: pd.DataFrame, rule: str) -> np.ndarray:
    """(seeds, N): which images are right by a rule, or by the `single` model."""

    def of_seed(right: Mapping[str, str]) -> np.ndarray:
        return unpacked(right[rule])

    return np.array([of_seed(right) for right in results["right"]])
