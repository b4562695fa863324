"""Muon: orthogonalised momentum for convolution kernels."""

from typing import Any

import keras
from keras import ops

# a, b and c of the quintic a·x + b·x³ + c·x⁵. Five steps bring all but the smallest singular values
# in (0, 1] to about [0.7, 1.2]; with fewer steps more of them stay below.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(keras.optimizers.Optimizer):
    """Muon for convolution kernels; Nesterov SGD for everything else.

    With gradient g, momentum μ and rate η, a kernel W of n filters (Jordan et al. 2024, "Muon: an
    optimizer for hidden layers in neural networks"; the norm kept at √n as in his CIFAR-10 speed
    run) makes the step

        m ← μ·m + g,   u = g + μ·m,   W ← √n · W/‖W‖ − η · orthogonal(u),

    where u is a matrix of one column per filter, ‖·‖ is the Frobenius norm and `orthogonal` is
    `newton_schulz`. Every other variable w makes the Nesterov step of Sutskever et al. (2013), with
    its own rate factor ρ and momentum ν, and with weight decay λ for dense kernels alone:

        m ← ν·m + g + λ·w,   w ← w − ρ·η · (g + λ·w + ν·m).
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
        momentum: float,
        newton_schulz_steps: int,
        sgd_rate: float,
        sgd_momentum: float,
        weight_decay_of_dense: float,
        name: str = "muon",
        **options: Any,  # noqa: ANN401 - options of every Keras optimizer
    ) -> None:
        """Keep the constants.

        Args:
            learning_rate: η, for convolution kernels.
            momentum: μ, in [0, 1).
            newton_schulz_steps: iterations of `newton_schulz`, at least 1.
            sgd_rate: ρ; the rate of all other variables is ρ·η.
            sgd_momentum: ν, in [0, 1).
            weight_decay_of_dense: λ, for the kernels of dense layers alone.
            name: of the optimizer.
            options: of `keras.optimizers.Optimizer`.
        """
        super().__init__(learning_rate=learning_rate, name=name, **options)
        self.momentum, self.newton_schulz_steps = momentum, newton_schulz_steps
        self.sgd_rate, self.sgd_momentum = sgd_rate, sgd_momentum
        self.weight_decay_of_dense = weight_decay_of_dense
        self.orthogonalize_in = keras.config.dtype_policy().compute_dtype

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the momentum of each variable."""
        if not self.built:
            super().build(variables)
            self._moments = self.add_optimizer_variables(variables, "momentum")

    def update_step(
        self,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        learning_rate: keras.KerasTensor,
    ) -> None:
        """Update one variable."""
        moment = self._moments[self._get_variable_index(variable)]
        rate = ops.cast(learning_rate, variable.dtype)
        is_kernel = len(variable.shape) == 4
        if len(variable.shape) == 2:
            gradient = gradient + self.weight_decay_of_dense * variable
        momentum = self.momentum if is_kernel else self.sgd_momentum
        self.assign(moment, momentum * moment + gradient)
        update = gradient + momentum * moment
        if not is_kernel:
            self.assign_sub(variable, self.sgd_rate * rate * update)
            return
        filters = variable.shape[-1]
        matrix = ops.reshape(update, (-1, filters))
        step = newton_schulz(matrix, self.newton_schulz_steps, self.orthogonalize_in)
        step = ops.reshape(step, variable.shape)
        norm = ops.sqrt(ops.sum(ops.square(variable)))
        self.assign(variable, variable * (filters**0.5 / norm) - rate * step)

    def get_config(self) -> dict[str, object]:
        """The constants, so that a compiled model can be saved."""
        return super().get_config() | {
            "momentum": self.momentum,
            "newton_schulz_steps": self.newton_schulz_steps,
            "sgd_rate": self.sgd_rate,
            "sgd_momentum": self.sgd_momentum,
            "weight_decay_of_dense": self.weight_decay_of_dense,
        }


def newton_schulz(
    matrix: keras.KerasTensor, steps: int, compute_dtype: str = "float32"
) -> keras.KerasTensor:
    """An approximation of U·Vᵀ, where U·S·Vᵀ is the singular value decomposition of `matrix`.

    X ← matrix/‖matrix‖, then `steps` times X ← a·X + X·(b·A + c·A²) with A = Xᵀ·X (Jordan et al.
    2024, with the coefficients given there; the quintic iteration is that of Bernstein and Newhouse
    2024, arXiv:2409.20325, §5). A matrix of zeros stays as it is.

    Args:
        matrix: (rows, columns).
        steps: number of iterations.
        compute_dtype: the type in which matrices are multiplied.

    Returns:
        (rows, columns), in the type of `matrix`.
    """
    a, b, c = COEFFICIENTS
    rows, columns = matrix.shape
    x = matrix / (ops.sqrt(ops.sum(ops.square(matrix))) + 1e-7)
    x = ops.cast(
        ops.transpose(x) if rows < columns else x, compute_dtype
    )  # makes A the smaller of both
    for _ in range(steps):
        gram = ops.matmul(ops.transpose(x), x)
        x = a * x + ops.matmul(x, b * gram + c * ops.matmul(gram, gram))
    x = ops.cast(x, matrix.dtype)
    return ops.transpose(x) if rows < columns else x
