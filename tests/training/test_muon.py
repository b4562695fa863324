from fifteen.training.muon import COEFFICIENTS, Muon, newton_schulz
from fifteen.training.schedules import TabulatedSchedule

import keras
import numpy as np
import pytest

OPTIONS = {
    "momentum": 0.6,
    "newton_schulz_steps": 3,
    "sgd_rate": 5.0,
    "sgd_momentum": 0.9,
    "weight_decay_of_dense": 0.05,
}
RATES = np.array([0.25, 0.1, 0.4], np.float32)


def quintic(matrix, steps):
    """Newton and Schulz's iteration as it was published, in float64."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = np.asarray(matrix, np.float64)
    x = x.T if tall else x
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def walk(start, gradients, rates=RATES, **changes):
    """The values of one variable after each step."""
    optimizer = Muon(TabulatedSchedule(rates), **OPTIONS | changes)
    variable = keras.Variable(start)
    actual = []
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        actual.append(keras.ops.convert_to_numpy(variable))
    return actual


def test_the_published_coefficients():
    assert COEFFICIENTS == (3.4445, -4.7750, 2.0315)


@pytest.mark.parametrize("shape", [(8, 8), (6, 40), (40, 6), (1, 7), (7, 1), (64, 216)])
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_newton_schulz_by_hand(shape, steps):
    matrix = random(*shape)
    actual = np.asarray(newton_schulz(keras.ops.convert_to_tensor(matrix), steps))
    assert actual.shape == shape
    np.testing.assert_allclose(actual, quintic(matrix, steps), atol=1e-4)


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (24, 216), (216, 24), (1, 30)])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_singular_values_come_near_to_one(shape, scale):
    matrix = scale * random(*shape)
    actual = np.asarray(newton_schulz(keras.ops.convert_to_tensor(matrix), 5))
    values = np.linalg.svd(actual, compute_uv=False)
    assert values.min() > 0.6
    assert values.max() < 1.25
    # The singular vectors stay: with those of the input the result is diagonal.
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    inner = u.T @ actual @ vt.T
    np.testing.assert_allclose(inner, np.diag(np.diag(inner)), atol=1e-3)


@pytest.mark.parametrize("shape", [(8, 8), (5, 20), (20, 5)])
def test_of_an_orthogonal_matrix_it_is_a_multiple(shape):
    u, _, vt = np.linalg.svd(random(*shape), full_matrices=False)
    matrix = (u @ vt).astype(np.float32)
    # All n singular values are 1/√n at first, and go one way.
    value = 1 / np.sqrt(min(shape))
    for _ in range(5):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    actual = np.asarray(newton_schulz(keras.ops.convert_to_tensor(matrix), 5))
    np.testing.assert_allclose(actual, value * matrix, atol=1e-4)
    assert 0.6 < value < 1.25


def test_a_matrix_of_zeros_stays():
    for shape in ((3, 5), (5, 3)):
        actual = np.asarray(newton_schulz(keras.ops.zeros(shape), 5))
        np.testing.assert_array_equal(actual, np.zeros(shape))


def test_newton_schulz_in_bfloat16_is_near():
    matrix = random(12, 50)
    actual = newton_schulz(keras.ops.convert_to_tensor(matrix), 3, "bfloat16")
    assert keras.backend.standardize_dtype(actual.dtype) == "float32"
    np.testing.assert_allclose(np.asarray(actual), quintic(matrix, 3), atol=0.05)
    assert np.abs(np.asarray(actual) - quintic(matrix, 3)).max() > 1e-4


@pytest.mark.parametrize("shape", [(3, 3, 2, 4), (1, 1, 6, 3), (2, 2, 1, 16)])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_convolution_s_kernel_by_hand(shape, steps):
    start, gradients = random(*shape), [random(*shape, seed=i) for i in (1, 2)]
    actual = walk(start, gradients, newton_schulz_steps=steps)
    weight, moment, filters = start.astype(np.float64), np.zeros(shape), shape[-1]
    for gradient, rate, value in zip(gradients, RATES, actual, strict=False):
        moment = 0.6 * moment + gradient
        update = gradient + 0.6 * moment
        rows = np.stack([update[..., i].ravel() for i in range(filters)])  # one per filter
        step = quintic(rows, steps)
        step = np.stack([step[i].reshape(shape[:-1]) for i in range(filters)], axis=-1)
        weight = np.sqrt(filters) * weight / np.linalg.norm(weight) - rate * step
        np.testing.assert_allclose(value, weight, atol=1e-4)


@pytest.mark.parametrize(("shape", "decay"), [((5, 3), 0.05), ((4,), 0.0), ((), 0.0)])
def test_everything_else_by_hand(shape, decay):
    start, gradients = np.float32(random(*shape)), [random(*shape, seed=i) for i in (1, 2, 3)]
    actual = walk(start, [np.float32(g) for g in gradients])
    weight, moment = np.float64(start), np.zeros(shape)
    for gradient, rate, value in zip(gradients, RATES, actual, strict=True):
        gradient = gradient + decay * weight  # kernels of dense layers alone
        moment = 0.9 * moment + gradient
        weight = weight - 5.0 * rate * (gradient + 0.9 * moment)
        np.testing.assert_allclose(value, weight, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "shrinks"), [((5, 3), True), ((4,), False), ((3, 3, 2, 4), False)]
)
def test_without_a_gradient_only_dense_kernels_decay(shape, shrinks):
    start = random(*shape)
    if len(shape) == 4:
        start *= np.sqrt(shape[-1]) / np.linalg.norm(start)  # so that the norm is as it shall be
    (actual,) = walk(start, [np.zeros(shape, np.float32)])
    # λ · w through the gradient and the momentum: 5 · 0.25 · 0.05 · (1 + 0.9)
    factor = 1 - 5.0 * 0.25 * 0.05 * 1.9 if shrinks else 1
    np.testing.assert_allclose(actual, factor * start, rtol=1e-5)


@pytest.mark.parametrize("scale", [0.01, 1.0, 300.0])
def test_a_kernel_has_the_norm_of_its_filters_before_each_step(scale):
    start, gradient = scale * random(3, 3, 2, 9), random(3, 3, 2, 9, seed=1)
    (actual,) = walk(start, [gradient], rates=np.zeros(1, np.float32))
    assert np.linalg.norm(actual) == pytest.approx(3.0, rel=1e-5)  # √9
    np.testing.assert_allclose(actual / 3, start / np.linalg.norm(start), atol=1e-6)


def test_the_size_of_a_gradient_does_not_matter_to_a_kernel():
    start, gradient = random(3, 3, 2, 4), random(3, 3, 2, 4, seed=1)
    small, large = (walk(start, [s * gradient])[0] for s in (1e-2, 1e3))
    np.testing.assert_allclose(small, large, atol=1e-4)


def test_the_schedule_is_followed():
    optimizer = Muon(TabulatedSchedule(RATES), **OPTIONS)
    weight = keras.Variable([0.0])
    actual = []
    for _ in RATES:
        actual.append(float(optimizer.learning_rate))
        optimizer.apply([keras.ops.zeros(1)], [weight])
    assert actual == RATES.tolist()
    steps = np.diff([0.0, *np.ravel(walk([0.0], [np.float32([1.0])] * 3, sgd_momentum=0.0))])
    np.testing.assert_allclose(steps, -5.0 * RATES, rtol=1e-5)


def test_it_goes_through_its_config():
    optimizer = Muon(0.1, **OPTIONS)
    config = optimizer.get_config()
    assert {key: config[key] for key in OPTIONS} == OPTIONS
    again = Muon.from_config(config)
    assert again.get_config() == config


def test_a_schedule_goes_through_its_config_too():
    custom = {"Muon": Muon, "TabulatedSchedule": TabulatedSchedule}
    saved = keras.saving.serialize_keras_object(Muon(TabulatedSchedule(RATES), **OPTIONS))
    again = keras.saving.deserialize_keras_object(saved, custom_objects=custom)
    assert {key: again.get_config()[key] for key in OPTIONS} == OPTIONS
    assert float(again.learning_rate) == RATES[0]


def test_the_state_of_a_network():
    """A momentum for each variable that is learned, and none for one that is not."""
    network = keras.Sequential(
        [
            keras.Input((6, 6, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    network.layers[0].kernel.trainable = False
    network.compile(Muon(0.1, **OPTIONS), "sparse_categorical_crossentropy")
    optimizer = network.optimizer
    optimizer.build(network.trainable_variables)
    shapes = [tuple(v.shape) for v in optimizer.variables]
    assert sorted(shapes) == sorted([(), (), (4,), (4, 2), (2,)])  # the step and the rate
    network.train_on_batch(random(8, 6, 6, 3), np.arange(8) % 2)
    assert int(optimizer.iterations) == 1


def test_a_network_learns_with_it():
    keras.utils.set_random_seed(0)
    images = random(64, 8, 8, 1)
    labels = (np.arange(64) % 2).astype(np.int32)
    images[:, :, 3] += 2 * labels[:, None, None]  # a bright column
    network = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    network.compile(Muon(0.05, **OPTIONS), "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(images, labels, batch_size=16, epochs=6, verbose=0)
    assert network.evaluate(images, labels, verbose=0)[1] > 0.9
