"""What each model is, in words made of its hyperparameters."""

from collections.abc import Iterable, Mapping
from typing import Any

from fifteen.reporting.tables import Row, percent

OPTIMIZERS = {
    "adam": "Adam",
    "adamw": "AdamW",
    "sgd": "SGD with Nesterov momentum",
    "muon": "Muon",
}
AVERAGES = {
    "lookahead": "lookahead averaging of the weights",
    "ema": "a running average of the weights",
}
MEASURES = {"val_accuracy": "validation accuracy", "val_loss": "validation loss"}
# How the members of an ensemble answer together, by its method.
TOGETHER = {
    "sum": "the summed probabilities of {}",
    "logits": "the summed logits of {}",
    "vote": "the majority vote of {}",
    "weighted": "the probabilities, summed by weights fitted on the validation images, of {}",
    "greedy": "the summed probabilities of those that a greedy selection takes of {}",
    "average": "one network with the mean of the weights of {}",
}


def what_is_what(models: Mapping[str, Any]) -> tuple[Row, list[Row]]:
    """A line on each model, as text cells: header and one row each, in the order given."""
    return ["model", "what it is"], [[name, description(model)] for name, model in models.items()]


def description(model: Mapping[str, Any]) -> str:
    """What a model is, in one line: from its hyperparameters or, of an ensemble, its members."""
    if model["kind"] == "ensemble":
        return "; ".join(_combined(model))
    training = model["hyperparameters"]
    parts = [
        _network(training["network"]),
        f"{OPTIMIZERS[training['optimizer']['name']]}, {_schedule(training['schedule'])}",
        _listed("images ", _images(training)),
        _listed("", _targets(training)),
        AVERAGES[training["averaging"]["name"]] if training["averaging"] else "",
        f"{model['epochs']} epochs in batches of {training['batch_size']}",
        _listed("", _kept(training)),
    ]
    return "; ".join(filter(None, parts))


def _combined(model: Mapping[str, Any]) -> Iterable[str]:
    """How the members of an ensemble answer together, in words."""
    yield TOGETHER[model["method"]].format(f"{model['members']} snapshots of {model['variant']}")
    if "weights" in model:
        yield _listed("weights ", (f"{weight:.2f}" for weight in model["weights"]))
    if "chosen_from" in model:
        found = (f"{rule} {percent(right)}" for rule, right in model["chosen_from"].items())
        yield _listed("the rule that has most of the validation images right, in %: ", found)


def _listed(before: str, words: Iterable[str]) -> str:
    """The words with commas between them, or nothing where there are none."""
    listed = ", ".join(words)
    return f"{before}{listed}" if listed else ""


def _network(network: Mapping[str, Any]) -> str:
    """A network in words."""
    pixels = ", pixels from −1 to 1" if network.get("normalize_input") else ""
    match network["name"]:
        case "baseline":
            return f"3×3 convolutions of 32 and 64 filters, a dense layer of 512 units{pixels}"
        case "refined":
            return (
                "pre-activation convolutions of 32, 64 and 128 filters, a dense layer of 512 units"
            )
        case "convnet":
            return (
                f"3×3 convolutions of {network['filters_1']} and {network['filters_2']} filters, a "
                f"dense layer of {network['dense_units']} units{pixels}"
            )
        case "swift":
            groups = "residual groups" if network["residual"] else "groups"
            stem = "whitening" if network["whitening"] else "learned"
            return (
                f"nine 3×3 convolutions in three {groups}, the first of {network['width']} "
                f"filters, behind a {stem} stem"
            )
    raise ValueError(f"no network is called {network['name']!r}")


def _schedule(schedule: Mapping[str, Any]) -> str:
    """A learning rate in words."""
    match schedule:
        case {"name": "constant", "rate": rate}:
            return f"constant learning rate {rate:.3g}"
        case {"name": "piecewise", "rate": rate, "factors": [*_, (_, last)]}:
            return f"learning rate from {rate:.3g} to {rate * last:.3g} in steps"
        case {"name": "triangular", "peak": peak, "half_cycle_epochs": epochs}:
            first = f"{peak:.3g} in the first epoch, then " if schedule["per"] == "epoch" else ""
            return f"learning rate {first}from 0 to {peak:.3g} and back, {epochs} epochs each way"
        case {"name": "cosine", "peak": peak, "cycles": cycles}:
            again = f", {cycles} times" if cycles > 1 else ""
            return f"learning rate from {peak:.3g} to 0 along a cosine{again}"
        case {"name": "linear", "peak": peak}:
            return f"learning rate from {peak:.3g} to 0 in a straight line"
        case {"name": "one_cycle", "peak": peak, "floor": floor, "restarts": restarts}:
            again = ", with restarts" if restarts else ""
            return f"learning rate from 0 to {peak:.3g} and down to {floor * peak:.3g}{again}"
    raise ValueError(f"no schedule is called {schedule['name']!r}")


def _images(training: Mapping[str, Any]) -> Iterable[str]:
    """What is done with the training images, in words."""
    found = training["augmentation"]
    if found["flip"]:
        when = "in every second epoch" if found["flip"] == "alternating" else "at random"
        yield f"mirrored {when}"
    if found["crop"]:
        yield f"shifted by up to {found['crop']} pixels"
    if found["cutout"]:
        yield f"with a cutout of {found['cutout']} pixels"
    if found["cutmix"]:
        yield f"{100 * found['cutmix']:.0f} % of them with CutMix"
    if found["mixup"]:
        yield f"with mixup (α = {found['mixup']:g})"
    if training["resolution"]:
        sizes = ", then ".join(f"{size:g}" for _, size in training["resolution"])
        yield f"of {sizes} pixels"


def _targets(training: Mapping[str, Any]) -> Iterable[str]:
    """What is done with the labels, in words."""
    if training["label_smoothing"]:
        yield f"label smoothing {training['label_smoothing']:g}"
    if training["self_distillation"]:
        share = training["self_distillation"]
        yield f"self-distillation (up to {share:g} of a target is the network's own answer)"


def _kept(training: Mapping[str, Any]) -> Iterable[str]:
    """Which weights are kept, in words."""
    measure = MEASURES[training["monitor"]]
    if training["patience"]:
        yield f"stops after {training['patience']} epochs without a better {measure}"
    snapshots = training["snapshots"]
    count = len(snapshots) if isinstance(snapshots, list) else snapshots
    also = f" and {count} snapshots" if count else ""
    yield f"keeps the epoch with the best {measure}{also}"
