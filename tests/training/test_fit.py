from dataclasses import replace

from fifteen.common.errors import UserError
from fifteen.data.arrays import Part
from fifteen.networks.build import build_network
from fifteen.params.sections import EMA, Lookahead, Training
from fifteen.training import fit
from fifteen.training.checkpoint import load_variables
from fifteen.training.fit import STATE, best_file, snapshot_file, train
from fifteen.training.history import best_epoch

import keras
import numpy as np
import pytest

IMAGES, BATCH = 37, 8  # four full batches and one of 5
STEPS = 5


def make_part(images, seed):
    """Three classes that differ in brightness, and noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, images, dtype=np.int32)
    noise = rng.integers(0, 150, (images, 32, 32, 3))
    return Part((noise + 50 * labels[:, None, None, None]).astype(np.uint8), labels)


TRAIN, VALIDATION = make_part(IMAGES, 1), make_part(20, 2)


def build(seed=0, normalised=True):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.Input((32, 32, 3)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.AveragePooling2D(8),
        keras.layers.Flatten(),
        keras.layers.Dense(12, activation="relu"),
        keras.layers.Dropout(0.5),
        keras.layers.Dense(3, activation="softmax"),
    ]
    if normalised:
        layers.insert(5, keras.layers.BatchNormalization())
    return keras.Sequential(layers)


def run(
    work, epochs=4, rates=None, publish=lambda history: None, network=None, callbacks=(), **config
):
    """Train a small network; returns it and its history."""
    network = network or build()
    config = Training(network="baseline", batch_size=BATCH, epochs=epochs, **config)
    rates = np.full(epochs * STEPS, 0.01, np.float32) if rates is None else rates
    history = train(network, config, rates, TRAIN, VALIDATION, 7, work, publish, callbacks)
    return network, history


def timeless(history):
    return [replace(row, seconds=0.0) for row in history]


def arrays(path):
    with np.load(path) as saved:
        return {name: saved[name] for name in saved.files if name != "history"}


def same(one, two):
    """Whether two networks, or two saved files, have equal weights to the last bit."""
    one, two = (
        list(arrays(x).values()) if not isinstance(x, keras.Model) else x.get_weights()
        for x in (one, two)
    )
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    work = tmp_path_factory.mktemp("uninterrupted")
    return work, *run(work, snapshots=3)


def kill_in_publish(monkeypatch, after):
    def publish(history):
        if len(history) == after:
            raise Killed

    return publish


def kill_before_the_state(monkeypatch, after):
    original = fit.save_state

    def save_state(path, variables, history):
        if len(history) == after:
            raise Killed
        original(path, variables, history)

    monkeypatch.setattr(fit, "save_state", save_state)
    return lambda history: None


def kill_within_an_epoch(monkeypatch, after):
    original = fit.SaveSnapshots.on_train_batch_end

    def on_train_batch_end(self, batch, logs=None):
        original(self, batch, logs)
        if int(self.model.optimizer.iterations) == after * STEPS + 3:
            raise Killed

    monkeypatch.setattr(fit.SaveSnapshots, "on_train_batch_end", on_train_batch_end)
    return lambda history: None


@pytest.mark.parametrize(
    ("kill", "after", "kept"),
    [
        (kill_in_publish, 1, 1),
        (kill_in_publish, 2, 2),
        (kill_in_publish, 4, 4),
        (kill_before_the_state, 1, 0),
        (kill_before_the_state, 3, 2),
        (kill_within_an_epoch, 0, 0),
        (kill_within_an_epoch, 2, 2),
    ],
)
def test_a_resumed_training_ends_as_an_uninterrupted_one(
    uninterrupted, tmp_path, kill, after, kept
):
    whole, expected_network, expected_history = uninterrupted
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        run(tmp_path, snapshots=3, publish=kill(patch, after))

    published = []
    network, history = run(
        tmp_path,
        snapshots=3,
        # Once there is a state, the weights of a new network must not matter.
        network=build(seed=99 if kept else 0),
        publish=lambda history: published.append(len(history)),
    )
    assert published == list(range(max(kept, 1), 5))
    assert timeless(history) == timeless(expected_history)
    assert same(network, expected_network)
    best = best_file(best_epoch(history, "val_accuracy"))
    files = {best, STATE, *map(snapshot_file, (1, 2, 3))}
    assert {path.name for path in tmp_path.iterdir()} == files  # no beaten epoch is left
    for name in files:
        assert same(tmp_path / name, whole / name), name


def test_history(uninterrupted):
    _, network, history = uninterrupted
    assert [row.epoch for row in history] == [1, 2, 3, 4]
    assert all(row.seconds > 0 for row in history)
    assert history[-1].train_loss < history[0].train_loss
    # Compiled anew, so that validation is measured by other code than that of the training.
    network.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = network.evaluate(VALIDATION.images, VALIDATION.labels, verbose=0)
    assert history[-1].val_loss == pytest.approx(loss, rel=1e-5)
    assert history[-1].val_accuracy == pytest.approx(accuracy)


def test_the_best_epoch_is_kept(uninterrupted):
    whole, _, history = uninterrupted
    best = history[best_epoch(history, "val_accuracy") - 1]
    network = build(seed=5)
    load_variables(whole / best_file(best.epoch), network.weights)
    actual = network.predict(VALIDATION.images, verbose=0).argmax(axis=1)
    assert np.mean(actual == VALIDATION.labels) == pytest.approx(best.val_accuracy)


def test_the_best_epoch_is_the_first_of_equals(tmp_path):
    rates = np.zeros(3 * STEPS, np.float32)
    rates[:STEPS] = 0.01
    kept = []

    def publish(history):
        kept.extend(path.name for path in tmp_path.glob(best_file("*")))

    _, history = run(tmp_path, 3, rates, publish, build(normalised=False), monitor="val_loss")
    assert len({row.val_loss for row in history}) == 1
    assert kept == [best_file(1)] * 3


def test_early_stopping(tmp_path):
    rates = np.zeros(10 * STEPS, np.float32)
    options = {"monitor": "val_loss", "patience": 2, "snapshots": 2}
    _, history = run(tmp_path, 10, rates, network=build(normalised=False), **options)
    assert len(history) == 3  # nothing is learned: the first epoch is the best
    assert not (tmp_path / snapshot_file(1)).exists()

    # Killed after it stopped, it does not go on.
    published = []
    _, again = run(
        tmp_path, 10, rates, lambda h: published.append(len(h)), build(normalised=False), **options
    )
    assert again == history
    assert published == [3]


@pytest.mark.parametrize(("number", "step"), [(1, 6), (2, 13), (3, 20)])
def test_a_snapshot_has_the_weights_after_its_step(tmp_path, number, step):
    # 20 steps in 4 epochs. With a rate of 0 from `step` on, the last weights are those after it.
    finals = []
    for stop in (step, step - 1):
        rates = np.full(4 * STEPS, 0.01, np.float32)
        rates[stop:] = 0
        work = tmp_path / str(stop)
        network, _ = run(work, 4, rates, network=build(normalised=False), snapshots=3)
        finals.append(network)
        assert same(work / snapshot_file(number), network)
    assert not same(*finals)
    assert not (tmp_path / str(step) / snapshot_file(4)).exists()


def test_no_rate_no_change(tmp_path):
    start = build(normalised=False)
    count = keras.callbacks.LambdaCallback(
        on_train_end=lambda _: taken.append(int(count.model.optimizer.iterations))
    )
    taken, rates = [], np.zeros(STEPS, np.float32)
    network, _ = run(tmp_path, 1, rates, network=build(normalised=False), callbacks=[count])
    assert same(network, start)
    assert taken == [STEPS]


def test_a_loss_that_is_not_finite(tmp_path):
    rates = np.full(3 * STEPS, 0.01, np.float32)
    rates[STEPS:] = 1e30
    published = []
    with pytest.raises(UserError, match=r"nan .* epoch 2.*learning rate"):
        run(tmp_path, 3, rates, lambda h: published.append(len(h)), optimizer="sgd")
    assert published == [1]
    for values in arrays(tmp_path / STATE).values():
        assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("snapshots", "count"), [(6, 6), (100, 100), ([0.45, 0.5], 2), ([0.05, 1.0], 2)]
)
def test_more_snapshots_than_steps(tmp_path, snapshots, count):
    with pytest.raises(UserError, match=f"5 steps .* {count} |{count} shares"):
        run(tmp_path / "work", 1, snapshots=snapshots)
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize(
    ("steps", "snapshots_at", "averaging", "expected"),
    [
        (352, [], None, 32),  # 352 = 11 × 32
        (352, [1056, 2112, 3168, 4224, 5280], None, 32),
        (5, [7, 14, 20], None, 1),
        (12, [20, 40, 60], None, 4),
        (353, [], None, 1),
        (90, [], None, 30),
        (352, [], EMA(name="ema", every=4), 4),
        (352, [], Lookahead(name="lookahead", every=48), 16),
        (90, [], EMA(name="ema", every=4), 2),
        (353, [], Lookahead(name="lookahead"), 1),
        (12, [20, 40, 60], EMA(name="ema", every=6), 2),
    ],
)
def test_steps_per_execution(steps, snapshots_at, averaging, expected):
    assert fit._steps_per_execution(steps, snapshots_at, averaging) == expected


RATES = np.linspace(0.02, 0.001, 4 * STEPS).astype(np.float32)
HARD = {"label_smoothing": 0.1, "augmentation": {"flip": True, "crop": 4}}


@pytest.mark.parametrize("config", [{}, HARD], ids=["plain", "augmented and smoothed"])
def test_a_promoted_training_ends_as_an_uninterrupted_one(tmp_path, config):
    """A trial of two epochs that goes on for four, its learning rates being those of four."""
    whole, expected = run(tmp_path / "whole", 4, RATES, **config)
    short, first = run(tmp_path / "work", 2, RATES[: 2 * STEPS], **config)
    assert not same(short, whole)
    published = []
    network, history = run(
        tmp_path / "work",
        4,
        RATES,
        lambda rows: published.append(len(rows)),
        build(seed=99),
        **config,
    )
    assert published == [2, 3, 4]
    assert history[:2] == first  # with the seconds of the first session
    assert timeless(history) == timeless(expected)
    assert same(network, whole)
    best = best_file(best_epoch(history, "val_accuracy"))
    for name in (best, STATE):
        assert same(tmp_path / "work" / name, tmp_path / "whole" / name)


def test_the_validation_loss_is_the_plain_cross_entropy_under_label_smoothing(tmp_path):
    network, history = run(tmp_path, 2, label_smoothing=0.4)
    probabilities = network.predict(VALIDATION.images, verbose=0).astype(np.float64)
    logs = np.log(probabilities)
    plain = -logs[np.arange(len(logs)), VALIDATION.labels]
    smoothed = 0.6 * plain - 0.4 * logs.mean(axis=1)
    assert history[-1].val_loss == pytest.approx(plain.mean(), rel=1e-5)
    assert abs(plain.mean() - smoothed.mean()) > 0.01  # else this could not fail


def test_the_training_loss_is_the_smoothed_one(tmp_path):
    # Nothing is learned and nothing dropped, so it is that of the first weights on the images.
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    _, history = run(tmp_path, 1, np.zeros(STEPS, np.float32), network=network, label_smoothing=0.4)
    logs = np.log(network.predict(TRAIN.images, verbose=0).astype(np.float64))
    plain = -logs[np.arange(IMAGES), TRAIN.labels]
    expected = np.mean(0.6 * plain - 0.4 * logs.mean(axis=1))
    assert history[0].train_loss == pytest.approx(expected, rel=1e-5)
    assert abs(plain.mean() - expected) > 0.01


def test_self_distillation_changes_what_is_learned_from_the_second_epoch_on(tmp_path):
    _, plain = run(tmp_path / "plain", 2)
    _, distilled = run(tmp_path / "distilled", 2, self_distillation=0.9)
    first, second = zip(timeless(plain), timeless(distilled), strict=True)
    assert first[0] == first[1]
    assert second[0].train_loss != second[1].train_loss


def test_a_resumed_self_distillation_ends_as_an_undisturbed_one(tmp_path):
    _, expected = run(tmp_path / "whole", 4, RATES, self_distillation=0.5)
    run(tmp_path / "work", 2, RATES, self_distillation=0.5)  # its rates are those of all four
    _, history = run(tmp_path / "work", 4, RATES, network=build(seed=99), self_distillation=0.5)
    assert timeless(history) == timeless(expected)
    assert same(tmp_path / "work" / STATE, tmp_path / "whole" / STATE)


class Count(keras.callbacks.Callback):
    """The numbers of the steps and of the epochs that it is told of."""

    def __init__(self):
        super().__init__()
        self.steps, self.epochs = [], []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(int(self.model.optimizer.iterations))

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)


def test_other_callbacks_are_told_of_each_step_that_is_left(tmp_path):
    first, rest = Count(), Count()
    run(tmp_path, 2, RATES[: 2 * STEPS], callbacks=[first], snapshots=3)  # after steps 4, 7 and 10
    run(tmp_path, 4, RATES, callbacks=[rest])
    assert (first.steps, first.epochs) == ([*range(1, 11)], [0, 1])
    assert rest.steps[-1] == 20
    assert rest.epochs == [2, 3]
    assert rest.steps[0] > 10


def test_callbacks_come_after_the_epoch_is_committed(tmp_path):
    """So that one that ends the process, or raises, costs no epoch."""

    class Raise(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, 4, RATES, callbacks=[Raise()])
    published = []
    run(tmp_path, 4, RATES, lambda rows: published.append(len(rows)))
    assert published == [1, 2, 3, 4]
    assert (tmp_path / STATE).exists()


EVERYTHING = {
    "optimizer": "muon",
    "label_smoothing": 0.2,
    "augmentation": {"flip": "alternating", "crop": 2, "cutout": 4, "cutmix": 0.5, "mixup": 0.2},
    "resolution": [[0, 16], [0.5, 32]],
}


@pytest.mark.parametrize("averaging", ["lookahead", "ema"])
def test_all_that_is_new_resumes_as_well(tmp_path, averaging):
    config = Training(
        network={"name": "swift", "width": 1},
        batch_size=BATCH,
        epochs=2,
        averaging=averaging,
        **EVERYTHING,
    )

    def go(work, seed, publish=lambda history: None):
        keras.utils.set_random_seed(seed)
        network = build_network(config.network, 3, TRAIN.images)
        start = network.get_weights()
        rates = np.full(2 * STEPS, 0.05, np.float32)
        history = train(network, config, rates, TRAIN, VALIDATION, 7, work, publish, verbose=0)
        return start, timeless(history)

    def kill(history):
        raise Killed

    start, expected = go(tmp_path / "whole", 1)
    with pytest.raises(Killed):
        go(tmp_path / "work", 1, kill)
    _, history = go(tmp_path / "work", 2)
    assert history == expected
    best = best_file(best_epoch(history, "val_accuracy"))
    assert same(tmp_path / "work" / STATE, tmp_path / "whole" / STATE)
    assert same(tmp_path / "work" / best, tmp_path / "whole" / best)
    # They are the weights of a network that is built anew, in its order.
    network = build_network(config.network, 3, TRAIN.images)
    load_variables(tmp_path / "whole" / best, network.weights)
    assert any((a != b).any() for a, b in zip(network.get_weights(), start, strict=True))
    actual = network.predict(VALIDATION.images, verbose=0)
    loss = -np.log(actual[np.arange(len(actual)), VALIDATION.labels]).mean()
    epoch = int(best.split("_")[1].split(".")[0])
    assert history[epoch - 1].val_loss == pytest.approx(loss, rel=1e-3)
