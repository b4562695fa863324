"""Stage `ensemble`: combine the snapshots of one training into one model.

Usage: python src/ensemble.py NAME
"""

from pathlib import Path

from fifteen.common.command import name_argument
from fifteen.common.errors import UserError, run_stage
from fifteen.common.files import md5, new_folder, read_json, write_json
from fifteen.data.arrays import IMAGE_SHAPE, Part, read_classes, read_part
from fifteen.ensembling.combined_model import average_weights, build_ensemble, predictor
from fifteen.ensembling.member_weights import FITS, by_every_rule, cross_validated
from fifteen.ensembling.rules import tie_rate
from fifteen.ensembling.weight_distance import weight_distances
from fifteen.evaluation.confusion import confusion_image, confusion_matrix
from fifteen.inference import hardware
from fifteen.inference.temperature import fit_temperature
from fifteen.params.reading import load_params
from fifteen.tracking import runs
from fifteen.training.work import at_work, resume_key, work_folder

import keras
import numpy as np

DATA, MODELS = Path("data/trainval"), Path("models")


def combine(
    networks: list[keras.Model], rule: str, members: np.ndarray, labels: np.ndarray
) -> tuple[keras.Model, dict[str, list[float]]]:
    """The ensemble as one model, and the `weights` of its members if the rule has any.

    `members` are the probabilities that the `networks` give for the validation images, (N, M, C).
    """
    if rule == "average":
        return average_weights(networks, read_part(DATA, "train").images), {}
    if rule in FITS:
        weights = FITS[rule](members, labels).tolist()
        return build_ensemble(networks, rule, weights), {"weights": weights}
    return build_ensemble(networks, rule), {}


def judge_rules(
    networks: list[keras.Model], members: np.ndarray, validation: Part
) -> dict[str, float]:
    """The validation accuracy of every rule; fitted rules are cross-validated."""
    by_rule = by_every_rule(members, validation.labels)
    averaged, _ = combine(networks, "average", members, validation.labels)
    by_rule["average"] = predictor(averaged)(validation.images)["probabilities"]
    return {
        rule: float(np.mean(shares.argmax(axis=-1) == validation.labels))
        for rule, shares in by_rule.items()
    }


def main() -> None:
    """Build the ensemble named on the command line and evaluate it on the validation images."""
    name = name_argument(__doc__, "a key of `ensembles` in params.yaml")
    hardware.share_gpus()
    config = load_params().ensemble(name)
    classes, validation = read_classes(DATA), read_part(DATA, "validation")
    variant = MODELS / config.variant
    taken = read_json(variant / "snapshots" / "taken.json")
    snapshots = [variant / "snapshots" / f"snapshot_{number}.keras" for number in taken]
    if len(snapshots) < 2:
        raise UserError(
            f"{variant} holds {len(snapshots)} snapshots, too few for {name}; "
            f"raise the patience or the epochs of {config.variant} in params.yaml"
        )

    networks = [keras.models.load_model(path) for path in snapshots]
    answers = [predictor(network)(validation.images)["probabilities"] for network in networks]
    members = np.stack(answers, axis=1)
    chosen_from: dict[str, float] = {}
    rule: str = config.method
    if rule == "best":
        chosen_from = judge_rules(networks, members, validation)
        rule = max(chosen_from, key=chosen_from.__getitem__)  # the first one of a tie
    ensemble, weights = combine(networks, rule, members, validation.labels)
    if rule in FITS:
        combined = cross_validated(FITS[rule], members, validation.labels)
    else:
        combined = predictor(ensemble)(validation.images)["probabilities"]
    predicted = combined.argmax(axis=-1)
    right = members.argmax(axis=-1) == validation.labels[:, None]
    trained, checksums = read_json(variant / "result.json"), read_json(DATA / "checksums.json")
    digests = [md5(path) for path in snapshots]
    decides = {"ensemble": config.model_dump(), "members": digests, "data": checksums}
    work = work_folder(name, decides, code="ensemble")  # holds the resume key alone
    with (
        at_work(work),
        runs.resumable_run(classes.source, name, f"ensemble@{name}", resume_key(work)) as run,
        new_folder(MODELS / name) as folder,
    ):
        result = {
            "name": name,
            "kind": "ensemble",
            "method": rule,
            **({"chosen_from": chosen_from} if chosen_from else {}),
            "variant": config.variant,
            "members": len(snapshots),
            **weights,
            "weight_distances": weight_distances(networks).tolist(),
            **{key: trained[key] for key in ("network", "epochs", "images_seen")},
            "parameters": ensemble.count_params(),
            **{key: trained[key] for key in ("train_seconds", "hardware")},
            "validation": {"accuracy": float(np.mean(predicted == validation.labels))},
            "temperature": fit_temperature(combined, validation.labels),
            "member_validation_accuracy": right.mean(axis=0).tolist(),
            "run_id": run.id,
        }
        ensemble.save(folder / "model.keras")
        write_json(folder / "result.json", result)

        run.log_params(
            config.model_dump()
            | {"members": len(snapshots), "network": {"name": trained["network"]}}
            | {"epochs": trained["epochs"], "precision": trained["hardware"]["precision"]}
        )
        run.log_data(classes.source, checksums)
        run.set_metrics(
            {
                "val/best_accuracy": result["validation"]["accuracy"],
                "val/tie_rate": tie_rate(members),
                "train/seconds": trained["train_seconds"],
                **{f"val/accuracy_of_{one}": share for one, share in chosen_from.items()},
            }
        )
        accuracies = enumerate(result["member_validation_accuracy"], start=1)
        run.set_series({"val/member_accuracy": list(accuracies)})
        matrix = confusion_matrix(validation.labels, predicted, len(classes.names))
        run.log_image(confusion_image(matrix), "confusion_matrix_validation")
        run.log_file(folder / "result.json")
        run.log_model(ensemble, IMAGE_SHAPE, classes.names, result["temperature"])
    print(f"{name}: validation accuracy {result['validation']['accuracy']:.2%}")


if __name__ == "__main__":
    run_stage(main)
