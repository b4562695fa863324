from fifteen.networks.build import build_network
from fifteen.params.sections import Baseline, Convnet, Refined, Swift
from fifteen.training.kernels import (
    FusedBatchNormalization,
    RowConv2D,
    TiledConv2D,
    with_fast_kernels,
)

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

MOMENTUM = 0.65
X = np.random.default_rng(0).normal(1.5, 2.0, (6, 5, 4, 3)).astype(np.float32)
N = 6 * 5 * 4  # values of a channel
OPTIONS = [{}, {"scale": False}, {"center": False}, {"center": False, "scale": False}]


def pair(dtype="float32", **options):
    """Keras's layer and the fused one, with the same weights."""
    both = [
        kind(momentum=MOMENTUM, epsilon=1e-3, dtype=dtype, **options)
        for kind in (layers.BatchNormalization, FusedBatchNormalization)
    ]
    rng = np.random.default_rng(1)
    weights = None
    for layer in both:
        layer.build(X.shape)
        weights = weights or [rng.uniform(0.5, 2.0, w.shape) for w in layer.get_weights()]
        layer.set_weights(weights)
    return both


def forward_and_back(layer, x, training=True):
    """The outputs, and the gradients of a weighted sum of them."""
    x = tf.constant(x)
    weights = tf.constant(np.random.default_rng(2).normal(size=x.shape), x.dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        total = tf.reduce_sum(tf.cast(y, tf.float32) * tf.cast(weights, tf.float32))
    variables = [v.value for v in layer.trainable_variables]
    return y, tape.gradient(total, [x, *variables])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_outputs_and_gradients_are_keras_s(options, training):
    keras_s, fused = (forward_and_back(layer, X, training) for layer in pair(**options))
    np.testing.assert_allclose(fused[0], keras_s[0], atol=2e-5)
    for actual, expected in zip(fused[1], keras_s[1], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-4)


def test_moving_statistics_by_hand():
    keras_s, fused = pair()
    before = [v.numpy() for v in (fused.moving_mean, fused.moving_variance)]
    for layer in (keras_s, fused):
        layer(X, training=True)
    mean, variance = X.mean(axis=(0, 1, 2)), X.var(axis=(0, 1, 2))
    kept = [MOMENTUM * value for value in before]
    np.testing.assert_allclose(fused.moving_mean, kept[0] + 0.35 * mean, rtol=1e-5)
    np.testing.assert_allclose(keras_s.moving_mean, fused.moving_mean, rtol=1e-5)
    unbiased = variance * N / (N - 1)
    np.testing.assert_allclose(fused.moving_variance, kept[1] + 0.35 * unbiased, rtol=1e-5)
    np.testing.assert_allclose(keras_s.moving_variance, kept[1] + 0.35 * variance, rtol=1e-5)


def test_inference_changes_nothing():
    _, fused = pair()
    before = fused.get_weights()
    fused(X, training=False)
    fused(X)
    for actual, expected in zip(fused.get_weights(), before, strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_bfloat16_is_near(options):
    keras_s, fused = pair("mixed_bfloat16", **options)
    assert {v.dtype for v in fused.variables} == {"float32"}
    x = tf.cast(X, tf.bfloat16)
    expected, actual = (forward_and_back(layer, x) for layer in (keras_s, fused))
    assert actual[0].dtype == expected[0].dtype == tf.bfloat16
    np.testing.assert_allclose(
        tf.cast(actual[0], tf.float32), tf.cast(expected[0], tf.float32), atol=0.06
    )
    for a, b in zip(actual[1], expected[1], strict=True):
        np.testing.assert_allclose(
            tf.cast(a, tf.float32), tf.cast(b, tf.float32), rtol=0.05, atol=0.5
        )
    np.testing.assert_allclose(fused.moving_mean, keras_s.moving_mean, rtol=0.01)
    np.testing.assert_allclose(fused.moving_variance, keras_s.moving_variance, rtol=0.02)
    # They are float32, not rounded to 8 bits.
    values = np.concatenate([fused.moving_mean.numpy(), fused.moving_variance.numpy()])
    assert (values != tf.cast(tf.cast(values, tf.bfloat16), tf.float32).numpy()).any()


def test_within_a_graph():
    keras_s, fused = pair()
    actual = tf.function(lambda x: fused(x, training=True))(tf.constant(X))
    np.testing.assert_allclose(actual, keras_s(X, training=True), atol=2e-5)
    np.testing.assert_allclose(fused.moving_mean, keras_s.moving_mean, rtol=1e-5)


def build(seed=0):
    """A frozen stem, two normalisations of images and one of vectors."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((None, None, 3))
    stem = layers.Conv2D(4, 2, name="stem")
    x = layers.BatchNormalization(momentum=0.65, epsilon=1e-5, scale=False)(stem(inputs))
    stem.kernel.trainable = False
    y = layers.Conv2D(4, 3, padding="same", use_bias=False)(x)
    y = layers.BatchNormalization(name="second")(layers.Activation("relu")(y))
    x = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    x = layers.BatchNormalization(name="of_vectors")(layers.Dense(6)(x))
    x = layers.Dropout(0.25, seed=3)(x)
    return keras.Model(inputs, layers.Dense(2, activation="softmax")(x), name="both")


def test_a_copy_has_the_weights_in_their_order():
    network = build()
    for v in network.non_trainable_variables:
        if "moving" in v.path:
            v.assign(v + 0.25)
    copy = with_fast_kernels(network)
    assert [v.path for v in copy.weights] == [v.path for v in network.weights]
    for actual, expected in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    np.testing.assert_allclose(copy(X), network(X), atol=1e-6)
    # They are its own.
    copy.layers[1].bias.assign(copy.layers[1].bias + 1)
    assert (network.layers[1].bias.numpy() != copy.layers[1].bias.numpy()).all()


def test_only_what_normalises_images_is_fused():
    network = build()
    copy = with_fast_kernels(network)
    for ours, theirs in zip(copy.layers[1:], network.layers[1:], strict=True):
        fused = isinstance(theirs, layers.BatchNormalization) and theirs.name != "of_vectors"
        assert type(ours) is (FusedBatchNormalization if fused else type(theirs))
        assert ours.get_config() == theirs.get_config()
    kinds = [type(layer) for layer in copy.layers]
    assert (kinds.count(FusedBatchNormalization), kinds.count(layers.BatchNormalization)) == (2, 1)


def test_what_is_frozen_stays_frozen():
    network = build()
    copy = with_fast_kernels(network)
    assert [v.trainable for v in copy.variables] == [v.trainable for v in network.variables]
    actual = {v.path for v in copy.trainable_variables}
    assert actual == {v.path for v in network.trainable_variables}
    assert "stem/kernel" not in actual
    assert "stem/bias" in actual


def test_sequential_networks_too():
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), layers.Conv2D(4, 3), layers.BatchNormalization()]
    )
    copy = with_fast_kernels(network)
    assert [type(layer) for layer in copy.layers] == [layers.Conv2D, FusedBatchNormalization]
    images = np.resize(X, (2, 8, 8, 3))
    np.testing.assert_allclose(copy(images), network(images), atol=1e-6)


def test_both_networks_learn_the_same():
    labels = np.arange(6) % 2
    network = build()
    copy = with_fast_kernels(network)
    losses = []
    for model in (network, copy):
        keras.utils.set_random_seed(1)
        model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        losses.append([float(model.train_on_batch(X, labels)) for _ in range(4)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    for ours, theirs in zip(copy.trainable_variables, network.trainable_variables, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


# Convolutions of small maps

KINDS = [TiledConv2D, RowConv2D]


def convolutions(kind, filters, channels, dtype="float32", **options):
    """Keras's layer and the fast one, with the same weights."""
    both = [
        each(filters, 3, padding="same", dtype=dtype, **options) for each in (layers.Conv2D, kind)
    ]
    for layer in both:
        layer.build((None, None, None, channels))
    rng = np.random.default_rng(1)
    both[0].set_weights([rng.normal(size=w.shape) for w in both[0].get_weights()])
    both[1].set_weights(both[0].get_weights())
    return both


def maps(batch, height, width, channels):
    return np.random.default_rng(0).normal(size=(batch, height, width, channels)).astype("float32")


@pytest.mark.parametrize("batch", [1, 5, 64, 65, 130])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 3), (4, 4), (2, 3), (7, 8)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_fast_convolution_is_keras_s(kind, size, batch):
    x = maps(batch, *size, 3)
    expected, actual = (apply_and_back(layer, x) for layer in convolutions(kind, 5, 3))
    assert actual[0].shape == expected[0].shape
    np.testing.assert_allclose(actual[0], expected[0], atol=2e-5)
    for one, other in zip(actual[1], expected[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-4)


def apply_and_back(layer, x):
    """The outputs, and the gradients of the sum of their squares."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        total = tf.reduce_mean(y**2)
    return y, tape.gradient(total, [x, *[v.value for v in layer.trainable_variables]])


def test_images_on_a_canvas_do_not_meet():
    _, tiled = convolutions(TiledConv2D, 4, 3, use_bias=False)
    x = maps(64, 3, 3, 3)
    x[1::2] = 0
    actual = tiled(x).numpy()
    np.testing.assert_array_equal(actual[1::2], 0)
    assert (np.abs(actual[::2]).max(axis=(1, 2, 3)) > 0.1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fast_convolution_in_bfloat16_is_near(kind):
    x = tf.cast(maps(10, 3, 3, 3), tf.bfloat16)
    both = convolutions(kind, 5, 3, "mixed_bfloat16")
    expected, actual = (apply_and_back(layer, x) for layer in both)
    for one, other in zip([actual[0], *actual[1]], [expected[0], *expected[1]], strict=True):
        one, other = tf.cast(one, tf.float32), tf.cast(other, tf.float32)
        np.testing.assert_allclose(one, other, atol=0.02 * np.abs(other).max(), rtol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fast_convolution_in_a_graph_of_unknown_sizes(kind):
    keras_s, fast = convolutions(kind, 5, 3)
    signature = [tf.TensorSpec([None, None, None, 3], tf.float32)]
    run = tf.function(fast, input_signature=signature)
    for shape in ((7, 3, 3, 3), (70, 2, 4, 3)):
        np.testing.assert_allclose(run(maps(*shape)), keras_s(maps(*shape)), atol=2e-5)


NETWORKS = {
    "baseline": Baseline(name="baseline"),
    "convnet": Convnet(name="convnet", filters_1=4, filters_2=4, dense_units=8),
    "refined": Refined(name="refined"),
    "swift": Swift(name="swift", width=2),
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_fast_network_answers_as_the_network(name):
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    keras.utils.set_random_seed(0)
    network = build_network(NETWORKS[name], 5, images)
    copy = with_fast_kernels(network)
    for actual, expected in zip(copy.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    actual, expected = (np.asarray(n(images)) for n in (copy, network))
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-5)
    if name == "swift":  # the others have dropout
        actual, expected = (np.asarray(n(images, training=True)) for n in (copy, network))
        np.testing.assert_allclose(actual, expected, atol=1e-3)


def test_what_of_swift_is_fast():
    images = np.random.default_rng(0).integers(0, 256, (9, 32, 32, 3), dtype=np.uint8)
    network = build_network(NETWORKS["swift"], 5, images)
    copy = with_fast_kernels(network)
    kinds = [type(layer) for layer in copy.layers]
    assert kinds.count(FusedBatchNormalization) == 9
    assert layers.BatchNormalization not in kinds
    # Of the maps of 31, 15, 7 and 3 pixels those of 3, in the last group, and those of 7 before.
    assert (kinds.count(TiledConv2D), kinds.count(RowConv2D)) == (2, 3)
    for size in (20, 24, 33, 48):
        x = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), dtype=np.uint8)
        np.testing.assert_allclose(copy(x), network(x), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("options", [{"padding": "valid"}, {"padding": "same", "strides": 2}])
def test_a_small_convolution_of_another_kind_is_left_alone(options):
    network = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.MaxPooling2D(8), layers.Conv2D(4, 3, **options)]
    )
    copy = with_fast_kernels(network)
    images = np.random.default_rng(0).normal(size=(3, 32, 32, 3)).astype("float32")
    np.testing.assert_allclose(copy(images), network(images), atol=1e-5)
