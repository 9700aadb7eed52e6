"""A YAMNet of random tensors, and a convolution written out, for tests without weights."""

import numpy as np
import pytest

from auricle.represent.yamnet.graph import Layer, Network

STRIDES_AND_CHANNELS = [
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    *[(1, 512)] * 5,
    (2, 1024),
    (1, 1024),
]


@pytest.fixture(scope="session")
def random_network() -> Network:
    """The published shapes with random weights, scaled so that activations stay about 1 from layer to layer."""
    rng = np.random.default_rng(0)

    def layer(inputs, outputs, kernel, stride, groups, power=1.0):
        fan = inputs // groups * kernel**2
        weight = rng.integers(-127, 128, (outputs, inputs // groups, kernel, kernel)).astype(np.int8)
        scale = np.full(outputs, np.sqrt(2 / fan / power) / 73, np.float32)  # 73: deviation of the integers
        bias = rng.normal(0.0, 0.1, outputs).astype(np.float32)
        return Layer(weight, scale, bias, stride, groups, step=0.04)

    layers, channels = [layer(1, 32, 3, 2, 1, power=16)], 32
    for stride, outputs in STRIDES_AND_CHANNELS:
        layers += [layer(channels, channels, 3, stride, channels), layer(channels, outputs, 1, 1, 1)]
        channels = outputs
    classifier = rng.integers(-127, 128, (521, 1024)).astype(np.int8)
    return Network(layers, classifier, 0.001, rng.normal(-3.0, 1.0, 521).astype(np.float32))


def slow_convolution(x, weight, stride, groups):
    """TensorFlow's "SAME" convolution of ``x`` [in, h, w] with ``weight`` [out, in / groups, k, k], in float64."""
    size = weight.shape[-1]
    outputs = [-(-length // stride) for length in x.shape[1:]]
    missing = [max((out - 1) * stride + size - length, 0) for out, length in zip(outputs, x.shape[1:], strict=True)]
    x = np.pad(x.astype(np.float64), [(0, 0), *[(total // 2, total - total // 2) for total in missing]])
    result = np.zeros((len(weight), *outputs))
    per_group = len(weight) // groups
    for i, kernel in enumerate(weight.astype(np.float64)):
        channels = x[i // per_group * kernel.shape[0] :][: kernel.shape[0]]
        for row, column in np.ndindex(*outputs):
            patch = channels[:, row * stride : row * stride + size, column * stride : column * stride + size]
            result[i, row, column] = (patch * kernel).sum()
    return result
