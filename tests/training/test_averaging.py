from dataclasses import replace

from fifteen.data.arrays import Part
from fifteen.params.sections import EMA, Lookahead, Training
from fifteen.training.averaging import WeightAveraging
from fifteen.training.checkpoint import load_variables
from fifteen.training.fit import STATE, best_file, snapshot_file, train
from fifteen.training.history import best_epoch

import keras
import numpy as np
import pytest

RATE, MOMENTUM = 0.5, 0.75
X = np.random.default_rng(0).normal(1.0, 2.0, (5, 4, 1)).astype(np.float32)  # 5 batches of 4
LOOKAHEAD = Lookahead(name="lookahead", every=3, decay=0.9, power=2.0)
AVERAGE = EMA(name="ema", every=3, decay=0.9)


def one_weight():
    """A network of one weight, the gradient of whose mean output is the mean of the inputs.

    A batch normalisation stands beside it, whose outputs have the mean 0 in any case.
    """
    inputs = keras.Input((1,))
    line = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="line")(inputs)
    beside = keras.layers.BatchNormalization(momentum=MOMENTUM, center=False, scale=False)(inputs)
    network = keras.Model(inputs, keras.layers.Add()([line, beside]))
    network.compile(keras.optimizers.SGD(RATE), lambda _, y: keras.ops.mean(y, axis=-1))
    return network


def step_by_hand(values, batch):
    """The weight, the moving mean and the moving variance after a step."""
    weight, mean, variance = values
    return np.array(
        [
            weight - RATE * batch.mean(),
            MOMENTUM * mean + (1 - MOMENTUM) * batch.mean(),
            MOMENTUM * variance + (1 - MOMENTUM) * batch.var(),
        ]
    )


def by_hand(config, epochs=2):
    """What the network holds after each step, and what is judged after each epoch."""
    total = epochs * len(X)
    fast, slow = np.array([1.0, 0.0, 1.0]), np.array([1.0, 0.0, 1.0])
    steps, judged = [], []
    for t in range(1, total + 1):
        fast = step_by_hand(fast, X[(t - 1) % len(X)].astype(np.float64))
        if config.name == "lookahead" and t == total:
            fast = slow
        elif t % 3 == 0:
            decay = 0.9**3 * ((t / total) ** 2 if config.name == "lookahead" else 1)
            slow = decay * slow + (1 - decay) * fast
            if config.name == "lookahead":
                fast = slow
        # At the end `ema` leaves the average in the network.
        steps.append(slow if config.name == "ema" and t == total else fast)
        if t % len(X) == 0:
            judged.append(slow if config.name == "ema" else fast)
    return np.array(steps), np.array(judged)


class Watch(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.steps, self.epochs = [], []

    def values(self):
        return np.concatenate([np.ravel(w) for w in self.model.get_weights()])

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.values())

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(self.values())


@pytest.mark.parametrize("config", [LOOKAHEAD, AVERAGE], ids=lambda config: config.name)
def test_every_step_by_hand(config):
    network, watch = one_weight(), Watch()
    averages = WeightAveraging(config, network, 10)
    network.fit(
        X.reshape(-1, 1),
        np.zeros(20),
        batch_size=4,
        epochs=2,
        shuffle=False,
        validation_data=(X[0], np.zeros(4)),
        callbacks=[averages, watch],
        verbose=0,
    )
    steps, judged = by_hand(config)
    np.testing.assert_allclose(watch.steps, steps, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(watch.epochs, judged, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(watch.values(), judged[-1], rtol=1e-4, atol=1e-5)


def test_lookahead_ends_with_the_slow_weights():
    steps, _ = by_hand(LOOKAHEAD)
    np.testing.assert_array_equal(steps[-1], steps[8])  # step 9, the last average
    network, watch = one_weight(), Watch()
    network.fit(
        X.reshape(-1, 1),
        np.zeros(20),
        batch_size=4,
        epochs=2,
        shuffle=False,
        callbacks=[WeightAveraging(LOOKAHEAD, network, 10), watch],
        verbose=0,
    )
    np.testing.assert_array_equal(watch.steps[9], watch.steps[8])


@pytest.mark.parametrize("config", [LOOKAHEAD, AVERAGE], ids=lambda config: config.name)
def test_it_begins_with_the_first_weights(config):
    network = one_weight()
    averages = WeightAveraging(config, network, 10)
    assert len(averages.variables) == 4
    values = [np.asarray(v).ravel() for v in averages.variables]
    assert [float(v[0]) for v in values] == [1, 0, 1, 0]
    network.layers[1].kernel.assign([[7.0]])
    assert float(np.asarray(averages.slow[0])[0, 0]) == 1  # a variable of its own


def test_decay_0_is_no_average():
    network, watch = one_weight(), Watch()
    config = EMA(name="ema", every=1, decay=0.0)
    network.fit(
        X.reshape(-1, 1),
        np.zeros(20),
        batch_size=4,
        shuffle=False,
        validation_data=(X[0], np.zeros(4)),
        callbacks=[WeightAveraging(config, network, 5), watch],
        verbose=0,
    )
    np.testing.assert_array_equal(watch.epochs[0], watch.steps[-1])


# Through `train`

IMAGES, BATCH, STEPS, EPOCHS = 37, 8, 5, 3
RATES = np.linspace(0.03, 0.005, EPOCHS * STEPS).astype(np.float32)
CONFIGS = {
    "lookahead": {"averaging": {"name": "lookahead", "every": 3, "decay": 0.9}},
    "ema": {"averaging": {"name": "ema", "every": 3, "decay": 0.8}},
}


def make_part(images, seed):
    """Three classes that differ in brightness, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, images, dtype=np.int32)
    noise = rng.integers(0, 150, (images, 8, 8, 3))
    return Part((noise + 50 * labels[:, None, None, None]).astype(np.uint8), labels)


TRAIN, VALIDATION = make_part(IMAGES, 1), make_part(20, 2)


def build(seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.AveragePooling2D(4),
            keras.layers.Flatten(),
            keras.layers.BatchNormalization(momentum=0.8),
            keras.layers.Dropout(0.25),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )


def run(work, name, publish=lambda history: None, seed=0, callbacks=(), **changes):
    network = build(seed)
    config = Training(
        network="baseline", batch_size=BATCH, epochs=EPOCHS, **CONFIGS[name] | changes
    )
    history = train(
        network, config, RATES, TRAIN, VALIDATION, 7, work, publish, callbacks, verbose=0
    )
    return network, [replace(row, seconds=0.0) for row in history]


def arrays(path):
    with np.load(path) as saved:
        return [saved[name] for name in saved.files if name != "history"]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module", params=CONFIGS)
def undisturbed(request, tmp_path_factory):
    work = tmp_path_factory.mktemp(request.param)
    return request.param, work, *run(work, request.param)


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_resumed_training_ends_as_an_undisturbed_one(undisturbed, tmp_path, after):
    name, whole, expected_network, expected_history = undisturbed

    def publish(history):
        if len(history) == after:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, name, publish)
    network, history = run(tmp_path, name, seed=99)
    assert history == expected_history
    files = {best_file(best_epoch(history, "val_accuracy")), STATE}
    assert {path.name for path in tmp_path.iterdir()} == files
    for file in files:
        for actual, expected in zip(arrays(tmp_path / file), arrays(whole / file), strict=True):
            np.testing.assert_array_equal(actual, expected)
    for actual, expected in zip(network.get_weights(), expected_network.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_what_is_judged_is_what_is_saved(undisturbed):
    _, work, _, history = undisturbed
    best = history[best_epoch(history, "val_accuracy") - 1]
    network = build(5)
    load_variables(work / best_file(best.epoch), network.weights)
    probabilities = network.predict(VALIDATION.images, verbose=0)
    right = probabilities[np.arange(20), VALIDATION.labels]
    assert best.val_loss == pytest.approx(-np.log(right).mean(), rel=1e-4)
    accuracy = np.mean(probabilities.argmax(1) == VALIDATION.labels)
    assert best.val_accuracy == pytest.approx(accuracy)


def test_the_average_leaves_the_training_as_it_is(tmp_path):
    """The weights after each step are those without it, and only what is judged is another."""

    class Steps(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.actual = []

        def on_train_batch_end(self, batch, logs=None):
            self.actual.append(np.concatenate([np.ravel(w) for w in self.model.get_weights()]))

    with_it, without = Steps(), Steps()
    # A snapshot after each step, so that both stop after each.
    _, averaged = run(tmp_path / "with", "ema", callbacks=[with_it], snapshots=15)
    _, plain = run(tmp_path / "without", "ema", callbacks=[without], snapshots=15, averaging=None)
    np.testing.assert_array_equal(with_it.actual[:-1], without.actual[:-1])
    assert (with_it.actual[-1] != without.actual[-1]).any()  # the end: the average
    assert [row.train_loss for row in averaged] == [row.train_loss for row in plain]
    assert all(a.val_loss != b.val_loss for a, b in zip(averaged, plain, strict=True))


def test_a_snapshot_at_the_end_is_the_model_of_the_end(undisturbed, tmp_path):
    """The last snapshot is what is judged after the last epoch, the average under `ema` too."""
    name, _, network, _ = undisturbed
    run(tmp_path, name, snapshots=1)
    saved = arrays(tmp_path / snapshot_file(1))
    for actual, expected in zip(saved, network.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize(("name", "decay"), [("lookahead", 0.9**3 * 0.2**3), ("ema", 0.8**3)])
def test_snapshots_of_averaged_and_of_raw_weights(tmp_path, name, decay):
    """After step 3 of 15 the average of the first weights and of those of step 3 is made."""
    for kind in ("raw", "averaged"):
        run(tmp_path / kind, name, snapshot_weights=kind, snapshots=[0.2])
    raw, averaged = (arrays(tmp_path / kind / snapshot_file(1)) for kind in ("raw", "averaged"))
    for first, fast, slow in zip(build().get_weights(), raw, averaged, strict=True):
        np.testing.assert_allclose(slow, decay * first + (1 - decay) * fast, rtol=1e-5, atol=1e-6)
