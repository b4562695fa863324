from fifteen.params.sections import Training
from fifteen.tuning.leave_one_out import taken_back

import pytest

BASELINE = Training.model_validate(
    {"network": "baseline", "optimizer": "adam", "schedule": {"name": "constant", "rate": 0.001}}
)
WINNER = {
    "network": {"name": "convnet", "filters_2": 96, "dense_activation": "leaky_relu"},
    "optimizer": "sgd",
    "schedule": {"name": "cosine", "peak": 0.003},
    "augmentation": {"flip": True, "crop": 2},
    "epochs": 10,
}


def test_one_thing_at_a_time():
    winner = Training.model_validate(WINNER)
    found = taken_back(winner, BASELINE, set())
    assert list(found) == [
        "network.filters_2",
        "network.dense_activation",
        "optimizer",
        "schedule",
        "augmentation",
    ]
    training, ours, theirs = found["network.filters_2"]
    assert (ours, theirs) == (96, 64)
    assert training.network == winner.network.model_copy(update={"filters_2": 64})
    assert training.model_copy(update={"network": winner.network}) == winner
    training, ours, theirs = found["augmentation"]
    assert (ours, theirs) == (winner.augmentation, BASELINE.augmentation)
    assert training.model_copy(update={"augmentation": winner.augmentation}) == winner
    assert all(training.epochs == 10 for training, _, _ in found.values())


def test_what_depends_on_another_hyperparameter_goes_along_with_it():
    network = {"network": WINNER["network"] | {"dense_slope": 0.3}}
    winner = Training.model_validate(WINNER | network)
    assert "network.dense_slope" in taken_back(winner, BASELINE, set())
    assert "network.dense_slope" not in taken_back(winner, BASELINE, {("network", "dense_slope")})


@pytest.mark.parametrize("network", ["baseline", "convnet"])
def test_nothing_differs(network):
    same = BASELINE.model_dump() | {"network": network}
    assert taken_back(Training.model_validate(same), BASELINE, set()) == {}
