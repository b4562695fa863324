"""The tables of the report: which columns of which data frame, and how they are shown."""

from fifteen.reporting.formats import (
    Column,
    Table,
    class_with_accuracy,
    decimals,
    interval,
    p_value,
    percent,
    points,
    points_with_error,
    setting,
    share_with_error,
    share_with_half,
    share_with_interval,
    verdict,
    whole,
)

import pandas as pd

DIFFERENCE = "difference from baseline, pp"


def results_table(models: pd.DataFrame) -> Table:
    """The main table, best test accuracy first."""
    return Table(
        models.sort_values("test", ascending=False, kind="stable"),
        [
            Column("model", "model"),
            Column("validation %", "validation", percent, best="max"),
            Column(
                "test % (95 % interval)", "test", share_with_interval, ("test_low", "test_high"), "max"
            ),
            Column(DIFFERENCE, "difference", points),
            Column("parameters", "parameters", whole, best="min"),
            Column("train s", "seconds", whole, best="min"),
            Column("kind", "kind"),
        ],
    )


def terminal_table(models: pd.DataFrame) -> Table:
    """The main table with narrower intervals, for the terminal."""

    def difference(value: float, word: str) -> str:
        return f"{points(value)} (tie)" if word == "same" else points(value)

    return Table(
        models.sort_values("test", ascending=False, kind="stable"),
        [
            Column("model", "model"),
            Column("val %", "validation", percent),
            Column("test % ± 95 %", "test", share_with_half, ("test_low", "test_high")),
            Column("vs baseline, pp", "difference", difference, ("verdict",)),
            Column("params", "parameters", lambda count: f"{count / 1e6:.2f} M"),
            Column("train s", "seconds", whole),
            Column("kind", "kind"),
        ],
    )


def details_table(models: pd.DataFrame) -> Table:
    """What else is known of each model; columns that no model has are left out."""
    calibrated = "{0:.3f} ({1:.3f})".format
    columns = [
        Column("model", "model"),
        Column("six views %", "tta", percent, best="max"),
        Column("top-5 %", "top5_accuracy", percent, best="max"),
        Column("superclass %", "superclass_accuracy", percent, best="max"),
        Column("NLL (calibrated)", "nll", calibrated, ("calibrated_nll",), "min"),
        Column("ECE (calibrated)", "ece", calibrated, ("calibrated_ece",), "min"),
        Column("temperature", "temperature", decimals),
        Column("epochs", "epochs", whole),
        Column("best class %", "best_accuracy", _class_first, ("best_class",)),
        Column("worst class %", "worst_accuracy", _class_first, ("worst_class",)),
        Column("original study %", "original", percent),
    ]
    ordered = models.sort_values("test", ascending=False, kind="stable")
    return Table(ordered, [column for column in columns if models[column.key].notna().any()])


def comparisons_table(comparisons: pd.DataFrame) -> Table:
    """Every comparison of two models on the test images."""
    return Table(
        comparisons,
        [
            Column("a", "a"),
            Column("b", "b"),
            Column("a − b, pp", "difference", points),
            Column("95 % interval, pp", "low", interval, ("high",)),
            Column("McNemar p", "p", p_value),
            Column("a is", "verdict", verdict),
        ],
    )


def changes_table_of(changes: pd.DataFrame) -> Table:
    """What each change is worth."""
    return Table(
        changes,
        [
            Column("row", "row"),
            Column("change", "what"),
            Column("gain, pp (± standard error)", "gain", points_with_error, ("gain_error",)),
            Column("verdict", "verdict", verdict),
            Column("validation %", "accuracy", share_with_error, ("error",)),
            Column("train s", "seconds", whole),
            Column("seeds", "seeds", _numbers),
        ],
    )


def designs_table_of(designs: pd.DataFrame) -> Table:
    """How several models share the epochs of one: against one model of the whole budget."""
    return Table(
        designs,
        [
            Column("design", "row"),
            Column("what", "what"),
            Column("sum − one model, pp", "sum_gain", _gain, ("sum_low", "sum_high")),
            Column("the sum is", "sum_verdict", verdict),
            Column("best rule", "rule"),
            Column("it − one model, pp", "best_gain", _gain, ("best_low", "best_high")),
            Column("it is", "best_verdict", verdict),
        ],
    )


def rules_table(designs: pd.DataFrame) -> Table:
    """The validation accuracy of every rule in every design."""
    rules = pd.DataFrame(list(designs["rules"]), index=designs.index)
    return Table(
        pd.concat([designs[["row", "seconds", "seeds", "single"]], rules], axis=1),
        [
            Column("design", "row"),
            Column("one model %", "single", percent),
            *(Column(f"{rule} %", rule, percent) for rule in rules),
            Column("train s", "seconds", whole),
            Column("seeds", "seeds", _numbers),
        ],
    )


def seeds_table_of(seeds: pd.DataFrame) -> Table:
    """Means over seeds with the standard deviation between them."""
    return Table(
        seeds,
        [
            Column("model", "row"),
            Column("seeds", "seeds", _numbers),
            *(
                Column(f"{head} %", key, share_with_error, (f"{key}_deviation",))
                for head, key in (("validation", "validation"), ("test", "test"), ("six views", "tta"))
            ),
            Column("train s", "seconds", whole),
        ],
    )


def leave_one_out_table(items: pd.DataFrame) -> Table:
    """The winner of a search with one of its settings as in the baseline."""
    return Table(
        items,
        [
            Column("setting", "name"),
            Column("winner", "winner", setting),
            Column("baseline", "baseline", setting),
            Column("validation %", "validation", percent),
            Column("change, pp (± standard error)", "change", points_with_error, ("error",)),
            Column("without it", "verdict", verdict),
        ],
    )


def hyperparameters_table(hyperparameters: pd.DataFrame) -> Table:
    """What was searched, what won and what the baseline has."""
    return Table(
        hyperparameters,
        [
            Column("hyperparameter", "name"),
            Column("searched", "dimension", _range),
            Column("winner", "winner", setting),
            Column("baseline", "baseline", setting),
        ],
    )


def trials_table_of(trials: pd.DataFrame) -> Table:
    """The trials of a search, best first."""
    return Table(
        trials,
        [
            Column("trial", "trial"),
            Column("epochs", "epochs", whole),
            Column("went on from", "promoted_from"),
            Column("validation %", "val_accuracy", percent),
            Column("seconds", "seconds", whole),
            Column("status", "status"),
        ],
    )


def classes_table(classes: pd.DataFrame) -> Table:
    """The accuracy of each class under some models."""
    models = [column for column in classes if column != "class"]
    return Table(
        classes,
        [Column("class", "class"), *(Column(f"{name} %", name, percent) for name in models)],
    )


def calibration_table(models: pd.DataFrame) -> Table:
    """Temperatures and calibration errors."""
    return Table(
        models,
        [
            Column("model", "model"),
            Column("temperature", "temperature", decimals),
            Column("ECE as it comes", "ece", decimals),
            Column("ECE calibrated", "calibrated_ece", decimals, best="min"),
        ],
    )


def original_table(models: pd.DataFrame) -> Table:
    """The original study's systems beside ours."""
    ours = models.dropna(subset=["original"])
    return Table(
        ours.assign(apart=ours["test"] - ours["original"]),
        [
            Column("system", "model"),
            Column("original study %", "original", percent),
            Column("ours % (95 % interval)", "test", share_with_interval, ("test_low", "test_high")),
            Column("ours − original, pp", "apart", points),
        ],
    )


def parts_table(parts: pd.DataFrame) -> Table:
    """The parts of the data."""
    return Table(
        parts,
        [
            Column("part", "part"),
            Column("images", "images", whole),
            Column("of each class", "fewest", span, ("most",)),
            Column("identical to a training image", "copies", whole),
        ],
    )


def copies_table(copies: pd.DataFrame) -> Table:
    """The images that are a training image too."""
    return Table(
        copies,
        [
            Column("number", "number", whole),
            Column("part", "part"),
            Column("index", "index", str),
            Column("class there", "class"),
            Column("class in training", "class_in_train", _differs, ("class",)),
        ],
    )


def doubtful_table(images: pd.DataFrame) -> Table:
    """Test images whose label all good models contradict alike."""
    columns = [Column("index", "index"), Column("label", "class"), Column("all answer", "answer")]
    return Table(images, columns)


def span(fewest: float, most: float) -> str:
    """`100`, or `33–68`."""
    return "–".join(whole(count) for count in sorted({fewest, most}))


def _class_first(accuracy: float, name: str) -> str:
    return class_with_accuracy(name, accuracy)


def _gain(gain: float, low: float, high: float) -> str:
    return points(gain) if pd.isna(low) else f"{points(gain)} ({interval(low, high)})"


def _numbers(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def _differs(in_train: str, there: str) -> str:
    return in_train if in_train == there else f"{in_train} (differs)"


def _range(dimension: dict) -> str:
    """What a hyperparameter could be, and when it is used."""
    if "values" in dimension:
        text = ", ".join(setting(value) for value in dimension["values"])
    else:
        text = f"{setting(dimension['low'])} to {setting(dimension['high'])}"
        text += " (log)" if dimension["sampling"] == "log" else ""
    for parent, values in (dimension.get("when") or {}).items():
        text += f" if {parent} is {' or '.join(setting(value) for value in values)}"
    return text
