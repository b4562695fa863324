"""Take over what the first edition measured, once: ablations/, ensembles/ and reports/seeds.json.

Each result keeps its numbers, its commit and its machine. Run from the root of the repository with
src on the path, while the old results are there.
"""

import json
import subprocess
from collections import defaultdict
from pathlib import Path

from fifteen.config import Data, Training
from fifteen.studies.measurements import write_result
from fifteen.studies.plan import training_digest

from ruamel.yaml import YAML

SUMMARY = ("epochs", "best_epoch", "val_accuracy", "val_loss", "last_val_accuracy")
SUMMARY += ("last_val_loss", "train_accuracy")
SHARED = ("seconds", "hardware", "commit", "modified")
OF_MEMBERS = ("members", "member_accuracy", "rules", "sum_of_views", "accuracy_of_last")
OF_MEMBERS += ("disagreement", "error_correlation", "weight_distance")
# The workspace's own models, whose commit reports/seeds.json does not say.
RESULTS_OF = "c6d6f6d"
NOT_RECORDED = {"commit": None, "modified": None}


def load(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def data_of(commit):
    """The section `data` of params.yaml as it was in a commit."""
    command = ("git", "show", f"{commit or RESULTS_OF}:params.yaml")
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Data.model_validate(YAML(typ="safe").load(text)["data"])


def converted(label, old, **more):
    """A result in the new form; what was not recorded is null."""
    data = data_of(old["commit"])
    assert old.get("source", data.source) == data.source
    return {
        "label": label,
        "seed": old["seed"],
        "models": 1,
        "data": data.model_dump(),
        "training": Training.model_validate(old["training"]).model_dump(),
        "adapted": {},
        **{key: old.get(key) for key in SUMMARY},
        "single": None,
        "seconds": old["seconds"],
        "parameters": old.get("parameters"),
        "ensemble": None,
        "test": None,
        **{key: old[key] for key in ("hardware", "commit", "modified")},
        "fingerprint": "first edition",
        "run_ids": None,
        **more,
    }


def of_ablations():
    for path in sorted(Path("ablations/results").glob("*.json")):
        old = load(path)
        yield converted(old["rung"], old, run_ids=[old["run_id"]])


def of_designs():
    for path in sorted(Path("ensembles/results").glob("*.json")):
        old = load(path)
        single = old["single"]
        yield converted(
            old["design"],
            old,
            models=old["models"],
            epochs=old["training"]["epochs"],
            val_accuracy=single["accuracy"],
            single=single,
            ensemble={key: old.get(key) for key in OF_MEMBERS},
            run_ids=old["run_ids"],
        )


def of_seeds():
    """The sum of snapshots is of the same training as the single model: it is in its result."""
    models = load("reports/seeds.json")
    sums = {old["seed"]: old for old in models["swift_sum"]}
    for name in ("swift", "swift_small"):
        for old in models[name]:
            old = NOT_RECORDED | old
            test = {"accuracy": old["test_accuracy"], "tta_accuracy": old["test_tta_accuracy"]}
            result = converted(
                name,
                old | {"seconds": old["train_seconds"]},
                epochs=old["training"]["epochs"],
                val_accuracy=old["validation_accuracy"],
                last_val_accuracy=old["last_validation_accuracy"],
                test=test | {"right": None, "rules": {}},
            )
            if name == "swift":
                of_sum = NOT_RECORDED | sums[old["seed"]]
                assert of_sum["training"] == old["training"]
                assert of_sum["train_seconds"] == old["train_seconds"]
                members = of_sum["parameters"] // old["parameters"]
                scores = {"accuracy": of_sum["validation_accuracy"], "nll": None, "right": None}
                result["ensemble"] = dict.fromkeys(OF_MEMBERS) | {
                    "members": members,
                    "rules": {"sum": scores},
                    "commit": of_sum["commit"],
                    "modified": of_sum["modified"],
                }
                result["test"]["rules"]["sum"] = {
                    "accuracy": of_sum["test_accuracy"],
                    "tta_accuracy": of_sum["test_tta_accuracy"],
                    "right": None,
                }
            yield result


def main():
    results = defaultdict(list)
    for result in (*of_ablations(), *of_designs(), *of_seeds()):
        data = Data.model_validate(result["data"])
        training = Training.model_validate(result["training"])
        results[training_digest(data, training, result["models"]), result["seed"]].append(result)
    parameters = {
        json.dumps(result["training"]["network"]): result["parameters"]
        for same in results.values()
        for result in same
        if result["parameters"]
    }
    for first, *others in results.values():
        for other in others:  # trained twice, for a row of each pipeline: the same numbers
            assert all(first[key] == other[key] for key in (*SUMMARY, "parameters"))
            print(f"{other['label']}, seed {other['seed']}: the same as {first['label']}")
        if (
            first["parameters"] is None
        ):  # designs did not record them; others of the same network did
            first["parameters"] = parameters[json.dumps(first["training"]["network"])]
        write_result(first)
    print(f"{len(results)} results")


if __name__ == "__main__":
    main()
