from fifteen.reporting.seeds import seeds_markdown, trained

import pytest

HARDWARE = {"device": "2 cores of a CPU", "precision": "float32"}


def one(seed, test=0.75, **changes):
    return {
        "seed": seed,
        "training": {"epochs": 2},
        "method": None,
        "parameters": 5,
        "validation_accuracy": 0.74,
        "test_accuracy": test,
        "test_tta_accuracy": 0.77,
        "train_seconds": 100.0,
        "hardware": HARDWARE,
    } | changes


def cells(models, row=2):
    line = seeds_markdown(models).splitlines()[row]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_means_and_deviations_by_hand():
    seeds = [one(42, 0.76), one(1, 0.77, train_seconds=130.0), one(2, 0.78)]
    # 76, 77, 78: mean 77, sample variance (1 + 0 + 1) / 2.
    assert cells({"swift": seeds}) == [
        "swift",
        "42, 1, 2",
        "74.00 ± 0.00",
        "77.00 ± 1.00",
        "77.00 ± 0.00",
        "110",
    ]


def test_an_ensemble_is_set_against_its_single_model_seed_by_seed():
    swift = [one(1, 0.76), one(2, 0.77), one(3, 0.78)]
    summed = [one(seed, test, method="sum") for seed, test in ((2, 0.771), (3, 0.783), (4, 0.9))]
    other = [one(seed, 0.5, training={"epochs": 3}) for seed in (2, 3)]
    # Differences of 0.1 and 0.3: mean 0.2, deviation √0.02, over √2 0.1, times t(1) of 12.706.
    assert seeds_markdown({"swift": swift, "both": summed, "other": other}).endswith(
        "\n\nboth is on the test images not distinguishable from swift (difference +0.20 pp, 95 % "
        "interval −1.07 to +1.47); the interval is Student's t over the 2 seeds.\n"
    )
    surely = [one(seed, 0.9 + seed / 100, method="sum") for seed in (1, 2, 3)]
    assert "both is on the test images better than swift by 15.00 pp" in seeds_markdown(
        {"swift": swift, "both": surely}
    )


def test_one_seed_has_no_deviation():
    assert cells({"swift": [one(42)]})[2:5] == ["74.00", "75.00", "77.00"]


def test_without_several_views():
    assert cells({"swift": [one(42), one(1, test_tta_accuracy=None)]})[4] == "–"


def test_seconds_of_different_machines_are_not_mixed():
    other = HARDWARE | {"device": "a GPU"}
    models = {
        "a": [one(42), one(1, hardware=other, train_seconds=10.0), one(2, train_seconds=130.0)],
        "b": [one(42, hardware=other, train_seconds=20.0)],
    }
    assert cells(models, 0)[5:] == ["train s: 2 cores of a CPU, float32", "train s: a GPU, float32"]
    assert cells(models, 2)[5:] == ["115", "10"]
    assert cells(models, 3)[5:] == ["–", "20"]
    assert [cells(models, row)[0] for row in (2, 3)] == ["a", "b"]
    note = "Means over the seeds ± the standard deviation between them."
    assert seeds_markdown(models).splitlines()[-1] == note


@pytest.mark.parametrize("views", [{}, {"test_tta": {"accuracy": 0.8}}])
def test_what_is_taken_of_the_metrics(views):
    expected = 0.8 if views else None
    metrics = {
        "seed": 1,
        "validation": {"accuracy": 0.7, "loss": 1.0},
        "test": {"accuracy": 0.72},
        "train_seconds": 9.0,
        "hardware": HARDWARE,
        "network": "swift",
        "hyperparameters": {"epochs": 2},
        "parameters": 5,
    }
    assert trained(metrics | views, metrics) == one(
        1, 0.72, validation_accuracy=0.7, test_tta_accuracy=expected, train_seconds=9.0
    )


def test_an_ensemble_has_the_seed_and_the_training_of_its_variant():
    metrics = {
        "method": "sum",
        "validation": {"accuracy": 0.75},
        "test": {"accuracy": 0.72},
        "train_seconds": 9.0,
        "hardware": HARDWARE,
        "parameters": 25,
    }
    variant = {"seed": 1, "hyperparameters": {"epochs": 2}, "parameters": 5, "train_seconds": 8.0}
    found = trained(metrics, variant)
    assert (found["seed"], found["training"], found["method"]) == (1, {"epochs": 2}, "sum")
    assert (found["parameters"], found["train_seconds"]) == (25, 9.0)
    chosen = metrics | {"chosen_from": {"sum": 0.75, "vote": 0.7}}
    assert trained(chosen, variant)["method"] == "best"  # another seed may choose another one
    assert (found["validation_accuracy"], found["test_tta_accuracy"]) == (0.75, None)
