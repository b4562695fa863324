from fifteen.config import Training
from fifteen.training.optimizers import build_optimizer
from fifteen.training.schedules import TabulatedSchedule

import keras
import numpy as np
import pytest

RATES = np.array([0.1, 0.02, 0.3, 0.0, 0.05], np.float32)


def walk(name, gradient=2.0, start=1.0):
    """The values of one weight under a constant gradient, one more than there are rates."""
    optimizer = build_optimizer(name, TabulatedSchedule(RATES))
    weight = keras.Variable([start])
    values = [start]
    for _ in RATES:
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [weight])
        values.append(float(weight[0]))
    return np.array(values)


def test_params_yaml_can_name_exactly_these():
    for name in Training.model_fields["optimizer"].annotation.__args__:
        optimizer = build_optimizer(name, TabulatedSchedule(RATES))
        assert type(optimizer).__name__.lower() == name
    with pytest.raises(ValueError, match="no optimizer is called 'adagrad'"):
        build_optimizer("adagrad", TabulatedSchedule(RATES))


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_the_rate_of_each_step_is_used(name):
    optimizer = build_optimizer(name, TabulatedSchedule(RATES))
    weight = keras.Variable([1.0])
    for rate in [*RATES, RATES[-1]]:
        assert float(optimizer.learning_rate) == rate
        optimizer.apply([keras.ops.convert_to_tensor([1.0])], [weight])


def test_adam_by_hand():
    # Under a constant gradient both corrected moments are exact: a step is the rate.
    np.testing.assert_allclose(np.diff(walk("adam")), -RATES, atol=1e-5)


def test_adamw_by_hand():
    values = walk("adamw")
    expected = [1.0]
    for rate in RATES:
        expected.append(expected[-1] * (1 - 0.004 * rate) - rate)
    np.testing.assert_allclose(values, expected, atol=1e-5)


def test_sgd_by_hand():
    # Nesterov momentum 0.9: v ← 0.9 v − r g; w ← w + 0.9 v − r g
    velocity, expected = 0.0, [1.0]
    for rate in RATES:
        velocity = 0.9 * velocity - rate * 2.0
        expected.append(expected[-1] + 0.9 * velocity - rate * 2.0)
    np.testing.assert_allclose(walk("sgd"), expected, atol=1e-5)
