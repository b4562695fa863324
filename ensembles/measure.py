"""Stage `measure`: train one design with one seed, and judge every rule on the validation images.

Usage: python ensembles/measure.py DESIGN SEED
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from designs import result_file  # isort: skip
from fifteen.tracked_training import Trained  # isort: skip  # TensorFlow, quietly

from fifteen.ensembles.distance import weight_distances
from fifteen.ensembles.model import average_weights, predictor
from fifteen.ensembles.weights import by_every_rule
from fifteen.errors import run_stage
from fifteen.evaluation.calibration import fit_temperature, with_temperature
from fifteen.evaluation.diversity import diversity
from fifteen.evaluation.metrics import negative_log_likelihood
from fifteen.evaluation.significance import packed
from fifteen.evaluation.test_time_augmentation import predict_views
from fifteen.files import write_json
from fifteen.git import commit
from fifteen.measuring import planned, trained_beside
from fifteen.training.checkpoint import load_variables
from fifteen.training.fit import best_file, snapshot_file
from fifteen.training.history import best_epoch

import keras
import numpy as np


def networks_of(found: Trained, snapshots: bool) -> Iterator[keras.Model]:
    """The network of the best epoch, and behind it where asked for those of the snapshots."""
    best = best_epoch(found.history, found.config.monitor)
    files = [best_file(best)]
    if snapshots:
        files += [snapshot_file(n + 1) for n in range(found.config.snapshot_count)]
    for file in files:
        network = keras.models.clone_model(found.network)
        load_variables(found.work / file, network.weights)
        yield network


def scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy, the likelihood at the best temperature, and which images are right."""
    right = probabilities.argmax(axis=-1) == labels
    sharpened = with_temperature(probabilities, fit_temperature(probabilities, labels))
    return {
        "accuracy": float(right.mean()),
        "nll": negative_log_likelihood(sharpened, labels),
        "right": packed(right),
    }


def main() -> None:
    """Train the design named on the command line and write what its members come to."""
    design, seed, plan = planned("ensembles", __doc__)
    models, section = plan["models"], plan["training"]
    networks, singles, runs, seconds = [], [], [], 0.0
    for number in range(models):
        name = design if models == 1 else f"{design}-{number + 1}"
        own_seed = seed if models == 1 else 1000 * seed + number
        with trained_beside("ensembles", name, section, own_seed, Path(__file__)) as found:
            best, *snapshots = networks_of(found, snapshots=models == 1)
            networks += snapshots or [best]
            singles.append(best)
            spent = sum(row.seconds for row in found.history)
            highest = max(row.val_accuracy for row in found.history)
            found.run.set_metrics({"train/seconds": spent, "val/best_accuracy": highest})
            seconds += spent
            runs.append(found.run.id)
    images, labels = found.validation.images, found.validation.labels

    answers = [predictor(network) for network in networks]
    mirrored = found.classes.mirrored
    views = [predict_views(lambda x, f=f: f(x)["probabilities"], images, mirrored) for f in answers]
    members = np.stack([answer(images)["probabilities"] for answer in answers], axis=1)
    alone = [predictor(network)(images)["probabilities"] for network in singles]
    best = max(alone, key=lambda p: (p.argmax(axis=-1) == labels).mean())
    rules = by_every_rule(members, labels)
    if models == 1:
        averaged = average_weights(networks, found.training.images)
        rules["average"] = predictor(averaged)(images)["probabilities"]
    apart = diversity(members, rules["sum"], labels)
    others = np.triu_indices(len(networks), 1)
    result = {
        "design": design,
        "seed": seed,
        "models": models,
        "members": len(networks),
        "member_accuracy": (members.argmax(axis=-1) == labels[:, None]).mean(axis=0).tolist(),
        "single": scores(best, labels),
        "rules": {name: scores(shares, labels) for name, shares in rules.items()},
        "sum_of_views": scores(np.mean(views, axis=0), labels),
        "disagreement": float(apart.disagreement[others].mean()),
        "error_correlation": float(apart.error_correlation[others].mean()),
        "weight_distance": float(weight_distances(networks)[others].mean()),
        "seconds": seconds,
        "training": found.config.model_dump(),
        "source": found.classes.source,
        "hardware": found.machine.recorded(),
        **commit(),
        "run_ids": runs,
    }
    write_json(result_file(design, seed), result)
    together, alone = result["rules"]["sum"]["accuracy"], result["single"]["accuracy"]
    print(
        f"{design}, seed {seed}: {len(networks)} members are right for {together:.2%} of the"
        f" validation images together, the best single model for {alone:.2%}"
    )


if __name__ == "__main__":
    run_stage(main)
