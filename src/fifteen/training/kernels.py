"""Faster kernels for two Keras layers, used during training alone."""

from collections.abc import Callable

from fifteen.training.devices import are_several, summed

import keras
import tensorflow as tf
from keras import layers, ops

TINY = 4  # side of the largest feature maps that are tiled, in pixels
SMALL = 8  # side of the largest feature maps that are laid out in rows for the gradient, in pixels
TILES = 8  # images in a row, and rows of a canvas


class FusedBatchNormalization(layers.BatchNormalization):
    """Keras's layer for images, computed in training by TensorFlow's fused kernel.

    Keras computes it operation by operation, each a pass through memory: a fifth of a training on a
    CPU. The moving variance uses the unbiased estimate.

    Where several devices share a batch, the statistics are those of the whole batch.
    """

    def call(self, inputs: tf.Tensor, training: bool | None = None, mask: None = None) -> tf.Tensor:
        """Normalise (batch, height, width, channels)."""
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
    """Like `tf.compat.v1.nn.fused_batch_norm`, with the statistics of the batch on all devices."""
    x = tf.cast(inputs, tf.float32)
    mean, variance = ops.moments(x, [0, 1, 2], synchronized=True)
    outputs = tf.nn.batch_normalization(x, mean, variance, offset, scale, epsilon)
    count = summed(tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), tf.float32))
    return tf.cast(outputs, inputs.dtype), mean, variance * count / tf.maximum(count - 1, 1)


def _side_by_side(maps: tf.Tensor, axis: int) -> tf.Tensor:
    """The maps of a batch, joined along `axis` in groups of TILES."""
    return ops.concatenate(ops.split(maps, TILES), axis)


class TiledConv2D(layers.Conv2D):
    """Keras's layer with "same" padding, for feature maps of a few pixels with many channels.

    TILES² images are laid out on one canvas, with zeros between them, and convolved at once. The
    canvas is almost twice as large, but oneDNN needs a third of the time.
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
    """Keras's layer with "same" padding, for small feature maps, with a faster kernel gradient.

    oneDNN sums this gradient along the rows of a map, 32 positions at a time on processors with
    AMX. Short rows leave most of these positions unused. So TILES images stand side by side, with
    zeros between them: half the time at 7 pixels, a third at 5.
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
    """The maps of a batch, TILES in each row, with `gap` columns of zeros after each."""
    to_full_rows = (0, -ops.shape(maps)[0] % TILES)
    return _side_by_side(ops.pad(maps, (to_full_rows, (0, 0), (0, gap), (0, 0))), axis=2)


def _is_plain(layer: layers.Conv2D) -> bool:
    """Whether the layer is a 3×3 convolution without strides, dilation or groups."""
    plain = layer.strides == layer.dilation_rate == (1, 1) and layer.groups == 1
    return plain and layer.padding == "same" and layer.kernel_size == (3, 3)


def with_fast_kernels(network: keras.Model) -> keras.Model:
    """A copy of `network` that trains faster on images of 32×32 pixels and smaller.

    The copy has its own variables, with the same values in the same order. Its outputs are the same
    up to rounding.
    """
    at_full_size = keras.models.clone_model(network, keras.Input((32, 32, 3)))

    def fast(layer: layers.Layer) -> layers.Layer:
        kind, config = type(layer), layer.get_config()
        shape = at_full_size.get_layer(layer.name).output.shape
        if kind is layers.BatchNormalization:
            config["synchronized"] = are_several()
            kind = FusedBatchNormalization if len(shape) == 4 else kind
        elif kind is layers.Conv2D and _is_plain(layer) and shape[1] <= SMALL:
            kind = TiledConv2D if shape[1] <= TINY else RowConv2D
        return kind.from_config(config)

    copy = keras.models.clone_model(network, clone_function=fast)
    copy.set_weights(network.get_weights())
    for ours, theirs in zip(copy.variables, network.variables, strict=True):
        ours.trainable = theirs.trainable
    return copy
