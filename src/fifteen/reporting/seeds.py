"""The same model trained with several seeds: how much of a figure is chance."""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from fifteen.reporting.comparisons import Comparison, judged
from fifteen.reporting.tables import NONE, machine, markdown_table, percent, verdict_phrase

Trained = Mapping[str, Any]

NOTE = "Means over the seeds ± the standard deviation between them."


def trained(metrics: Mapping[str, Any], variant: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a model, with its accuracies as shares.

    Args:
        metrics: its `reports/models/NAME/metrics.json`.
        variant: the same of what it was trained as; for an ensemble that is another model.
    """
    views = metrics.get("test_tta")
    return {
        "seed": variant["seed"],
        "training": variant["hyperparameters"],
        "method": "best" if "chosen_from" in metrics else metrics.get("method"),
        "parameters": metrics["parameters"],
        "validation_accuracy": metrics["validation"]["accuracy"],
        "test_accuracy": metrics["test"]["accuracy"],
        "test_tta_accuracy": views["accuracy"] if views else None,
        "train_seconds": metrics["train_seconds"],
        "hardware": metrics["hardware"],
    }


def seeds_markdown(models: Mapping[str, Sequence[Trained]]) -> str:
    """A table with a row per model: means over its seeds ± the standard deviation between them.

    Below it, a sentence on each ensemble and the single model that its members are snapshots of.
    Times are means over the seeds that were trained on the same machine.

    Args:
        models: by name, what `trained` gives for each seed; at least one.
    """
    machines = dict.fromkeys(machine(one["hardware"]) for seeds in models.values() for one in seeds)
    header = ["model", "seeds", "validation accuracy %", "test accuracy %", "with TTA %"]
    header += [f"train s: {name}" for name in machines]
    rows = [
        [
            name,
            ", ".join(str(one["seed"]) for one in seeds),
            *(
                _spread([one[key] for one in seeds])
                for key in ("validation_accuracy", "test_accuracy", "test_tta_accuracy")
            ),
            *(_seconds(seeds, name) for name in machines),
        ]
        for name, seeds in models.items()
    ]
    parts = [markdown_table(header, rows, text_columns=2), NOTE, *_against_single(models)]
    return "\n\n".join(parts) + "\n"


def _against_single(models: Mapping[str, Sequence[Trained]]) -> list[str]:
    """What each ensemble gains over the same training's single model, where both have two seeds."""
    sentences = []
    for name, ensembles in models.items():
        for other, singles in models.items():
            alone = {one["seed"]: one for one in singles if one["method"] is None}
            pairs = [
                (one["test_accuracy"], alone[one["seed"]]["test_accuracy"])
                for one in ensembles
                if one["method"] and alone.get(one["seed"], {}).get("training") == one["training"]
            ]
            if len(pairs) > 1:
                verdict = verdict_phrase(_seed_by_seed(pairs), other)
                sentences.append(
                    f"{name} is on the test images {verdict}; the interval is Student's t over "
                    f"the {len(pairs)} seeds."
                )
    return sentences


def _seed_by_seed(pairs: Sequence[tuple[float, float]]) -> Comparison:
    """The mean difference of pairs, judged by Student's t."""
    from scipy import stats  # the report, which leaves seeds out, need not wait for it

    differences = [a - b for a, b in pairs]
    middle, error = fmean(differences), stdev(differences) / sqrt(len(pairs))
    half = stats.t.ppf(0.975, len(pairs) - 1) * error
    return judged(middle, middle - half, middle + half)


def _spread(shares: Sequence[float | None]) -> str:
    """`76.70 ± 0.21`; without the deviation for one seed alone."""
    if None in shares:
        return NONE
    deviation = f" ± {percent(stdev(shares))}" if len(shares) > 1 else ""
    return percent(fmean(shares)) + deviation


def _seconds(seeds: Sequence[Trained], name: str) -> str:
    """The mean over those that were trained on the machine of this name."""
    found = [one["train_seconds"] for one in seeds if machine(one["hardware"]) == name]
    return f"{fmean(found):.0f}" if found else NONE
