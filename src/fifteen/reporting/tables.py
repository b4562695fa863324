"""The results as tables and sentences, from the content of `reports/metrics.json`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fifteen.reporting.comparisons import Comparison, compared, members_compared
from fifteen.reporting.original import original_accuracies

import numpy as np

Metrics = Mapping[str, Any]
Row = list[str]

BASELINE = "baseline"
NONE = "–"
UNPROVEN = "not distinguishable from noise"
# What decides which weights are kept, not what is learned.
CHOICES = {"monitor", "patience", "snapshots", "snapshot_weights"}
SHOWN = 10  # of the doubtful labels
FEWEST = 6  # images for a difference of p < 0.05: 2 · 0.5⁶ = 0.03 by McNemar's exact test
TOO_FEW = 1000  # validation images, where that is more than 0.6 pp
GLOSSARY = {
    "pp": "percentage points: from 40 % to 42 % it is 2 pp.",
    "95 % interval": "how far the luck of which test images were drawn may have moved a figure: of "
    "such intervals, each from images of its own, 19 of 20 would hold the true value.",
    "McNemar's test": "looks at the images that only one of two models gets right. p is how often "
    "they would be shared out at least as unevenly if both models were equally good.",
    "top-5": "the share of images whose class is among the five most probable ones.",
    "TTA": "test-time augmentation: a model answers by the mean over six views of an image: as it "
    "is, shifted by one pixel to two sides, and each of the three mirrored.",
    "NLL": "negative log-likelihood, in nats: how improbable a model found the true classes; the "
    "lower, the better.",
    "ECE": "expected calibration error: how far the probability of an answer is on average from "
    "the share of such answers that are right; the lower, the better.",
    "temperature": "a number that all logits of a model are divided by, so that its probabilities "
    "mean what they say; it changes no answer. Calibrated figures are with it.",
    "snapshot": "a copy of the weights that a training keeps on its way. An ensemble lets several "
    "of them answer together.",
}


def results_rows(metrics: Metrics) -> tuple[Row, list[Row]]:
    """The results table as text cells: its header and one row per model, in the order given.

    The columns of test-time augmentation and of superclasses are there when a model has that
    figure, the original study's when the data set is the one it used.
    """
    models = metrics["models"]
    has_superclasses = any("superclass_accuracy" in model["test"] for model in models.values())
    original = original_accuracies(metrics["source"])

    header = ["model", "kind", "validation accuracy %", "test accuracy % (95 % interval)"]
    has_views = any("test_tta" in model for model in models.values())
    if has_views:
        header.append("with TTA %")
    header += ["top-5 %", "NLL (calibrated)", "ECE (calibrated)"]
    if has_superclasses:
        header.append("superclass %")
    header += ["epochs", "parameters", "train s", "best class", "worst class"]
    if original:
        header.append("original study %")

    rows = []
    for name, model in models.items():
        test = model["test"]
        row = [
            name,
            kind(model),
            percent(model["validation"]["accuracy"]),
            accuracy_with_interval(test),
        ]
        if has_views:
            row.append(percent(model["test_tta"]["accuracy"]) if "test_tta" in model else NONE)
        row += [
            percent(test["top5_accuracy"]),
            f"{test['nll']:.3f} ({test['calibrated_nll']:.3f})",
            f"{test['ece']:.3f} ({test['calibrated_ece']:.3f})",
        ]
        if has_superclasses:
            row.append(
                percent(test["superclass_accuracy"]) if "superclass_accuracy" in test else NONE
            )
        row += [
            str(model["epochs"]),
            f"{model['parameters']:,}",
            f"{model['train_seconds']:.0f}",
            _class_cell(test["best_class"]),
            _class_cell(test["worst_class"]),
        ]
        if original:
            row.append(percent(original[name]) if name in original else NONE)
        rows.append(row)
    return header, rows


def comparison_rows(comparisons: Iterable[Comparison]) -> tuple[Row, list[Row]]:
    """The comparisons as text cells: header and one row each, in the order given."""
    header = ["a", "b", "a − b, pp", "95 % interval, pp", "McNemar p", "verdict: a is"]
    rows = [
        [
            comparison["a"],
            comparison["b"],
            signed_points(comparison["difference"]),
            " to ".join(signed_points(bound) for bound in comparison["ci95"]),
            p_value(comparison["mcnemar_p"]),
            verdict_word(comparison["verdict"]),
        ]
        for comparison in comparisons
    ]
    return header, rows


def results_markdown(metrics: Metrics) -> str:
    """The results table in Markdown, with a line on hardware and split below."""
    header, rows = results_rows(metrics)
    return f"{markdown_table(header, rows, text_columns=2)}\n\n{setting(metrics)}\n"


def comparisons_markdown(metrics: Metrics) -> str:
    """The comparisons in `metrics` as a Markdown table."""
    header, rows = comparison_rows(metrics["comparisons"])
    return markdown_table(header, rows, text_columns=2) + "\n"


def results_text(metrics: Metrics) -> str:
    """A plain-text results table of at most 100 columns, for the terminal.

    Long model names are cut, with an ellipsis, where the table would become wider.
    """
    header = ["model", "kind", "val %", "test %", "95 % interval", "NLL", "ECE", "epochs"]
    header += ["params", "time s"]
    rows = []
    for name, model in metrics["models"].items():
        test = model["test"]
        low, high = test["accuracy_ci95"]
        rows.append(
            [
                name,
                kind(model),
                percent(model["validation"]["accuracy"]),
                percent(test["accuracy"]),
                f"{percent(low)}–{percent(high)}",
                f"{test['nll']:.3f}",
                f"{test['ece']:.3f}",
                str(model["epochs"]),
                f"{model['parameters'] / 1e6:.2f} M",
                f"{model['train_seconds']:.0f}",
            ]
        )
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    widths[0] = min(widths[0], 100 - sum(widths[1:]) - 2 * (len(widths) - 1))
    lines = []
    for row in [header, *rows]:
        name = row[0] if len(row[0]) <= widths[0] else row[0][: widths[0] - 1] + "…"
        left = [name.ljust(widths[0]), row[1].ljust(widths[1])]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(left + right))
    return "\n".join(lines) + "\n"


def machine(hardware: Mapping[str, str]) -> str:
    """A device and the precision it computed in, in words."""
    return f"{hardware['device']}, {hardware['precision']}"


def each_once(texts: Iterable[str]) -> str:
    """What is in the texts, one thing or several with `; ` between them, without repetitions."""
    return "; ".join(dict.fromkeys(one for text in texts for one in text.split("; ")))


def setting(metrics: Metrics) -> str:
    """One line on what the numbers were measured on: data, split, budget and hardware."""
    machines: dict[str, list[str]] = {}
    for name, model in metrics["models"].items():
        machines.setdefault(machine(model["hardware"]), []).append(name)
    hardware = [
        f"{', '.join(names)} on {machine}" if len(machines) > 1 else machine
        for machine, names in machines.items()
    ]
    return (
        f"{metrics['source']}: {metrics['train_images']:,} training, "
        f"{metrics['validation_images']:,} validation and {metrics['test_images']:,} test images; "
        f"budget of epochs: {metrics['epoch_budget']}; "
        f"{'; '.join(hardware)}."
    )


def best_of(models: Mapping[str, Any]) -> str:
    """The name of the model with the best validation accuracy; of equal ones the first."""
    return best_first(models)[0]


def best_first(models: Mapping[str, Any]) -> list[str]:
    """The names of the models by their validation accuracy; equal ones in the order given."""
    return sorted(models, key=lambda name: -models[name]["validation"]["accuracy"])


def headline(metrics: Metrics) -> str:
    """One sentence: the model chosen on the validation images, and how it does on the test ones."""
    models = metrics["models"]
    best = best_of(models)
    test = models[best]["test"]
    low, high = test["accuracy_ci95"]
    sentence = (
        f"{best}, the model with the best validation accuracy, classifies "
        f"{percent(test['accuracy'])} % of the {metrics['test_images']:,} test images correctly "
        f"(95 % interval {percent(low)} to {percent(high)} %)"
    )
    if best == BASELINE:
        return f"{sentence}; it is the baseline itself."
    comparison = compared(metrics["comparisons"], best, BASELINE)
    return f"{sentence} and is {verdict_phrase(comparison, 'the baseline')}."


def choice(metrics: Metrics) -> str:
    """What the best model was chosen by, and how the second best does beside it."""
    models = metrics["models"]
    first, *others = best_first(models)
    accuracies = {name: models[name]["validation"]["accuracy"] for name in models}
    shares = {name: percent(accuracy) for name, accuracy in accuracies.items()}
    sentence = f"It was chosen by its validation accuracy of {shares[first]} %"
    if not others:
        return f"{sentence}."
    tied = [name for name in others if accuracies[name] == accuracies[first]]
    if tied:
        return (
            f"{sentence}, which {listed(tied)} {'has' if len(tied) == 1 else 'have'} too: of equal "
            f"ones the first in params.yaml is taken.{limits_of_choice(metrics)}"
        )
    comparison = compared(metrics["comparisons"], others[0], first)
    return (
        f"{sentence}; next comes {others[0]} with {shares[others[0]]} %, which on the test images "
        f"is {verdict_phrase(comparison, 'it')}.{limits_of_choice(metrics)}"
    )


def limits_of_choice(metrics: Metrics) -> str:
    """A sentence where the validation images cannot tell the best two models apart; else nothing.

    McNemar's exact test needs at least `FEWEST` images that only one of two models has right.
    """
    images, (first, *others) = metrics["validation_images"], best_first(metrics["models"])
    accuracies = [metrics["models"][name]["validation"]["accuracy"] for name in (first, *others)]
    lead = round((accuracies[0] - accuracies[1]) * images)
    if lead < FEWEST:
        return (
            f" Its lead of {lead} of {images:,} validation images is too small to choose by: no "
            "test can tell it from chance."
        )
    if images < TOO_FEW:
        return (
            f" With {images:,} validation images no test can tell differences of less than "
            f"{100 * FEWEST / images:.1f} pp from chance."
        )
    return ""


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b` or `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def ensemble_verdicts(metrics: Metrics) -> list[str]:
    """For each ensemble a sentence against its last snapshot, its best one, and the baseline."""
    sentences = []
    for name, model in metrics["models"].items():
        if model["kind"] == "ensemble":
            for reference, words in {**_made_of(model), BASELINE: "the baseline"}.items():
                comparison = compared(metrics["comparisons"], name, reference)
                sentences.append(f"{name} is {verdict_phrase(comparison, words)}.")
    return sentences


def _made_of(model: Mapping[str, Any]) -> dict[str, str]:
    """What an ensemble is compared with of what it is made of, the best last, and its words."""
    variant = model["variant"]
    if model["method"] == "average":  # one network, in which no snapshot answers any more
        return {variant: f"{variant} itself"}
    members = members_compared(model["member_validation_accuracy"])
    last = "its last snapshot" if "best_snapshot" in members else "its last and best snapshot"
    words = {"last_snapshot": last, "best_snapshot": "its best snapshot"}
    return {f"{variant}:{member}": words[member] for member in members}


def diversity_sentences(diversity: Mapping[str, Any]) -> list[str]:
    """What the figures of an ensemble's members show, in words.

    Args:
        diversity: the fields of `fifteen.evaluation.diversity.Diversity`, `weight_distances` and
            the name of the `worst_class`.
    """
    others = np.triu_indices(len(diversity["disagreement"]), 1)  # each two members once
    apart, alike = diversity["disagreement"][others], diversity["error_correlation"][others]
    last = diversity["accuracy_of_last"]
    most = int(np.argmax(last)) + 1
    distances = diversity["weight_distances"][others]
    gain = diversity["class_gain"][diversity["class_accuracy"].argmin()]
    return [
        f"Two members have different answers for {percent(apart.mean())} % of the test images "
        f"({percent(apart.min())} to {percent(apart.max())} %). Their errors correlate by "
        f"{alike.mean():.2f}, where 1 means that they err on the same images, and 0 that they err "
        "independently of each other.",
        f"Their weights lie {distances.mean():.2f} apart ({distances.min():.2f} to "
        f"{distances.max():.2f}), in multiples of their length; weights that have nothing to do "
        "with each other would lie 1.41 apart.",
        f"The last member alone is right for {percent(last[0])} % of the images, all {len(last)} "
        f"together for {percent(last[-1])} %, and the last {most} together, the most, for "
        f"{percent(last[most - 1])} %.",
        f"Over a member the classes that the members know worst gain "
        f"{signed_points(diversity['gain_of_worst'])} pp, the worst of all, "
        f"{diversity['worst_class']}, {signed_points(gain)} pp, and those they know best "
        f"{signed_points(diversity['gain_of_best'])} pp.",
    ]


def calibration_rows(models: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    """Each model's temperature and its calibration error without and with it, as text cells."""
    header = ["model", "temperature", "ECE as it comes", "ECE calibrated"]
    rows = [
        [
            name,
            f"{model['temperature']:.3f}",
            f"{model['test']['ece']:.3f}",
            f"{model['test']['calibrated_ece']:.3f}",
        ]
        for name, model in models.items()
    ]
    return header, rows


def calibration_sentence(models: Mapping[str, Any]) -> str:
    """For how many models the temperature is of use, as far as the table shows it."""
    rows = calibration_rows(models)[1]
    down = sum(float(after) < float(before) for *_, before, after in rows)
    up = sum(float(after) > float(before) for *_, before, after in rows)
    return (
        "Dividing the logits by one temperature, fitted on the validation images, brings the "
        f"expected calibration error (ECE) down for {down} of {len(rows)} models, and up for {up}."
    )


def part_rows(data: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    """The parts of the data set as text cells.

    Args:
        data: the content of `reports/data/summary.json`.
    """
    header = ["part", "images", "of each class", "identical to a training image"]
    rows = [
        [
            part,
            f"{images:,}",
            per_class(data, part),
            str(data["images_also_in_train"].get(part, NONE)),
        ]
        for part, images in data["images"].items()
    ]
    return header, rows


def per_class(data: Mapping[str, Any], part: str) -> str:
    """How many images of each class a part has: `100`, or `33–68`."""
    counts = [entry[part] for entry in data["images_per_class"]]
    return "–".join(map(str, sorted({min(counts), max(counts)})))


def copies_rows(data: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    """The images that are a training image too, numbered, as text cells; `data` as above."""
    header = ["number", "part", "index", "class there", "class in training"]
    rows = [
        [
            str(number),
            copy["part"],
            str(copy["index"]),
            copy["class"],
            copy["class_in_train"]
            + ("" if copy["class"] == copy["class_in_train"] else " (differs)"),
        ]
        for number, copy in enumerate(data["copies_of_training_images"], start=1)
    ]
    return header, rows


def copies_sentence(data: Mapping[str, Any]) -> str:
    """What the copies amount to; there must be some."""
    copies = data["copies_of_training_images"]
    differ = sum(copy["class"] != copy["class_in_train"] for copy in copies)
    return (
        f"{len(copies)} of the validation and test images are, pixel by pixel, a training image. "
        f"For {differ} of them the two labels differ, so that at least one of the two is doubtful."
    )


def doubtful_rows(metrics: Metrics) -> tuple[Row, list[Row]]:
    """The first test images whose label all good models contradict alike, as text cells."""
    header = ["index", "label", "answer of all"]
    images = metrics["doubtful_labels"]["images"][:SHOWN]
    return header, [[str(one["index"]), one["class"], one["answer"]] for one in images]


def doubtful_sentence(metrics: Metrics) -> str:
    """How many labels are doubtful in that way, and who says so."""
    images, models = (metrics["doubtful_labels"][key] for key in ("images", "models"))
    first = f" The first {SHOWN} of them:" if len(images) > SHOWN else ""
    return (
        f"For {len(images):,} of the {metrics['test_images']:,} test images all single models that "
        f"are better than the baseline ({', '.join(models)}) have one and the same answer, which "
        "is not the label. Some of these labels may be wrong; others are of images that mislead "
        f"all of these models alike.{first}"
    )


def what_worked(metrics: Metrics) -> tuple[list[str], list[str]]:
    """What is better than what it sets out from, the largest gain first, and what is not.

    A training sets out from the baseline, an ensemble from its best member. Each sentence says in
    which parts of its training a model differs from the baseline.
    """
    models = metrics["models"]
    judged = []
    for name in models:
        if name != BASELINE:
            reference, words = _sets_out_from(models[name])
            judged.append((name, compared(metrics["comparisons"], name, reference), words))
    judged.sort(key=lambda one: -one[1]["difference"])
    worked, failed = [], []
    for name, comparison, words in judged:
        sentence = f"{name} ({_differs_in(models[name], models)}) is "
        sentence += f"{verdict_phrase(comparison, words)}."
        (worked if comparison["verdict"] == "better" else failed).append(sentence)
    return worked, failed


def _sets_out_from(model: Mapping[str, Any]) -> tuple[str, str]:
    """What a model must be better than in order to work, and the words for it."""
    if model["kind"] == "ensemble":
        return list(_made_of(model).items())[-1]
    return BASELINE, "the baseline"


def _differs_in(model: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """In what a model is not the baseline, in words."""
    if model["kind"] == "ensemble":
        return f"{kind(model)} snapshots of {model['variant']}"
    ours, theirs = model["hyperparameters"], models[BASELINE]["hyperparameters"]
    keys = [key for key in ours if key not in CHOICES and ours[key] != theirs[key]]
    return f"other {', '.join(keys).replace('_', ' ')}" if keys else "trained in the same way"


def verdict_phrase(comparison: Comparison, reference: str) -> str:
    """What follows "a is": better, worse or not distinguishable, by how much and how surely.

    Args:
        comparison: an entry of `comparisons`, or one without `mcnemar_p`.
        reference: the words for its b.
    """
    difference, (low, high) = comparison["difference"], comparison["ci95"]
    test = ""
    if "mcnemar_p" in comparison:
        p = p_value(comparison["mcnemar_p"])
        test = f", McNemar p {p}" if p.startswith("<") else f", McNemar p = {p}"
    verdict = comparison["verdict"]
    if verdict == "same":
        return (
            f"{verdict_word(verdict)} from {reference} (difference {signed_points(difference)} pp, "
            f"95 % interval {signed_points(low)} to {signed_points(high)}{test})"
        )
    if verdict == "worse":  # "worse by 1.2": the interval of the loss
        difference, low, high = -difference, -high, -low
    return (
        f"{verdict} than {reference} by {100 * difference:.2f} pp "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f}{test})"
    )


def verdict_word(verdict: str) -> str:
    """A verdict for reading: that nothing was found does not make two models the same."""
    return "not distinguishable" if verdict == "same" else verdict


def kind(model: Mapping[str, Any]) -> str:
    """`single`, or how an ensemble combines how many members: `vote of 5`."""
    return "single" if model["kind"] == "single" else f"{model['method']} of {model['members']}"


def percent(share: float) -> str:
    """A share of 1 in percent with two decimals, without the sign."""
    return f"{100 * share:.2f}"


def signed_points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign: `+1.20`, `−0.35`, `0.00`."""
    rounded = f"{100 * difference:.2f}"
    if float(rounded) == 0:
        return "0.00"
    return f"+{rounded}" if difference > 0 else rounded.replace("-", "−")


def signed_with_error(difference: float, error: float) -> str:
    """A difference of shares and its standard error in percentage points: `+1.20 ± 0.31`."""
    return f"{signed_points(difference)} ± {percent(error)}"


def accuracy_with_interval(test: Mapping[str, Any]) -> str:
    """Test accuracy and its 95 % interval in percent: `41.62 (40.66–42.59)`."""
    low, high = test["accuracy_ci95"]
    return f"{percent(test['accuracy'])} ({percent(low)}–{percent(high)})"


def p_value(p: float) -> str:
    """A p-value for reading: `< 0.0001`, four decimals below 0.001, three above."""
    if p < 0.0001:
        return "< 0.0001"
    return f"{p:.4f}" if p < 0.001 else f"{p:.3f}"


def _class_cell(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']} ({percent(entry['accuracy'])})"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int) -> str:
    """A Markdown table: the first columns set to the left, the others, numbers, to the right."""
    rules = [":--" if index < text_columns else "--:" for index in range(len(header))]
    lines = [header, rules, *([_escaped(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(cell: str) -> str:
    """A cell whose text cannot end the cell or become markup: class names are data."""
    for character, replacement in (("&", "&amp;"), ("<", "&lt;"), ("|", "\\|")):
        cell = cell.replace(character, replacement)
    return cell
