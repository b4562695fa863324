"""Faster ways to compute two layers of Keras, for training alone."""

from collections.abc import Callable

from fifteen.training.devices import are_several, summed

import keras
import tensorflow as tf
from keras import layers, ops

TINY = 4  # side of the largest feature maps that are tiled, in pixels
SMALL = 8  # and of those that stand in a row for a gradient
TILES = 8  # images in a row, and in each column of a canvas


class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's layer for images, in training by the one kernel TensorFlow has for it.

    Keras computes it operation by operation, each a walk through the memory, which is a fifth of a
    training on a CPU. The moving variance is that of the unbiased estimate.

    Where several devices share a batch the statistics are those of the whole batch.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: None = None) -> tf.Tensor:
        """Normalise (batch, height, width, channels); on several devices (batch, channels) too."""
        if not training:
            return super().call(inputs, training, mask)
        channels = inputs.shape[-1]
        scale = tf.ones(channels) if self.gamma is None else self.gamma.value
        offset = tf.zeros(channels) if self.beta is None else self.beta.value
        normalise = _normalise_together if are_several() else tf.compat.v1.nn.fused_batch_norm
        outputs, mean, variance = normalise(inputs, scale, offset, epsilon=self.epsilon)
        for moving, of_batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + of_batch * (1 - self.momentum))
        return outputs


def _normalise_together(
    inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """As `tf.compat.v1.nn.fused_batch_norm`, by the statistics of all devices, for any rank."""
    x, axes = tf.cast(inputs, tf.float32), list(range(inputs.shape.rank - 1))
    count = summed(tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32))
    mean = summed(tf.reduce_sum(x, axes)) / count
    squares = summed(tf.reduce_sum(tf.math.squared_difference(x, mean), axes))
    outputs = tf.nn.batch_normalization(x, mean, squares / count, offset, scale, epsilon)
    # As on one device: the unbiased estimate of images, the other of all else (Keras's layer).
    freedom = tf.maximum(count - 1, 1) if len(axes) == 3 else count
    return tf.cast(outputs, inputs.dtype), mean, squares / freedom


def _side_by_side(maps: tf.Tensor, axis: int) -> tf.Tensor:
    """Maps of a batch, TILES of them after one another along `axis`."""
    return ops.concatenate(ops.split(maps, TILES), axis)


class TiledConv2D(layers.Conv2D):
    """Keras's layer with "same" padding, for maps of a few pixels with many channels.

    TILES² images are laid out on one canvas, with zeros between them, and convolved at once: oneDNN
    needs a third of the time for that, though a canvas is almost twice as large.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve (batch, height, width, channels)."""
        batch, height, width, _ = ops.shape(inputs)
        gap = self.kernel_size[0] // 2
        inputs = ops.pad(inputs, ((0, -batch % TILES**2), (0, gap), (0, gap), (0, 0)))
        canvas = _side_by_side(_side_by_side(inputs, axis=2), axis=1)
        outputs = super().call(canvas)
        for axis in (1, 2):
            outputs = ops.concatenate(ops.split(outputs, TILES, axis), axis=0)
        return outputs[:batch, :height, :width]


class RowConv2D(layers.Conv2D):
    """Keras's layer with "same" padding, for small maps; a faster gradient of its kernel.

    oneDNN sums that gradient along the rows of a map, 32 positions at a time where the processor
    has AMX, and a short row leaves most of them unused. So TILES images stand side by side for it,
    with zeros between them: it takes half the time at 7 pixels, a third at 5.
    """

    def convolution_op(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Convolve (batch, height, width, channels)."""
        same, gap = {"strides": [1, 1, 1, 1], "padding": "SAME"}, self.kernel_size[1] // 2

        @tf.custom_gradient
        def convolve(x: tf.Tensor, w: tf.Tensor) -> tuple[tf.Tensor, Callable]:
            def gradients(g: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                of_inputs = tf.raw_ops.Conv2DBackpropInput(
                    input_sizes=tf.shape(x), filter=w, out_backprop=g, **same
                )
                x_rows, g_rows = _in_rows(x, gap), _in_rows(g, gap)
                of_kernel = tf.raw_ops.Conv2DBackpropFilter(
                    input=x_rows, filter_sizes=w.shape, out_backprop=g_rows, **same
                )
                return of_inputs, of_kernel

            return tf.nn.conv2d(x, w, **same), gradients

        return convolve(inputs, tf.convert_to_tensor(kernel))


def _in_rows(maps: tf.Tensor, gap: int) -> tf.Tensor:
    """Maps of a batch, TILES in each row, with `gap` columns of zeros behind each."""
    to_full_rows = (0, -ops.shape(maps)[0] % TILES)
    return _side_by_side(ops.pad(maps, (to_full_rows, (0, 0), (0, gap), (0, 0))), axis=2)


def _is_plain(layer: layers.Conv2D) -> bool:
    plain = layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1
    return plain and layer.padding == "same" and layer.kernel_size == (3, 3)


def with_fast_kernels(network: keras.Model) -> keras.Model:
    """A copy of `network`, for images of at most 32×32, that trains faster.

    The copy has the same weights in the same order, as variables of its own, and computes the same
    up to rounding.
    """
    at_full_size = keras.models.clone_model(network, keras.Input((32, 32, 3)))

    def fast(layer: layers.Layer) -> layers.Layer:
        kind, config = type(layer), layer.get_config()
        shape = at_full_size.get_layer(layer.name).output.shape
        if kind is layers.BatchNormalization and (len(shape) == 4 or are_several()):
            kind = FusedBatchNormalization
        elif kind is layers.Conv2D and _is_plain(layer) and shape[1] <= SMALL:
            kind = TiledConv2D if shape[1] <= TINY else RowConv2D
        return kind.from_config(config)

    copy = keras.models.clone_model(network, clone_function=fast)
    copy.set_weights(network.get_weights())
    for ours, theirs in zip(copy.variables, network.variables, strict=True):
        ours.trainable = theirs.trainable
    return copy
