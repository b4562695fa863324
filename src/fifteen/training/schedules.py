"""Learning rate schedules as arrays, with one rate for every step of a training.

A schedule is computed once, before training. The same array drives the optimizer, is recorded with
the run and is drawn in the report.
"""

from functools import singledispatch
from pathlib import Path

from fifteen.common.errors import UserError
from fifteen.params.sections import (
    Constant,
    Cosine,
    Linear,
    OneCycle,
    Piecewise,
    Schedule,
    Triangular,
)

import keras
import numpy as np
from keras import ops


@singledispatch
def learning_rates(schedule: Schedule, epochs: int, steps_per_epoch: int) -> np.ndarray:
    """The learning rate of every step, float32 of shape (epochs * steps_per_epoch,)."""
    raise TypeError(f"no learning rates are defined for {schedule!r}")


@learning_rates.register
def _constant(schedule: Constant, epochs: int, steps_per_epoch: int) -> np.ndarray:
    """The same rate in every step."""
    return np.full(epochs * steps_per_epoch, schedule.rate, np.float32)


@learning_rates.register
def _piecewise(schedule: Piecewise, epochs: int, steps_per_epoch: int) -> np.ndarray:
    """Stepwise decay (He et al. 2016, arXiv:1512.03385, §4.2).

    Each [first epoch, factor], with epochs from 1, holds until the next one: rate · factor.
    """
    starts, factors = zip(*schedule.factors, strict=True)
    current = np.searchsorted(starts, np.arange(1, epochs + 1), side="right") - 1
    per_epoch = schedule.rate * np.asarray(factors)[current]
    return np.repeat(per_epoch.astype(np.float32), steps_per_epoch)


@learning_rates.register
def _triangular(schedule: Triangular, epochs: int, steps_per_epoch: int) -> np.ndarray:
    """The triangular policy of Smith (2017, arXiv:1506.01186, §3).

    At time e, in epochs from 0, the rate is peak · (1 − x), with x = |e/h − 2c + 1|,
    c = ⌊1 + e/(2h)⌋ and h the half cycle. With `per: epoch`, as in the original study, the rate is
    set after each epoch, so the first epoch runs at the peak.
    """
    half = schedule.half_cycle_epochs
    per_step = schedule.per == "step"
    e = np.arange(epochs * steps_per_epoch) / steps_per_epoch if per_step else np.arange(epochs - 1)
    cycle = np.floor(1 + e / (2 * half))
    after = schedule.peak * (1 - np.abs(e / half - 2 * cycle + 1))
    if per_step:
        return after.astype(np.float32)
    per_epoch = np.concatenate([[schedule.peak], after])
    return np.repeat(per_epoch.astype(np.float32), steps_per_epoch)


@learning_rates.register
def _cosine(schedule: Cosine, epochs: int, steps_per_epoch: int) -> np.ndarray:
    """Cosine annealing with restarts, per step (Huang et al. 2017, arXiv:1704.00109, eq. 2).

    In step t (from 0) of a cycle of L steps the rate is peak/2 · (cos(π · t/L) + 1). If the cycles
    do not divide the steps evenly, the paper shortens the last one; here they are `equal_parts`.

    Raises:
        UserError: there are more cycles than steps.
    """
    ends = equal_parts(epochs * steps_per_epoch, schedule.cycles)
    phase = np.concatenate([np.arange(length) / length for length in np.diff([0, *ends])])
    return (schedule.peak / 2 * (np.cos(np.pi * phase) + 1)).astype(np.float32)


@learning_rates.register
def _linear(schedule: Linear, epochs: int, steps_per_epoch: int) -> np.ndarray:
    """Linear decay: peak · (1 − t/T) in step t (from 0) of T (Li et al. 2020, arXiv:1905.04753)."""
    share = np.linspace(0, 1, epochs * steps_per_epoch, endpoint=False)
    return (schedule.peak * (1 - share)).astype(np.float32)


@learning_rates.register
def _one_cycle(schedule: OneCycle, epochs: int, steps_per_epoch: int) -> np.ndarray:
    """The one-cycle policy (Smith and Topin 2018, arXiv:1708.07120), for the learning rate alone.

    After the share s of the steps, with warm-up w and floor f, the rate is
    - on the way up, s < w: peak · s/w,
    - on the way down, with r = (s − w)/(1 − w): peak · (f + (1 − f) · (1 − r)), or with
      (1 + cos πr)/2 in place of 1 − r.
    With restarts, s is the share of the current cycle, and the peak is multiplied by its height.
    """
    of_all = np.linspace(0, 1, epochs * steps_per_epoch, endpoint=False)
    starts, heights = np.array([[0.0, 1.0], *schedule.restarts]).T
    ends = np.append(starts[1:], 1.0)
    cycle = np.searchsorted(starts, of_all, side="right") - 1
    s = (of_all - starts[cycle]) / (ends - starts)[cycle]
    r = np.clip((s - schedule.warmup) / (1 - schedule.warmup), 0, 1)
    down = 1 - r if schedule.anneal == "linear" else (1 + np.cos(np.pi * r)) / 2
    up = s / (schedule.warmup or 1)
    factor = np.where(s < schedule.warmup, up, schedule.floor + (1 - schedule.floor) * down)
    return (schedule.peak * heights[cycle] * factor).astype(np.float32)


class TabulatedSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Reads the learning rate of each step from an array; after its end the last rate holds."""

    def __init__(self, rates: np.ndarray) -> None:
        """Keep `rates`, float32 of shape (steps,)."""
        self.rates = np.asarray(rates, np.float32)

    def __call__(self, step: keras.KerasTensor) -> keras.KerasTensor:
        """The learning rate of `step`, counted from 0."""
        last = len(self.rates) - 1
        return ops.take(
            ops.convert_to_tensor(self.rates), ops.minimum(ops.cast(step, "int32"), last)
        )

    def get_config(self) -> dict[str, object]:
        """The rates, so that a compiled model can be saved."""
        return {"rates": self.rates.tolist()}


def snapshot_steps(snapshots: int | list[float], total_steps: int) -> list[int]:
    """The steps, counted from 1, after which snapshots are taken.

    Args:
        snapshots: the number of snapshots, equally spaced; or the shares of the steps after which
            they are taken. With as many snapshots as cosine cycles, each is taken at the end of a
            cycle, where the rate is lowest.
        total_steps: of the training.

    Raises:
        UserError: the training has too few steps for them.
    """
    if not isinstance(snapshots, list):
        return equal_parts(total_steps, snapshots)
    steps = [round(share * total_steps) for share in snapshots]
    if len({0, *steps}) <= len(steps):
        raise UserError(
            f"the {len(steps)} shares of `snapshots` are not {len(steps)} different steps of a "
            f"training of {total_steps}; choose fewer of them or a smaller batch_size"
        )
    return steps


def equal_parts(total_steps: int, parts: int) -> list[int]:
    """The last step, counted from 1, of each of `parts` whose lengths differ by one at most.

    Raises:
        UserError: there are more parts than steps.
    """
    if parts > total_steps:
        raise UserError(
            f"a training of {total_steps} steps cannot be cut into {parts} cycles or snapshots; "
            f"choose at most {total_steps}, more epochs or a smaller batch_size"
        )
    return [(part + 1) * total_steps // parts for part in range(parts)]


def write_learning_rates(path: Path, rates: np.ndarray) -> None:
    """Write one CSV row per step, counted from 0."""
    rows = np.stack([np.arange(len(rates)), rates], axis=1)
    np.savetxt(path, rows, "%d,%.8g", header="step,learning_rate", comments="")
