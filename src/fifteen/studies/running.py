"""Training what a study asks for: one training after another, each with its own result."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fifteen.common.errors import UserError
from fifteen.common.files import digest
from fifteen.common.fingerprints import fingerprint
from fifteen.common.git import commit
from fifteen.common.nested import flatten
from fifteen.data.arrays import read_classes, read_part
from fifteen.ensembling.combined_model import average_weights, predictor
from fifteen.ensembling.member_weights import by_every_rule
from fifteen.ensembling.rules import RULES
from fifteen.ensembling.weight_distance import weight_distances
from fifteen.evaluation.diversity import diversity
from fifteen.evaluation.packing import packed
from fifteen.evaluation.scores import negative_log_likelihood
from fifteen.inference.temperature import fit_temperature, with_temperature
from fifteen.inference.views import predict_views
from fifteen.params.changes import differences
from fifteen.params.reading import load_params
from fifteen.studies.measurements import Key, key, write_result
from fifteen.studies.plan import Row
from fifteen.training.checkpoint import load_variables
from fifteen.training.fit import best_file, snapshot_file
from fifteen.training.history import best_epoch
from fifteen.training.tracked import DATA, TrainingRun, training_run

import keras
import numpy as np

TEST = Path("data/test")

Predict = Callable[[np.ndarray], np.ndarray]  # images to probabilities, (N, C)


def run_all(wanted: Iterable[tuple[Row, int]]) -> None:
    """Train each row with its seed, one at a time, and write the results.

    Rows with the same training share one. After a kill, the next call goes on from the last epoch.

    Raises:
        UserError: data/trainval is missing, or is of another data set than params.yaml.
    """
    prepared, named = read_classes(DATA).source, load_params().data.source
    if prepared != named:
        raise UserError(f"{DATA} is of {prepared}, params.yaml of {named}; `dvc repro prepare`")
    jobs: dict[Key, tuple[Row, int]] = {}
    for row, seed in wanted:
        jobs.setdefault(key(row, seed), (row, seed))
    for number, (row, seed) in enumerate(jobs.values(), start=1):
        print(f"{number} of {len(jobs)}: {row.name}, seed {seed}", flush=True)
        result, folders = measure(row, seed)
        path = write_result(result)
        for folder in folders:
            _remove(folder)
        print(f"validation accuracy {result['val_accuracy']:.2%}, in {path}", flush=True)


def measure(row: Row, seed: int) -> tuple[dict[str, Any], list[Path]]:
    """Train a row with a seed, in the folder of the project.

    Returns:
        The result, plain data, and the folders from which the trainings could be resumed: they are
        of no more use once the result is written.
    """
    params = load_params()
    members, singles, done, summaries = [], [], [], []
    for number in range(row.models):
        label = row.name if row.models == 1 else f"{row.name}-{number + 1}"
        own_seed = seed if row.models == 1 else 1000 * seed + number
        with training_run(
            f"{label} seed {own_seed}",
            row.training,
            own_seed,
            params.hardware,
            params.budget,
            f"{row.study}:{label}-{own_seed}",
            pipeline="studies",
        ) as training:
            best, *snapshots = _networks(training)
            summary = _summary(training)
            training.run.set_metrics(
                {
                    "train/seconds": summary["seconds"],
                    "val/best_accuracy": summary["val_accuracy"],
                    "best_epoch": summary["best_epoch"],
                }
            )
            training.run.set_tags({"study": row.study, "row": row.name} | commit())
        singles.append(_predict(best))
        members += snapshots if row.models == 1 else [best]
        done.append(training)
        summaries.append(summary)
    best_of_all = max(range(row.models), key=lambda i: summaries[i]["val_accuracy"])
    last, single, used = done[-1], singles[best_of_all], flatten(done[-1].config.model_dump())
    result = {
        "label": row.name,
        "seed": seed,
        "models": row.models,
        "data": row.data.model_dump(),
        "training": row.training.model_dump(),
        "adapted": {name: used.get(name) for name in differences(row.training, last.config)},
        **summaries[best_of_all],
        "seconds": sum(summary["seconds"] for summary in summaries),
        "parameters": last.network.count_params(),
        "single": _scores(single(last.validation.images), last.validation.labels),
        "ensemble": _ensemble(members, last, row.models) if len(members) > 1 else None,
        "test": _test_scores(single, members, last.classes.mirrored) if row.test else None,
        "hardware": last.machine.recorded(),
        **commit(),
        "fingerprint": digest({"code": fingerprint(training_run.__module__)}),
        "run_ids": [training.run.id for training in done],
    }
    return result, [training.work for training in done]


def _networks(training: TrainingRun) -> list[keras.Model]:
    """The network of the best epoch, then those of the snapshots; an early stop leaves fewer."""
    snapshots = [snapshot_file(n + 1) for n in range(training.config.snapshot_count)]
    files = [best_file(best_epoch(training.history, training.config.monitor))]
    files += [file for file in snapshots if (training.work / file).exists()]
    networks = []
    for file in files:
        networks.append(keras.models.clone_model(training.network))
        load_variables(training.work / file, networks[-1].weights)
    return networks


def _summary(training: TrainingRun) -> dict[str, Any]:
    """What a training comes to: accuracies as shares of 1, losses in nats, time in seconds."""
    history = training.history
    best, last = history[best_epoch(history, training.config.monitor) - 1], history[-1]
    return {
        "epochs": len(history),
        "best_epoch": best.epoch,
        **{name: getattr(best, name) for name in ("val_accuracy", "val_loss")},
        **{f"last_{name}": getattr(last, name) for name in ("val_accuracy", "val_loss")},
        "train_accuracy": last.train_accuracy,
        "seconds": sum(row.seconds for row in history),
    }


def _ensemble(
    networks: Sequence[keras.Model], training: TrainingRun, models: int
) -> dict[str, Any]:
    """What the members come to on the validation images, by every rule and with six views."""
    images, labels = training.validation.images, training.validation.labels
    answers = [_predict(network) for network in networks]
    members = np.stack([answer(images) for answer in answers], axis=1)
    views = [predict_views(answer, images, training.classes.mirrored) for answer in answers]
    rules = by_every_rule(members, labels)
    if models == 1:
        rules["average"] = _predict(average_weights(networks, training.training.images))(images)
    apart = diversity(members, rules["sum"], labels)
    pairs = np.triu_indices(len(networks), 1)
    return {
        "members": len(networks),
        "member_accuracy": (members.argmax(axis=-1) == labels[:, None]).mean(axis=0).tolist(),
        "rules": {name: _scores(shares, labels) for name, shares in rules.items()},
        "sum_of_views": _scores(np.mean(views, axis=0), labels),
        "accuracy_of_last": apart.accuracy_of_last.tolist(),
        "disagreement": float(apart.disagreement[pairs].mean()),
        "error_correlation": float(apart.error_correlation[pairs].mean()),
        "weight_distance": float(weight_distances(networks)[pairs].mean()),
    }


def _test_scores(
    single: Predict, networks: Sequence[keras.Model], mirrored: bool
) -> dict[str, Any]:
    """Accuracy on the test images, from one view and from six: of the single model and by rule."""
    test, members = read_part(TEST, "test"), [_predict(network) for network in networks]
    rules = RULES if len(members) > 1 else {}

    def predict(images: np.ndarray) -> np.ndarray:  # (1 + rules, N, C)
        answers = np.stack([single(images), *(member(images) for member in members)], axis=1)
        together = [np.asarray(rule(answers[:, 1:])) for rule in rules.values()]
        return np.stack([answers[:, 0], *together])

    right = predict(test.images).argmax(axis=-1) == test.labels
    with_views = predict_views(predict, test.images, mirrored).argmax(axis=-1) == test.labels
    first, *others = (
        {"accuracy": float(a.mean()), "tta_accuracy": float(b.mean()), "right": packed(a)}
        for a, b in zip(right, with_views, strict=True)
    )
    return first | {"rules": dict(zip(rules, others, strict=True))}


def _scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy, negative log-likelihood at the best temperature, and which images are right."""
    right = probabilities.argmax(axis=-1) == labels
    calibrated = with_temperature(probabilities, fit_temperature(probabilities, labels))
    nll = negative_log_likelihood(calibrated, labels)
    return {"accuracy": float(right.mean()), "nll": nll, "right": packed(right)}


def _predict(network: keras.Model) -> Predict:
    predict = predictor(network)
    return lambda images: predict(images)["probabilities"]


def _remove(folder: Path) -> None:
    """Remove a folder of work; renamed first, as a part of it must never be resumed."""
    if folder.exists():
        shutil.rmtree(folder.rename(folder.with_name(f"{folder.name}.gone")))
