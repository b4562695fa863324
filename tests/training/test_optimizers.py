from typing import get_args

from fifteen.params.sections import SGD, Adam, AdamW, Muon, Optimizer
from fifteen.training.optimizers import build_optimizer
from fifteen.training.schedules import TabulatedSchedule

import keras
import numpy as np
import pytest

RATES = np.array([0.1, 0.02, 0.3, 0.0, 0.05], np.float32)
CONFIGS = {kind.__name__.lower(): kind for kind in (Adam, AdamW, SGD, Muon)}


def build(name, **options):
    return build_optimizer(CONFIGS[name](name=name, **options), TabulatedSchedule(RATES))


def walk(name, gradient=2.0, start=1.0, **options):
    """The values of one weight under a constant gradient, one more than there are rates."""
    optimizer = build(name, **options)
    weight = keras.Variable([start])
    values = [start]
    for _ in RATES:
        optimizer.apply([keras.ops.convert_to_tensor([gradient])], [weight])
        values.append(float(weight[0]))
    return np.array(values)


def test_params_yaml_can_name_exactly_these():
    union, *_ = get_args(Optimizer)
    assert set(get_args(union)) == set(CONFIGS.values())
    for name in CONFIGS:
        assert type(build(name)).__name__.lower() == name
    unknown = Adam.model_construct(name="adagrad")
    with pytest.raises(ValueError, match="no optimizer is called 'adagrad'"):
        build_optimizer(unknown, TabulatedSchedule(RATES))


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_the_rate_of_each_step_is_used(name):
    optimizer = build(name)
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


@pytest.mark.parametrize(("options", "momentum"), [({}, 0.9), ({"momentum": 0.5}, 0.5)])
def test_sgd_by_hand(options, momentum):
    # Nesterov momentum m: v ← m v − r g; w ← w + m v − r g
    velocity, expected = 0.0, [1.0]
    for rate in RATES:
        velocity = momentum * velocity - rate * 2.0
        expected.append(expected[-1] + momentum * velocity - rate * 2.0)
    np.testing.assert_allclose(walk("sgd", **options), expected, atol=1e-5)


def test_sgd_without_momentum_is_plain_descent():
    np.testing.assert_allclose(np.diff(walk("sgd", momentum=0.0)), -2 * RATES, atol=1e-6)


def test_muon_s_options_arrive():
    options = {
        "momentum": 0.125,
        "newton_schulz_steps": 7,
        "sgd_rate": 3.0,
        "sgd_momentum": 0.25,
        "weight_decay_of_dense": 0.0625,
    }
    config = build("muon", **options).get_config()
    assert {key: config[key] for key in options} == options
