"""Running averages of the weights during training, batch normalisation statistics included."""

from collections.abc import Sequence

from fifteen.params.sections import EMA, Lookahead

import keras
from keras import ops


class WeightAveraging(keras.callbacks.Callback):
    """Averages the fast weights, which the optimizer changes, into slow weights.

    Every k steps, at step t of T, slow ← d·slow + (1 − d)·fast.

    - `lookahead` (Zhang et al. 2019, arXiv:1907.08610): the fast weights then continue from the
      slow ones. As in Jordan (2024, arXiv:2404.00498, §3.4) the average gets slower with time,
      d = decayᵏ·(t/T)ᵖ, and the training ends with the slow weights.
    - `ema`, an exponential moving average (Polyak and Juditsky 1992): d = decayᵏ, and the fast
      weights are left alone. The model holds the slow weights during validation and after the last
      step.

    Attributes:
        variables: what a resumed training needs besides the model's own variables.
    """

    def __init__(self, config: Lookahead | EMA, model: keras.Model, total_steps: int) -> None:
        """Start from the weights of `model`; the training has `total_steps` steps."""
        super().__init__()
        self.config, self.total_steps = config, total_steps
        self.fast = [v for v in model.variables if keras.backend.is_float_dtype(v.dtype)]
        self.slow = [keras.Variable(v, dtype=v.dtype, trainable=False) for v in self.fast]
        self.swapped = keras.Variable(False, dtype="bool", trainable=False)
        self.variables = [*self.slow, self.swapped]

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the fast weights back into the model."""
        if self._is_swapped():
            self._swap()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Average every k steps; after the last step, leave the slow weights in the model."""
        step = int(self.model.optimizer.iterations.numpy())
        lookahead = self.config.name == "lookahead"
        if lookahead and step == self.total_steps:
            self._assign(self.fast, self.slow)
        elif step % self.config.every == 0:
            decay = self.config.decay**self.config.every
            if self.config.name == "lookahead":
                decay *= (step / self.total_steps) ** self.config.power
            averages = [
                decay * slow + (1 - decay) * fast
                for slow, fast in zip(self.slow, self.fast, strict=True)
            ]
            self._assign(self.slow, averages)
            if lookahead:
                self._assign(self.fast, averages)
        if step == self.total_steps and not lookahead:
            self._swap()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """With `ema`, validate the slow weights."""
        if self.config.name == "ema" and not self._is_swapped():
            self._swap()

    def averaged(self, weights: Sequence[keras.Variable]) -> list[keras.Variable]:
        """`weights` of the model, with each averaged one replaced by its slow weight."""
        if self._is_swapped():
            return list(weights)
        slow = {id(fast): slow for fast, slow in zip(self.fast, self.slow, strict=True)}
        return [slow.get(id(weight), weight) for weight in weights]

    def _is_swapped(self) -> bool:
        return bool(ops.convert_to_numpy(self.swapped))

    def _swap(self) -> None:
        fast = [ops.copy(v) for v in self.fast]
        self._assign(self.fast, self.slow)
        self._assign(self.slow, fast)
        self.swapped.assign(ops.logical_not(self.swapped))

    @staticmethod
    def _assign(variables: list[keras.Variable], values: list[keras.KerasTensor]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
