"""The columns of every table: what is shown of which column of a data frame, and how."""

from fifteen.reporting.formats import (
    Column,
    decimals,
    gain,
    interval,
    numbers,
    p_value,
    percent,
    points,
    points_with_error,
    setting,
    share_with_error,
    share_with_half,
    share_with_interval,
    span,
    verdict,
    whole,
)

BOUNDS = ("test_low", "test_high")
RESULTS = (
    Column("model", "model"),
    Column("validation %", "validation", percent, best="max"),
    Column("test % (95 % interval)", "test", share_with_interval, BOUNDS, "max"),
    Column("difference from baseline, pp", "difference", points),
    Column("parameters", "parameters", whole, best="min"),
    Column("train s", "seconds", whole, best="min"),
    Column("kind", "kind"),
)
TERMINAL = (
    Column("model", "model"),
    Column("val %", "validation", percent),
    Column("test % ± 95 %", "test", share_with_half, BOUNDS),
    Column(
        "vs baseline, pp",
        "difference",
        lambda value, word: points(value) + (" (tie)" if word == "same" else ""),
        ("verdict",),
    ),
    Column("params", "parameters", lambda count: f"{count / 1e6:.2f} M"),
    Column("train s", "seconds", whole),
    Column("kind", "kind"),
)
CALIBRATED = "{0:.3f} ({1:.3f})".format


def _of_class(share: float, name: str) -> str:
    return f"{name} ({percent(share)} %)"


DETAILS = (
    Column("model", "model"),
    Column("six views %", "tta", percent, best="max"),
    Column("top-5 %", "top5_accuracy", percent, best="max"),
    Column("superclass %", "superclass_accuracy", percent, best="max"),
    Column("NLL (calibrated)", "nll", CALIBRATED, ("calibrated_nll",), "min"),
    Column("ECE (calibrated)", "ece", CALIBRATED, ("calibrated_ece",), "min"),
    Column("temperature", "temperature", decimals),
    Column("epochs", "epochs", whole),
    Column("best class", "best_accuracy", _of_class, ("best_class",)),
    Column("worst class", "worst_accuracy", _of_class, ("worst_class",)),
)
ORIGINAL = (
    Column("system", "model"),
    Column("original study %", "original", percent),
    Column("ours % (95 % interval)", "test", share_with_interval, BOUNDS),
    Column("ours − original, pp", "apart", points),
)
COMPARISONS = (
    Column("a", "a"),
    Column("b", "b"),
    Column("a − b, pp", "difference", points),
    Column("95 % interval, pp", "low", interval, ("high",)),
    Column("McNemar p", "p", p_value),
    Column("a is", "verdict", verdict),
)
CHANGES = (
    Column("name", "row"),
    Column("change", "what"),
    Column("gain, pp (± standard error)", "gain", points_with_error, ("gain_error",)),
    Column("verdict", "verdict", verdict),
    Column("validation %", "accuracy", share_with_error, ("error",)),
    Column("train s", "seconds", whole),
    Column("seeds", "seeds", numbers),
)
DESIGNS = (
    Column("design", "row"),
    Column("what", "what"),
    Column("sum − one model, pp", "sum_gain", gain, ("sum_low", "sum_high")),
    Column("the sum is", "sum_verdict", verdict),
    Column("best rule", "rule"),
    Column("it − one model, pp", "best_gain", gain, ("best_low", "best_high")),
    Column("it is", "best_verdict", verdict),
)
RULES = (
    Column("design", "row"),
    Column("one model %", "single", percent),
    *(
        Column(f"{rule} %", rule, percent)
        for rule in ("sum", "logits", "vote", "weighted", "greedy", "average")
    ),
    Column("train s", "seconds", whole),
    Column("seeds", "seeds", numbers),
)
SEEDS = (
    Column("model", "row"),
    Column("seeds", "seeds", numbers),
    Column("validation %", "validation", share_with_error, ("validation_deviation",)),
    Column("test %", "test", share_with_error, ("test_deviation",)),
    Column("six views %", "tta", share_with_error, ("tta_deviation",)),
    Column("train s", "seconds", whole),
)
LEAVE_ONE_OUT = (
    Column("setting", "name"),
    Column("winner", "winner", setting),
    Column("baseline", "baseline", setting),
    Column("validation %", "validation", percent),
    Column("change, pp (± standard error)", "change", points_with_error, ("error",)),
    Column("without it", "verdict", verdict),
)
PARTS = (
    Column("part", "part"),
    Column("images", "images", whole),
    Column("of each class", "fewest", span, ("most",)),
    Column("identical to a training image", "copies", whole),
)
COPIES = (
    Column("number", "number", whole),
    Column("part", "part"),
    Column("index", "index"),
    Column("class there", "class"),
    Column("class in training", "class_in_train"),
)
DOUBTFUL = (Column("index", "index"), Column("label", "class"), Column("all answer", "answer"))
