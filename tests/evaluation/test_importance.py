import copy
import json
import time
from dataclasses import asdict

from fifteen.evaluation.importance import MIN_CONFIGURATIONS, MIN_USES, importances

import numpy as np
import pytest

DIMENSIONS = [
    {"name": "optimizer", "values": ["adam", "adamw", "sgd"]},
    {"name": "units", "values": [256, 512]},
    {"name": "flip", "values": [False, True]},
    {"name": "dropout", "low": 0.2, "high": 0.6, "sampling": "linear"},
    {"name": "peak", "low": 0.0001, "high": 0.01, "sampling": "log"},
    {
        "name": "decay",
        "low": 0.1,
        "high": 0.3,
        "sampling": "linear",
        "when": {"optimizer": ["adamw"]},
    },
]


def draw(dimensions, rng):
    values = {}
    for dimension in dimensions:
        if any(values[p] not in allowed for p, allowed in dimension.get("when", {}).items()):
            continue
        if "values" in dimension:
            values[dimension["name"]] = dimension["values"][rng.integers(len(dimension["values"]))]
        else:
            low, high = np.log([dimension["low"], dimension["high"]])
            values[dimension["name"]] = float(np.exp(rng.uniform(low, high)))
    return values


def search(accuracy, configurations=24, dimensions=DIMENSIONS, seed=0):
    """A search that trains every configuration for 2 epochs and promotes every third one to 10.

    Args:
        accuracy: a function of a configuration's values.
    """
    rng = np.random.default_rng(seed)
    trials = []

    def add(values, epochs, parent):
        trials.append(
            {
                "trial": f"{len(trials):04}",
                "configuration": parent or f"{len(trials):04}",
                "status": "completed",
                "epochs": epochs,
                "promoted_from": parent,
                "hyperparameters": values,
                "val_accuracy": accuracy(values) + 0.02 * epochs + float(rng.normal(0, 0.002)),
            }
        )

    for _ in range(configurations):
        add(draw(dimensions, rng), 2, None)
    for trial in trials[::3]:
        add(trial["hyperparameters"], 10, trial["trial"])
    return {"dimensions": dimensions, "trials": trials}


def by_flip(values):
    return 0.3 + 0.08 * values["flip"]


def by_optimizer(values):
    return {"adam": 0.4, "adamw": 0.3, "sgd": 0.2}[values["optimizer"]]


def nothing(_):
    return 0.3


@pytest.fixture(scope="module")
def flipped():
    """A search that `flip` decides, and its importances; not to be changed."""
    given = search(by_flip)
    return given, importances(given)


@pytest.mark.parametrize(
    ("accuracy", "culprit"),
    [
        (by_flip, "flip"),
        (by_optimizer, "optimizer"),
        (lambda values: 0.3 + 0.05 * np.log10(values["peak"]), "peak"),
    ],
)
def test_the_one_that_decides_is_found_and_the_others_are_noise(accuracy, culprit):
    found = importances(search(accuracy))
    assert found.by_name[culprit].distinguishable
    others = [i.increase for name, i in found.by_name.items() if name != culprit]
    assert found.by_name[culprit].increase > 10 * max(abs(i) for i in others if i is not None)
    assert found.r2 > 0.8
    assert (found.trials, found.configurations) == (32, 24)


def test_the_increase_is_in_percentage_points():
    # Knowing `flip` leaves no error. Half of the configurations have it, so that a shuffle gives
    # half of them the wrong value, which is 8 points off.
    found = importances(search(by_flip, configurations=60))
    assert found.by_name["flip"].increase == pytest.approx(4, abs=0.5)


def test_a_longer_training_is_no_merit(flipped):
    given, expected = flipped
    longer = copy.deepcopy(given)
    for trial in longer["trials"]:
        trial["val_accuracy"] += 0.5 * (trial["epochs"] == 10)
    assert importances(longer) == expected


def test_the_order_of_dimensions_and_trials_changes_nothing(flipped):
    given, found = flipped
    again = importances({key: entries[::-1] for key, entries in given.items()})
    assert found == again
    assert list(found.by_name) == [dimension["name"] for dimension in DIMENSIONS]
    assert list(again.by_name) == [dimension["name"] for dimension in DIMENSIONS[::-1]]


def test_a_promotion_is_not_predicted_from_its_own_earlier_rung():
    # Every configuration has an accuracy of its own that no hyperparameter explains; its two trials
    # share it. A forest that saw one of them would know the other by its dropout.
    rng = np.random.default_rng(3)
    luck = {}

    def accuracy(values):
        return luck.setdefault(values["dropout"], float(rng.normal(0.3, 0.05)))

    given = search(accuracy, configurations=20)
    twice = [dict(trial) for trial in given["trials"][:20]]
    for trial in twice:
        trial |= {"trial": f"1{trial['trial']}", "epochs": 4}
    assert importances(given | {"trials": given["trials"][:20] + twice}).r2 < 0.1
    for trial in twice:
        trial["configuration"] = trial["trial"]  # as if they were others
    assert importances(given | {"trials": given["trials"][:20] + twice}).r2 > 0.3


def test_noise_is_rarely_mistaken_and_never_where_the_forest_predicts_nothing():
    noise = [importances(search(nothing, seed=seed)) for seed in range(3)]
    flagged = [[i.distinguishable for i in found.by_name.values()] for found in noise]
    assert np.mean(flagged) < 0.1
    hopeless = [any(flags) for flags, found in zip(flagged, noise, strict=True) if found.r2 <= 0]
    assert hopeless
    assert not any(hopeless)


def test_equal_accuracies_matter_to_nobody():
    given = search(nothing)
    for trial in given["trials"]:
        trial["val_accuracy"] = 0.25
    found = importances(given)
    assert found.r2 == 0
    for importance in found.by_name.values():
        assert importance.increase in (None, 0)
        assert not importance.distinguishable


def test_a_conditional_one_counts_where_it_is_used():
    def accuracy(values):
        return 0.3 + values.get("decay", 0.2)

    given = search(accuracy, configurations=45)
    users = [
        trial
        for trial in given["trials"]
        if trial["epochs"] == 2 and "decay" in trial["hyperparameters"]
    ]
    decay = importances(given).by_name["decay"]
    assert decay.configurations == len(users) < 45
    assert decay.distinguishable
    # The others have no value to shuffle, whatever a trial happens to name.
    for trial in given["trials"]:
        trial["hyperparameters"].setdefault("decay", 0.3)
    assert importances(given).by_name["decay"] == decay


def test_a_conditional_one_that_is_hardly_used_has_no_importance():
    given = search(by_flip)
    users = [t for t in given["trials"] if "decay" in t["hyperparameters"]]
    spared = {t["configuration"] for t in users[: MIN_USES - 1]}
    for trial in users:
        if trial["configuration"] not in spared:
            trial["hyperparameters"] = trial["hyperparameters"] | {"optimizer": "adam"}
    decay = importances(given).by_name["decay"]
    assert (decay.increase, decay.standard_error, decay.distinguishable) == (None, None, False)
    assert decay.configurations == MIN_USES - 1


def test_too_few_configurations():
    assert importances(search(by_flip, MIN_CONFIGURATIONS)) is not None
    assert importances(search(by_flip, MIN_CONFIGURATIONS - 1)) is None
    assert importances({"dimensions": DIMENSIONS, "trials": []}) is None


def test_failed_trials_and_those_that_nothing_compares_with_are_left_out(flipped):
    given, expected = flipped
    extra = [
        given["trials"][0] | {"trial": "0900", "epochs": 7, "configuration": "0900"},
        given["trials"][0]
        | {"trial": "0901", "configuration": "0901", "status": "failed", "val_accuracy": None},
    ]
    assert importances(given | {"trials": given["trials"] + extra}) == expected


def test_the_result_is_plain_json(flipped):
    found = asdict(flipped[1])
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_it_is_quick():
    more = [{"name": f"noise{n}", "low": 0.1, "high": 1, "sampling": "log"} for n in range(6)]
    given = search(by_flip, dimensions=DIMENSIONS + more)
    began = time.process_time()
    importances(given)
    assert time.process_time() - began < 6
