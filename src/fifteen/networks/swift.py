"""`swift`: a residual network for short trainings.

It follows the public CIFAR speed runs (Page 2018, "How to train your ResNet"; Jordan 2024,
arXiv:2404.00498): a frozen whitening stem, three groups that pool early, convolutions initialised
as the identity, and scaled logits. It is built of Keras's own layers alone, so that a saved model
loads without the code of this project, on every backend.
"""

import keras
import numpy as np
from keras import layers

PATCH = 2  # side of the patches that the stem whitens, in pixels
STEM_IMAGES = 5000  # the stem is computed from so many
DEAD = 1e-6  # eigenvalues below this share of the largest one are rounding errors
EPSILON = 5e-4  # added to the eigenvalues, so that small ones do not dominate
GROUPS = (1.0, 3.0, 4.5)  # filters of each group, in multiples of the width


def swift(
    classes: int,
    images: np.ndarray,
    *,
    width: int,
    activation: str,
    whitening: bool,
    identity_init: bool,
    residual: bool,
    logit_scale: float,
) -> keras.Model:
    """Three groups, each of one pooled convolution and a residual pair.

    Args:
        classes: number of classes, at least 2.
        images: raw training images (N, height, width, 3), 0–255. The mean and deviation of each
            channel and the stem's kernel are computed from the first `STEM_IMAGES`.
        width: filters of the first group; the others have 3 and 4.5 times as many.
        activation: `relu`, `silu` or `gelu`.
        whitening: whether the stem's kernel whitens and is frozen; else it is learned.
        identity_init: whether convolutions are initialised as the identity; else as by He et al.
            (2015, arXiv:1502.01852).
        residual: whether there are skip connections around the pairs.
        logit_scale: the factor s of the logits in softmax(s·W·x) (Page 2018).

    Returns:
        A model from raw images (batch, height, width, 3) of any size from 9×9, uint8 or float in
        0–255, to probabilities (batch, classes) in float32.
    """
    sample = np.asarray(images[:STEM_IMAGES], np.float32)
    scale, offset = standardization(sample)

    inputs = keras.Input((None, None, 3), name="images")
    x = layers.Rescaling(scale.tolist(), offset.tolist(), name="standardized")(inputs)
    stem = layers.Conv2D(2 * 3 * PATCH**2, PATCH, name="stem")
    x = layers.Activation(activation)(stem(x))
    if whitening:
        stem.kernel.assign(whitening_kernel(sample * scale + offset))
        stem.kernel.trainable = False  # the bias goes on learning
    for multiple in GROUPS:
        x = group(x, int(width * multiple), activation, identity_init, residual)
    x = layers.Add()([layers.GlobalMaxPooling2D()(x), layers.GlobalAveragePooling2D()(x)])
    logits = layers.Dense(classes, use_bias=False, name="logits")(x)
    scaled = layers.Rescaling(logit_scale, dtype="float32")(logits)
    outputs = layers.Softmax(dtype="float32", name="probabilities")(scaled)
    return keras.Model(inputs, outputs, name="swift")


def group(
    x: keras.KerasTensor, filters: int, activation: str, identity_init: bool, residual: bool
) -> keras.KerasTensor:
    """A convolution to `filters` channels with pooling, then a residual pair of 3×3 convolutions.

    With batch normalisation N and activation σ, x ← σ(N(pool(conv(x)))), then
    x ← x + σ(N(conv(σ(N(conv(x)))))). The activation comes before the addition (He et al. 2016,
    arXiv:1603.05027, fig. 4c).
    """

    def convolve(x: keras.KerasTensor) -> keras.KerasTensor:
        layer = layers.Conv2D(
            filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal"
        )
        x = layer(x)
        if identity_init:
            layer.kernel.assign(identity_kernel(np.asarray(layer.kernel)))
        return x

    def normalize(x: keras.KerasTensor) -> keras.KerasTensor:
        # A momentum for hundreds of steps. A scale would be redundant.
        x = layers.BatchNormalization(momentum=0.65, epsilon=1e-5, scale=False)(x)
        return layers.Activation(activation)(x)

    x = normalize(layers.MaxPooling2D(2)(convolve(x)))
    y = normalize(convolve(normalize(convolve(x))))
    return layers.Add()([x, y]) if residual else y


def standardization(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and offset, (3,) each, that give every channel of `images` mean 0 and deviation 1."""
    deviation = np.maximum(images.std(axis=(0, 1, 2)), 1.0)  # a constant channel stays finite
    return 1 / deviation, -images.mean(axis=(0, 1, 2)) / deviation


def whitening_kernel(images: np.ndarray) -> np.ndarray:
    """A convolution kernel whose outputs on `images` are uncorrelated, with variance 1.

    The first half of its filters are the eigenvectors of the covariance of all PATCH×PATCH patches,
    each divided by √(eigenvalue + EPSILON). The second half are their negatives (Page 2018, part 8;
    Jordan 2024, arXiv:2404.00498, §3.2).

    Grey images have directions without variance, whose outputs are rounding errors that batch
    normalisation would amplify. The strongest direction takes their place.

    Args:
        images: (N, height, width, channels), standardised.

    Returns:
        (PATCH, PATCH, channels, 2 · channels · PATCH²), float32.
    """
    channels = images.shape[-1]
    patches = np.lib.stride_tricks.sliding_window_view(images, (PATCH, PATCH), axis=(1, 2))
    patches = np.moveaxis(patches, 3, -1).reshape(-1, PATCH**2 * channels)
    values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False, bias=True))
    order = np.arange(len(values))  # from the weakest to the strongest
    chosen = np.where(values > DEAD * values[-1], order, order[-1])
    whitening = (vectors / np.sqrt(values + EPSILON))[:, chosen]
    kernel = np.concatenate([whitening, -whitening], axis=1)
    return kernel.reshape(PATCH, PATCH, channels, -1).astype(np.float32)


def identity_kernel(kernel: np.ndarray) -> np.ndarray:
    """A copy of `kernel` whose first min(in, out) filters are the identity (Jordan 2024, §3.3).

    Args:
        kernel: (height, width, in, out), with odd height and width; gives the other filters.
    """
    height, width, *channels = kernel.shape
    same = min(channels)
    kernel = kernel.copy()
    kernel[..., :same] = 0
    kernel[height // 2, width // 2, :same, :same] = np.eye(same)
    return kernel
