"""What studies amount to: tables of repeated trainings, one row per recipe.

All functions take one data frame with a row per (row of a study, seed) and the columns

    study, row, what          the study, its row, the change in words
    training                  a digest of what is trained; rows may share it
    seed                      of the training
    compared_with             the row of the study that this one is compared with, or None
    val_accuracy, val_loss    of the epoch that is kept
    test_accuracy, test_tta_accuracy   or None where the test images were not looked at
    parameters, seconds, device, precision, commit
    rules                     by rule, the validation accuracy of all members together, or None
    single_accuracy           validation accuracy of one model of that training, or None
    right                     by rule, and by "single", which validation images are right
                              (`fifteen.evaluation.packing.packed`), or None

Shares and their differences are from 0 to 1. Rows and seeds are in the order to show them in.
"""

from math import nan, sqrt

from fifteen.evaluation.packing import unpacked
from fifteen.evaluation.statistics import (
    errors_beyond_chance,
    interval_over_images,
    interval_over_seeds,
    pooled_deviation,
    verdict_beyond,
    verdict_of,
)

import numpy as np
import pandas as pd


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
    groups = _by_row(results)
    others = {
        key: groups.get((key[0], rows["compared_with"].iloc[0])) for key, rows in groups.items()
    }
    gains = {key: _paired(rows, others[key], "val_accuracy") for key, rows in groups.items()}
    # A training, or a pair of them, that stands in several rows counts once.
    accuracies = {_training(rows): list(rows["val_accuracy"]) for rows in groups.values()}
    pairs = {
        frozenset((_training(rows), _training(others[key]))): gains[key]
        for key, rows in groups.items()
        if gains[key]
    }
    spread, _ = pooled_deviation(accuracies.values())
    spread_of_gains, freedom = pooled_deviation(pairs.values())
    errors = errors_beyond_chance(freedom) if freedom else nan
    rows = []
    for row, group in groups.items():
        gain = float(np.mean(gains[row])) if gains[row] else nan
        gain_error = _standard_error(spread_of_gains, len(gains[row]))
        rows.append(
            {
                **group.iloc[0][["study", "row", "what", "compared_with", "parameters"]],
                "accuracy": group["val_accuracy"].mean(),
                "error": _standard_error(spread, len(group)),
                "gain": gain,
                "gain_error": gain_error,
                "verdict": verdict_beyond(gain, gain_error, errors) if gain_error >= 0 else None,
                "seconds": group["seconds"].min(),
                "seeds": tuple(group["seed"]),
            }
        )
    return pd.DataFrame(rows).assign(freedom=freedom, errors=errors)


def designs_table(results: pd.DataFrame) -> pd.DataFrame:
    """How several models may share the epochs of one: the rows of studies of ensembles.

    The sum of the members, and the rule with the highest accuracy, are compared with the single
    model of the row named in `compared_with` (its own where that is None), on common seeds. Where
    the images that are right are known, the interval is over the images; else over seeds.

    Returns:
        study, row, what, single, sum_gain, sum_low, sum_high, sum_verdict, rule, best_gain,
        best_low, best_high, best_verdict, rules, seconds (of the fastest seed), seeds. A row
        without a seed in common with what it is compared with is left out.
    """
    groups, rows = _by_row(results), []
    for (study, _), group in groups.items():
        if group["rules"].isna().any():
            continue  # a single model, for comparison
        control = groups.get((study, group["compared_with"].iloc[0]), group).set_index("seed")
        common = [seed for seed in group["seed"] if seed in control.index]
        if not common:
            continue
        alone, together = control.loc[common], group.set_index("seed").loc[common]
        rules = pd.DataFrame(list(group["rules"])).mean().to_dict()
        rule = str(max(rules, key=lambda each: rules[each]))
        judged: dict[str, object] = {}
        for name, each in (("sum", "sum"), ("best", rule)):
            gain, low, high = _gain(together, alone, each)
            verdict = None if pd.isna(low) else verdict_of(low, high)
            judged |= {f"{name}_gain": gain, f"{name}_low": low, f"{name}_high": high}
            judged[f"{name}_verdict"] = verdict
        rows.append(
            {
                **group.iloc[0][["study", "row", "what"]],
                "single": alone["single_accuracy"].mean(),
                **judged,
                "rule": rule,
                "rules": rules,
                "seconds": group["seconds"].min(),
                "seeds": tuple(group["seed"]),
            }
        )
    return pd.DataFrame(rows)


def seeds_table(results: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds and the standard deviation between them.

    Returns:
        row, seeds, and of validation, test and tta the mean and NAME_deviation; seconds (the mean
        on the machine with most of the seeds).
    """
    measures = {"val_accuracy": "validation", "test_accuracy": "test", "test_tta_accuracy": "tta"}
    rows = []
    for (_, row), group in _by_row(results).items():
        device = group["device"].mode().iloc[0]
        rows.append(
            {
                "row": row,
                "seeds": tuple(group["seed"]),
                **{name: group[key].mean(skipna=False) for key, name in measures.items()},
                **{f"{name}_deviation": group[key].std() for key, name in measures.items()},
                "seconds": group.loc[group["device"] == device, "seconds"].mean(),
            }
        )
    return pd.DataFrame(rows)


def against_single(results: pd.DataFrame) -> pd.DataFrame:
    """What each ensemble gains on the test images over the single model of the same trainings.

    Returns:
        row, compared_with, difference, low, high (Student's t over the seeds that both have, at
        least two), verdict, seeds (how many).
    """
    groups, rows = _by_row(results), []
    for (study, row), group in groups.items():
        other = group["compared_with"].iloc[0]
        gains = _paired(group, groups.get((study, other)), "test_accuracy")
        if len(gains) > 1:
            middle, low, high = interval_over_seeds(gains)
            rows.append((row, other, middle, low, high, verdict_of(low, high), len(gains)))
    columns = ["row", "compared_with", "difference", "low", "high", "verdict", "seeds"]
    return pd.DataFrame(rows, columns=columns)


def _by_row(results: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The results by study and row."""
    return {
        (str(study), str(row)): rows
        for (study, row), rows in results.groupby(["study", "row"], sort=False)
    }


def _training(rows: pd.DataFrame) -> str:
    return str(rows["training"].iloc[0])


def _paired(group: pd.DataFrame, other: pd.DataFrame | None, measure: str) -> list[float]:
    """The differences from another row, of the seeds that both have."""
    if other is None:
        return []
    both = group.merge(other, on="seed", suffixes=("", "_other"))
    return list(both[measure] - both[f"{measure}_other"])


def _standard_error(deviation: float | None, count: int) -> float:
    return nan if deviation is None or count == 0 else deviation / sqrt(count)


def _gain(together: pd.DataFrame, alone: pd.DataFrame, rule: str) -> tuple[float, float, float]:
    """What a rule gains over one model, seed by seed, with its 95 % interval, if there is one."""
    if together["right"].notna().all() and alone["right"].notna().all():
        by_rule = np.array([unpacked(right[rule]) for right in together["right"]])
        by_one = np.array([unpacked(right["single"]) for right in alone["right"]])
        return interval_over_images(by_rule, by_one)
    accuracies = together["rules"].map(lambda rules: rules[rule])
    gains = list(accuracies - alone["single_accuracy"])
    return interval_over_seeds(gains) if len(gains) > 1 else (gains[0], nan, nan)
