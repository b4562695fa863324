"""A training shared by several devices is the training of one, up to rounding."""

import json
import subprocess
import sys

from fifteen.common.errors import UserError
from fifteen.training import devices

import numpy as np
import pytest

MACHINES = ("single", "mirrored")
# TensorFlow takes the number of its devices once, at the start of a process.
TRAIN = """
import json
import sys
from dataclasses import asdict
from pathlib import Path

folder = Path(sys.argv[1])

from fifteen.inference import hardware
from fifteen.params.sections import Training
from fifteen.data.arrays import Part
from fifteen.data.batches import steps_per_epoch
from fifteen.common.errors import UserError
from fifteen.networks.build import build_network
from fifteen.training.fit import train
from fifteen.training.schedules import learning_rates

import keras
import numpy as np
import tensorflow as tf

two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], two)
machines = {name: hardware.configure("float32", name) for name in ("single", "mirrored", "auto")}
rng = np.random.default_rng(0)


def part(images):
    labels = rng.integers(0, 3, images, dtype=np.int32)
    noise = rng.integers(0, 150, (images, 32, 32, 3))
    return Part((noise + 50 * labels[:, None, None, None]).astype(np.uint8), labels)


TRAINING, VALIDATION = part(35), part(21)  # the last batches of 3 and 9 images are shared unevenly
SHARED = {"batch_size": 8, "epochs": 2}
CASES = {
    "baseline": {
        "network": "baseline", "optimizer": "adam", "schedule": {"name": "constant", "rate": 1e-3},
    },
    "swift": {
        "network": {"name": "swift", "width": 2}, "optimizer": {"name": "muon"},
        "schedule": {"name": "linear", "peak": 0.05}, "label_smoothing": 0.2,
        "averaging": {"name": "lookahead", "every": 5, "decay": 0.9}, "self_distillation": 0.8,
        "augmentation": {"flip": "alternating", "crop": 2}, "snapshots": [0.4, 1.0],
    },
    "ema": {
        "network": {"name": "swift", "width": 2}, "optimizer": {"name": "sgd", "momentum": 0.9},
        "schedule": {"name": "linear", "peak": 0.01},
        "averaging": {"name": "ema", "every": 1, "decay": 0.9}, "augmentation": {"mixup": 0.2},
    },
}


class Killed(BaseException):
    pass


def run(name, machine, work, die_after=None, seed=1, **changes):
    config = Training.model_validate(SHARED | CASES[name] | changes)
    keras.utils.set_random_seed(seed)
    network = build_network(config.network, 3, TRAINING.images)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 1e-9  # each device drops its own
    rates = learning_rates(config.schedule, config.epochs, steps_per_epoch(35, config.batch_size))

    def publish(history):
        if len(history) == die_after:
            raise Killed

    with machines[machine].scope():
        history = train(
            network, config, rates, TRAINING, VALIDATION, 7, folder / work, publish, verbose=0
        )
    np.savez(folder / f"{work}.npz", *network.get_weights())
    (folder / f"{work}.json").write_text(json.dumps([asdict(row) for row in history]))


(folder / "machines.json").write_text(json.dumps({k: asdict(v) for k, v in machines.items()}))
for name in CASES:
    for machine in ("single", "mirrored"):
        run(name, machine, f"{name}_{machine}")
for seed in (2, 3):
    for machine in ("single", "mirrored"):
        run("swift", machine, f"swift{seed}_{machine}", seed=seed)
try:
    run("swift", "mirrored", "swift_resumed", die_after=1)
except Killed:
    run("swift", "mirrored", "swift_resumed")
try:
    run("swift", "mirrored", "uneven", batch_size=7)
except UserError as error:
    (folder / "uneven.txt").write_text(str(error))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What came of each training: its weights and its history."""
    folder = tmp_path_factory.mktemp("devices")
    command = [sys.executable, "-c", TRAIN, str(folder)]
    subprocess.run(command, check=True, timeout=400, cwd=folder)
    return folder


def weights(folder, name):
    with np.load(folder / f"{name}.npz") as saved:
        return [saved[key] for key in saved.files]


def of_both(folder, name):
    """The weights that one and two devices came to."""
    return [weights(folder, f"{name}_{machine}") for machine in MACHINES]


def history(folder, name, *columns):
    rows = json.loads((folder / f"{name}.json").read_text())
    return np.array([[row[column] for column in columns] for row in rows])


LOSSES = ("train_loss", "val_loss")
ACCURACIES = ("train_accuracy", "val_accuracy")


# Of the baseline's biases that are normalised away; Adam blows up the rounding of their gradients.
USELESS = {"baseline": (1, 7, 13)}


def difference(one, two):
    """The largest between two lists of arrays, in units of the largest value of its array."""
    pairs = zip(one, two, strict=True)
    return max(np.abs(a - b).max() / max(np.abs(a).max(), 1e-30) for a, b in pairs)


@pytest.fixture(scope="module")
def swift(folder):
    """The one of three seeds whose two trainings differ neither least nor most.

    Where two pixels of a max-pooling are nearly equal, rounding can decide between them, and the
    two trainings part: those of one seed in fourteen did.
    """
    swifts = ("swift", "swift2", "swift3")
    return sorted(swifts, key=lambda name: difference(*of_both(folder, name)))[1]


@pytest.fixture(params=["baseline", "swift", "ema"])
def name(request, swift):
    """Of a training."""
    return swift if request.param == "swift" else request.param


def test_weights_are_those_of_one_device(folder, name):
    tolerance = 5e-3 if name == "baseline" else 1e-4  # Adam divides by roots of tiny squares
    useful = (
        [w for i, w in enumerate(ws) if i not in USELESS.get(name, ())]
        for ws in of_both(folder, name)
    )
    assert difference(*useful) < tolerance


def test_epochs_are_those_of_one_device(folder, name):
    one, two = (f"{name}_{machine}" for machine in MACHINES)
    np.testing.assert_allclose(
        history(folder, two, *LOSSES), history(folder, one, *LOSSES), rtol=1e-4
    )
    np.testing.assert_array_equal(
        history(folder, two, *ACCURACIES), history(folder, one, *ACCURACIES)
    )


def test_a_resumed_training_ends_the_same(folder):
    """Killed after the first epoch, on two devices."""
    whole, resumed = (weights(folder, f"swift_{name}") for name in ("mirrored", "resumed"))
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_snapshots_are_those_of_one_device(folder, swift):
    for number in (1, 2):
        one, two = (weights(folder / f"{swift}_{m}", f"snapshot_{number}") for m in MACHINES)
        assert difference(one, two) < 1e-4


def test_batches_that_cannot_be_shared(folder):
    message = (folder / "uneven.txt").read_text()
    assert "2 devices" in message and "7 images" in message
    assert "batch_size" in message and "hardware.strategy" in message
    assert not (folder / "uneven").exists()


def test_what_is_recorded(folder):
    machines = json.loads((folder / "machines.json").read_text())
    assert {name: machine["devices"] for name, machine in machines.items()} == {
        "single": 1,
        "mirrored": 2,
        "auto": 1,  # logical CPU devices are there for tests alone
    }


@pytest.mark.parametrize(
    ("images", "batch_size", "number", "can"),
    [
        (45000, 1000, 8, True),
        (45000, 128, 8, True),  # the last of 72
        (45000, 128, 3, False),
        (35, 8, 2, True),  # the last of 3: 2 and 1
        (33, 8, 2, False),  # the last of 1
        (37, 8, 4, False),  # the last of 5: 2, 2, 1 and none
        (5, 8, 2, False),  # one batch of 5
        (6, 8, 2, True),
        (33, 8, 1, True),
    ],
)
def test_which_batches_can_be_shared(monkeypatch, images, batch_size, number, can):
    monkeypatch.setattr(devices, "number", lambda: number)
    if can:
        devices.check_shares(images, batch_size)
    else:
        with pytest.raises(UserError, match=f"{number} devices cannot share"):
            devices.check_shares(images, batch_size)


@pytest.mark.parametrize("number", [2, 3, 8])
@pytest.mark.parametrize("images", [143, 500, 501, 1001, 5000, 10000])
def test_batches_of_an_evaluation(monkeypatch, images, number):
    monkeypatch.setattr(devices, "number", lambda: number)
    size = devices.evaluation_batch_size(images)
    assert size % number == 0 and min(images, 500) / 2 < size <= min(images, 500)
    share, last = size // number, images % size
    assert last == 0 or last > (number - 1) * share  # no device is left without an image


def test_too_few_images_to_evaluate(monkeypatch):
    monkeypatch.setattr(devices, "number", lambda: 2)
    with pytest.raises(UserError, match=r"2 devices .* 3 validation images"):
        devices.evaluation_batch_size(3)


def test_one_device_evaluates_as_ever():
    assert devices.evaluation_batch_size(5000) == devices.evaluation_batch_size(21) == 500
