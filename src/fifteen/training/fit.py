"""One training from the first epoch to the last, resumable after any of them."""

import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.data.arrays import Part
from fifteen.data.batches import evaluation_batches, steps_per_epoch, training_batches
from fifteen.params.sections import Averaging, Training
from fifteen.training import devices
from fifteen.training.adaptation import limit_momentum
from fifteen.training.averaging import WeightAveraging
from fifteen.training.checkpoint import restore_state, save_state, save_variables
from fifteen.training.history import Epoch, History, best_epoch, out_of_patience
from fifteen.training.kernels import with_fast_kernels
from fifteen.training.losses import accuracy, cross_entropy
from fifteen.training.optimizers import build_optimizer
from fifteen.training.schedules import TabulatedSchedule, snapshot_steps
from fifteen.training.self_distillation import SelfDistillation, by_class

import keras
import numpy as np

STATE = "state.npz"
METRICS = (accuracy, cross_entropy())


def best_file(epoch: int | str) -> str:
    """The name of the file with the weights of the best epoch, counted from 1 (or its pattern)."""
    return f"best_{epoch}.npz"


def snapshot_file(number: int) -> str:
    """The name of the file with the weights of a snapshot, counted from 1."""
    return f"snapshot_{number}.npz"


class CommitEpochs(keras.callbacks.Callback):
    """After each epoch: keep the best weights, then the state, then tell the world, in that order.

    The state file is what makes an epoch count. A kill before it repeats the epoch; a kill after
    it finds the epoch in the history, from which `publish` can be brought up to date.
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

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Commit the epoch; stop when the loss is not finite or patience has run out."""
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
        for beaten in set(self.work.glob(best_file("*"))) - {best}:
            beaten.unlink()
        self.publish(self.history)
        if out_of_patience(self.history, self.config.monitor, self.config.patience):
            self.model.stop_training = True


class SaveSnapshots(keras.callbacks.Callback):
    """Keeps the weights, or the averages of them, after each of the given numbers of steps."""

    def __init__(self, work: Path, steps: list[int], averaging: WeightAveraging | None) -> None:
        super().__init__()
        self.paths = {step: work / snapshot_file(i + 1) for i, step in enumerate(steps)}
        self.averaging = averaging

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Keep the weights if a snapshot is due now."""
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
    """Train `network` as `config` says, from the last epoch finished in the folder `work`.

    Leaves in `work` the weights of the best epoch (`best_file`) and of each snapshot
    (`snapshot_file`). Raw images go in, the loss is cross-entropy on the probabilities that come
    out. On the validation images it is always the plain one, comparable between trainings.

    Args:
        network: built but not compiled; gives the first weights, and has the last ones in the end.
        config: what to do, its number of epochs filled in.
        rates: the learning rate of each step, float32. Those beyond the epochs of `config` are of a
            training that will go on: what changes along it goes by the whole of it.
        training: the images to learn from.
        validation: the images that judge each epoch.
        seed: decides the order of the images.
        work: where checkpoints are kept.
        publish: gets the history after every epoch, and at the start when it is not empty.
        callbacks: what else is told of each step.
        verbose: as in `keras.Model.fit`; a progress bar in a terminal, a line per epoch elsewhere.

    Returns:
        The epochs trained, those before a resume included.

    Raises:
        UserError: the loss is no longer finite, there are fewer steps than snapshots, or the
            devices cannot share the batches.
    """
    epochs, steps = config.epochs, steps_per_epoch(len(training.labels), config.batch_size)
    at = snapshot_steps(config.snapshots, len(rates))
    devices.check_shares(len(training.labels), config.batch_size)

    classes = network.output_shape[-1]
    loss, metrics, distillation = cross_entropy(config.label_smoothing), METRICS, []
    if config.self_distillation:
        of_all = (len(training.labels), classes, len(rates) // steps)
        distillation = [
            SelfDistillation(config.self_distillation, loss, *of_all, gather=devices.gathered)
        ]
        loss, metrics = distillation[0].loss, map(by_class, METRICS)
    limit_momentum(network, steps)
    given, network = network, with_fast_kernels(network)  # the same up to rounding
    network.compile(
        optimizer=build_optimizer(config.optimizer, TabulatedSchedule(rates)),
        loss=devices.of_whole_batch(loss),
        metrics=[keras.metrics.MeanMetricWrapper(metric, metric.__name__) for metric in metrics],
        steps_per_execution=_steps_per_execution(steps, at, config.averaging),
        jit_compile=False,  # slower than oneDNN's kernels on a CPU
    )
    network.optimizer.build(network.trainable_variables)
    averages = []
    if config.averaging:
        averages = [WeightAveraging(config.averaging, network, len(rates))]
    state = [*network.variables, *network.optimizer.variables]
    state += [v for part in (*averages, *distillation) for v in part.variables]
    if averages and config.snapshot_weights == "averaged":
        keepers = [*averages, SaveSnapshots(work, at, averages[0])]
    else:
        keepers = [SaveSnapshots(work, at, None), *averages]  # before they are averaged
    work.mkdir(parents=True, exist_ok=True)
    history = restore_state(work / STATE, state)
    done = len(history)
    if done:
        print(f"resuming after epoch {done} of {epochs}", flush=True)
        publish(history)
    if done < epochs and not (done and out_of_patience(history, config.monitor, config.patience)):
        network.fit(
            training_batches(training, config, seed, done, classes, len(rates)),
            validation_data=evaluation_batches(
                validation, devices.evaluation_batch_size(len(validation.labels))
            ),
            initial_epoch=done,
            epochs=epochs,
            steps_per_epoch=steps,
            shuffle=False,  # the pipeline has done it
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
    """How many steps, up to 32, run between two returns to Python.

    A whole number of such executions makes an epoch, and each snapshot and each average of the
    weights falls right after one.
    """
    if devices.are_several():
        return 1  # TensorFlow's loop over steps fails when each step is on several devices
    whole = math.gcd(steps, *snapshots_at, averaging.every if averaging else 0)
    return max(k for k in range(1, 33) if whole % k == 0)
