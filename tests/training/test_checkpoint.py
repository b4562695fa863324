from fifteen.training import checkpoint
from fifteen.training.checkpoint import load_variables, restore_state, save_state, save_variables
from fifteen.training.history import Epoch

import keras
import numpy as np
import pytest

HISTORY = [Epoch(1, 1.0, 2.0, 0.1, 1.9, 0.1 + 0.2), Epoch(2, 1.0, 1.5, 0.25, 1.75, 1 / 3)]
INPUTS = np.random.default_rng(0).random((8, 4), np.float32)
LABELS = np.arange(8) % 3


def build(seed=0, hidden=6):
    """A compiled network with batch statistics and the state of a random generator."""
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(hidden),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    network.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    network.optimizer.build(network.trainable_variables)
    return network


def state(network):
    """What a training keeps: weights, batch statistics, random state and the optimizer's own."""
    return [*network.variables, *network.optimizer.variables]


def step(network, times=1):
    return [float(network.train_on_batch(INPUTS, LABELS)) for _ in range(times)]


def values(variables):
    return [np.array(variable) for variable in variables]


def test_variables_round_trip(tmp_path):
    one, two = build(1), build(2)
    step(one, 3)
    save_variables(tmp_path / "x.npz", one.weights)
    load_variables(tmp_path / "x.npz", two.weights)
    for actual, expected in zip(two.get_weights(), one.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
        assert actual.dtype == expected.dtype


def test_a_restored_training_goes_on_as_if_nothing_had_happened(tmp_path):
    one = build(1)
    step(one, 3)
    save_state(tmp_path / "state.npz", state(one), HISTORY)

    two = build(2)
    step(two, 1)  # whatever it did before is forgotten
    assert restore_state(tmp_path / "state.npz", state(two)) == HISTORY
    assert int(two.optimizer.iterations) == 3
    # Dropout masks, moments and batch statistics: one of them off and the losses differ.
    assert step(two, 4) == step(one, 4)
    for actual, expected in zip(values(state(two)), values(state(one)), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_a_network_that_was_never_trained_can_be_restored(tmp_path):
    one, two = build(1), build(2)
    step(one, 2)
    save_state(tmp_path / "state.npz", state(one), HISTORY)
    assert restore_state(tmp_path / "state.npz", state(two)) == HISTORY
    assert step(two, 2) == step(one, 2)


def test_saving_does_not_disturb_the_training(tmp_path):
    one, two = build(1), build(1)
    step(one), step(two)
    save_state(tmp_path / "state.npz", state(one), HISTORY)
    assert step(one, 3) == step(two, 3)


def test_no_file_is_no_history(tmp_path):
    network = build(1)
    before = network.get_weights()
    assert restore_state(tmp_path / "state.npz", state(network)) == []
    for actual, expected in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("history", [[], HISTORY[:1], HISTORY])
def test_the_history_comes_back_to_the_last_bit(tmp_path, history):
    save_state(tmp_path / "state.npz", state(build()), history)
    actual = restore_state(tmp_path / "state.npz", state(build()))
    assert actual == history
    assert all(isinstance(row, Epoch) for row in actual)


def test_another_network_s_variables_are_refused(tmp_path):
    save_variables(tmp_path / "x.npz", build(hidden=6).weights)
    with pytest.raises(ValueError, match="shape"):
        load_variables(tmp_path / "x.npz", build(hidden=5).weights)
    with pytest.raises(ValueError, match="8 variables, not 7"):
        load_variables(tmp_path / "x.npz", build(hidden=6).weights[:-1])


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_failing_write_leaves_the_old_file_alone(tmp_path, monkeypatch, error):
    path, network = tmp_path / "state.npz", build(1)
    save_state(path, state(network), HISTORY[:1])
    old = path.read_bytes()

    def half(file, **arrays):
        file.write(b"PK half of it")
        raise error("disk full")

    monkeypatch.setattr(checkpoint.np, "savez", half)
    with pytest.raises(error):
        save_state(path, state(network), HISTORY)
    assert path.read_bytes() == old
    assert [file.name for file in tmp_path.iterdir()] == ["state.npz"]


def test_variables_of_any_kind_are_kept(tmp_path):
    def make(*values):
        return [keras.Variable(np.array(v), dtype=np.array(v).dtype.name) for v in values]

    save_state(tmp_path / "state.npz", make(True, 2**40, [0.1, 0.2]), HISTORY)
    actual = make(False, 0, [0.0, 0.0])
    assert restore_state(tmp_path / "state.npz", actual) == HISTORY
    assert [np.asarray(v).tolist() for v in actual] == [True, 2**40, [0.1, 0.2]]
