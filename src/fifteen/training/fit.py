"""Training a network, resumable after every epoch."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.data.arrays import Part
from fifteen.data.batches import epochs_of, evaluation_batches, steps_per_epoch, training_batches
from fifteen.params.sections import Averaging, Training
from fifteen.training import devices
from fifteen.training.adaptation import limit_momentum
from fifteen.training.averaging import WeightAveraging
from fifteen.training.checkpoint import restore_state, save_state, save_variables
from fifteen.training.history import Epoch, History, best_epoch, out_of_patience
from fifteen.training.kernels import with_fast_kernels
from fifteen.training.losses import Loss, accuracy, cross_entropy
from fifteen.training.optimizers import build_optimizer
from fifteen.training.schedules import TabulatedSchedule, snapshot_steps
from fifteen.training.self_distillation import SelfDistillation, by_class

import keras
import numpy as np

STATE = "state.npz"
METRICS: list[Loss] = [accuracy, cross_entropy()]


def best_file(epoch: int | str) -> str:
    """The file with the weights of the best epoch, counted from 1; `*` gives its pattern."""
    return f"best_{epoch}.npz"


def snapshot_file(number: int) -> str:
    """The file with the weights of a snapshot, counted from 1."""
    return f"snapshot_{number}.npz"


class CommitEpochs(keras.callbacks.Callback):
    """After each epoch: saves the best weights, then the state, then publishes the history.

    An epoch counts once the state is saved. A kill before that repeats the epoch; after that, the
    resumed training publishes it.
    """

    def __init__(
        self,
        work: Path,
        config: Training,
        state: Sequence[keras.Variable],
        history: list[Epoch],
        publish: Callable[[History], None],
    ) -> None:
        super().__init__()
        self.work, self.config, self.state = work, config, state
        self.history, self.publish = history, publish

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Save the epoch, and stop the training when patience has run out.

        Raises:
            UserError: the loss is not finite.
        """
        row = Epoch(
            epoch=epoch + 1,
            seconds=time.perf_counter() - self.began,
            train_loss=float(logs["loss"]),
            train_accuracy=float(logs["accuracy"]),
            val_loss=float(logs["val_cross_entropy"]),
            val_accuracy=float(logs["val_accuracy"]),
        )
        if not np.isfinite([row.train_loss, row.val_loss]).all():
            raise UserError(
                f"the loss became {row.train_loss} (validation {row.val_loss}) in epoch "
                f"{row.epoch}; lower the learning rate or set hardware.precision to float32"
            )
        self.history.append(row)
        best = self.work / best_file(best_epoch(self.history, self.config.monitor))
        if best.name == best_file(row.epoch):
            save_variables(best, self.model.weights)
        save_state(self.work / STATE, self.state, self.history)
        for outdated in set(self.work.glob(best_file("*"))) - {best}:
            outdated.unlink()
        self.publish(self.history)
        if out_of_patience(self.history, self.config.monitor, self.config.patience):
            self.model.stop_training = True


class SaveSnapshots(keras.callbacks.Callback):
    """Saves the weights, or their running averages, after each of the given steps."""

    def __init__(self, work: Path, steps: list[int], averaging: WeightAveraging | None) -> None:
        super().__init__()
        self.paths = {step: work / snapshot_file(i + 1) for i, step in enumerate(steps)}
        self.averaging = averaging

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Save a snapshot if one is due after this step."""
        path = self.paths.get(int(self.model.optimizer.iterations.numpy()))
        if path:
            weights = self.model.weights
            save_variables(path, self.averaging.averaged(weights) if self.averaging else weights)


def train(
    network: keras.Model,
    config: Training,
    rates: np.ndarray,
    training: Part,
    validation: Part,
    seed: int,
    work: Path,
    publish: Callable[[History], None],
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | None = None,
) -> list[Epoch]:
    """Train `network` on raw images, from the last finished epoch in the folder `work` on.

    Leaves in `work` the weights of the best epoch (`best_file`) and of each snapshot
    (`snapshot_file`). The loss is the cross-entropy of the network's probabilities. On validation
    images it has no label smoothing, so that trainings can be compared.

    Args:
        network: not compiled. Its weights are the first ones, and in the end the last ones.
        config: the training section, adapted to the data. Without a number of epochs, they are as
            many as `rates` covers.
        rates: the learning rate of each step, float32. It may go beyond the epochs of `config`,
            if the training is to be continued later: schedules go by the whole of it.
        training: the training images.
        validation: the validation images.
        seed: decides the order of the images and their augmentation.
        work: where checkpoints are kept.
        publish: called with the history after every epoch, and when a training is resumed.
        callbacks: additional ones.
        verbose: as in `keras.Model.fit`; by default a progress bar in a terminal, else a line per
            epoch.

    Returns:
        All epochs, including those before a resume.

    Raises:
        UserError: the loss is not finite, there are fewer steps than snapshots, or the devices
            cannot share the batches.
    """
    images, total_steps = len(training.labels), len(rates)
    steps = steps_per_epoch(images, config.batch_size)
    epochs = epochs_of(config, images, total_steps)
    at = snapshot_steps(config.snapshots, total_steps)
    devices.check_shares(images, config.batch_size)

    classes = network.output_shape[-1]
    loss, metrics = cross_entropy(config.label_smoothing), METRICS
    distillation: list[SelfDistillation] = []
    if config.self_distillation:
        size = (images, classes, total_steps // steps)
        distillation = [
            SelfDistillation(config.self_distillation, loss, *size, gather=devices.gathered)
        ]
        loss, metrics = distillation[0].loss, [by_class(metric) for metric in METRICS]
    limit_momentum(network, steps)
    given, network = network, with_fast_kernels(network)
    network.compile(
        optimizer=build_optimizer(config.optimizer, TabulatedSchedule(rates)),
        loss=devices.of_whole_batch(loss),
        metrics=[keras.metrics.MeanMetricWrapper(metric, metric.__name__) for metric in metrics],
        steps_per_execution=_steps_per_execution(steps, at, config.averaging),
        jit_compile=False,  # slower than oneDNN's kernels on a CPU
    )
    network.optimizer.build(network.trainable_variables)
    averages: list[WeightAveraging] = []
    if config.averaging:
        averages = [WeightAveraging(config.averaging, network, total_steps)]
    state = [*network.variables, *network.optimizer.variables]
    state += [v for average in averages for v in average.variables]
    state += [v for targets in distillation for v in targets.variables]
    if averages and config.snapshot_weights == "averaged":
        keepers = [*averages, SaveSnapshots(work, at, averages[0])]
    else:
        keepers = [SaveSnapshots(work, at, None), *averages]  # saved before they are averaged
    work.mkdir(parents=True, exist_ok=True)
    history = restore_state(work / STATE, state)
    done = len(history)
    if done:
        print(f"resuming after epoch {done} of {epochs}", flush=True)
        publish(history)
    if done < epochs and not (done and out_of_patience(history, config.monitor, config.patience)):
        network.fit(
            training_batches(training, config, seed, done, classes, total_steps),
            validation_data=evaluation_batches(
                validation, devices.evaluation_batch_size(len(validation.labels))
            ),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=steps,
            shuffle=False,  # `training_batches` has shuffled
            callbacks=[
                *distillation,
                *keepers,
                CommitEpochs(work, config, state, history, publish),
                *callbacks,
            ],
            verbose=(1 if sys.stdout.isatty() else 2) if verbose is None else verbose,
        )
    given.set_weights(network.get_weights())
    return history


def _steps_per_execution(steps: int, snapshots_at: list[int], averaging: Averaging | None) -> int:
    """How many steps, up to 32, run in TensorFlow before Python's callbacks are called.

    It divides the steps of an epoch, and those before each snapshot and each averaging.
    """
    if devices.are_several():
        return 1  # TensorFlow's loop over steps fails on several devices
    whole = math.gcd(steps, *snapshots_at, averaging.every if averaging else 0)
    return max(k for k in range(1, 33) if whole % k == 0)
