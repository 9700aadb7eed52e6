"""YAMNet as ONNX graphs, written layer by layer from the tensors of a published 8-bit export.

The export holds 27 convolutions, batch norm folded in, whose weights lie on an int8 grid per output channel. It hears
one patch at a time and rounds its logits to multiples of 0.76, so only its weights are kept, and two graphs are written
anew, both ``logmel [n, 96, 64] -> embedding [n, 1024], scores [n, 521]``:

- **float**: float32 activations.
- **int8**: uint8 activations. The first layer, of one input channel, stays in float: that is faster, and the log-mel
  is not rounded. Pooling and classifier are in float64.

A row of the output never depends on its batch. Integers add up to the same in any order, which covers all of int8 but
the first layer: int32 in the convolutions, and below 2**53 in pooling and classifier (6 x 255 x 128 x 1024 < 2**28). In
float, convolutions go through a batch image by image; a matrix product does not (one row takes another path than many),
so the classifier is a 1x1 convolution as well.

On x86 without VNNI, ONNX Runtime adds pairs of 8-bit products in saturating 16 bits. Of the pairs in real recordings
one in 60,000 saturates: scores differ a little from those of other machines, not from row to row.
"""

import zipfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, load_from_string, numpy_helper

from auricle.represent._graph import Graph

FRAMES, BANDS = 96, 64  # of one log-mel patch
INPUTS = {"logmel": ["patches", FRAMES, BANDS]}
OUTPUTS = {"embedding": ["patches", "dim"], "scores": ["patches", "classes"]}

# Steps of int8's activations: the first layer's, then each later layer's of its depthwise and its pointwise part. Found
# by coordinate descent on the agreement with float over windows of effects, speech, music and coloured noise, starting
# at the steps of the export (`calibrate` in benchmarks/ear.py).
# fmt: off
STEPS = (
    0.0426,
    0.0676, 0.0445,  0.0657, 0.0459,  0.0662, 0.0473,  0.0484, 0.0416,  0.0363, 0.0266,  0.0329, 0.0292,  # layers 2-7
    0.0327, 0.0247,  0.0333, 0.0274,  0.0293, 0.0322,  0.0419, 0.0185,  0.00926, 0.00288,  # layers 8-12
    0.00183, 0.00669,  0.00983, 0.0393,  # layers 13-14
)
# fmt: on


class Layer(NamedTuple):
    """A convolution with "SAME" padding, then ReLU."""

    weight: NDArray[np.int8]  # [out, in / groups, height, width]
    scale: NDArray[np.float32]  # [out]; weight * scale is the float weight
    bias: NDArray[np.float32]  # [out]
    stride: int  # 1, or 2 over maps of even size
    groups: int
    step: float  # of its output as uint8, whose zero is 0

    def dequantised(self) -> NDArray[np.float32]:
        """The float weight [out, in / groups, height, width]."""
        return self.weight * self.scale[:, None, None, None]

    def geometry(self) -> dict[str, Any]:
        """Attributes of the ONNX operator; a stride of 2 over an even map is padded at its end only."""
        kernel = self.weight.shape[2:]
        pads = [0, 0, 0, 0] if kernel == (1, 1) else [0, 0, 1, 1] if self.stride == 2 else [1, 1, 1, 1]
        return {"group": self.groups, "kernel_shape": kernel, "pads": pads, "strides": [self.stride] * 2}


class Network(NamedTuple):
    """The tensors of a YAMNet."""

    layers: Sequence[Layer]
    classifier: NDArray[np.int8]  # [classes, dim]
    scale: float  # classifier * scale is the float weight
    bias: NDArray[np.float32]  # [classes]

    @property
    def cells(self) -> int:
        """Size of the last map (time x mel), over which the embedding is the mean: 3 x 2."""
        shrink = int(np.prod([layer.stride for layer in self.layers]))
        return (FRAMES // shrink) * (BANDS // shrink)


def read(path: str | PathLike[str]) -> Network:
    """Reads the zipped export: a ``model.onnx`` and the ``model.data`` beside it that holds its large tensors."""
    with zipfile.ZipFile(path) as archive:
        members = {PurePosixPath(name).name: name for name in archive.namelist()}
        graph = load_from_string(archive.read(members["model.onnx"])).graph
        data = archive.read(members["model.data"])
    tensors = {tensor.name: _array(tensor, data) for tensor in graph.initializer}

    def on_grid(name: str) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
        weight, scale = tensors[name], tensors[f"{name}_scale"]
        return np.rint(weight / scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int8), scale

    def layer(conv: NodeProto, step: float) -> Layer:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in conv.attribute}
        weight, scale = on_grid(conv.input[1].removesuffix("_qdq"))
        return Layer(weight, scale, tensors[conv.input[2]], attributes["strides"][0], attributes["group"], step)

    convs = [node for node in graph.node if node.op_type == "Conv"]
    classifier, scale = on_grid("model.classifier.weight")
    return Network(
        layers=[layer(conv, step) for conv, step in zip(convs, STEPS, strict=True)],
        classifier=classifier,
        scale=float(scale),
        bias=tensors["model.classifier.bias"],
    )


def int8_graph(network: Network) -> ModelProto:
    """The graph with uint8 activations."""
    graph = Graph("yamnet")
    stem, *layers = network.layers
    x = graph.add("Unsqueeze", "logmel", np.array([1]))
    x = graph.add("Relu", graph.add("Conv", x, stem.dequantised(), stem.bias, **stem.geometry()))
    step, zero = np.float32(stem.step), np.uint8(0)
    x = graph.add("QuantizeLinear", x, step, zero)
    for layer in layers:
        weight = layer.weight, layer.scale, np.zeros(len(layer.scale), np.int8)
        bias = np.rint(layer.bias / (layer.scale.astype(np.float64) * step)).astype(np.int32)
        x = graph.add("QLinearConv", x, step, zero, *weight, np.float32(layer.step), zero, bias, **layer.geometry())
        step = np.float32(layer.step)
    mean = float(step) / network.cells
    total = graph.add("ReduceSum", graph.cast(x, np.float64), np.array([2, 3]), keepdims=0)
    products = graph.add("MatMul", total, graph.cast(network.classifier.T, np.float64))
    scaled = graph.add("Mul", products, np.array(mean * network.scale))
    logits = graph.cast(graph.add("Add", scaled, network.bias.astype(np.float64)), np.float32)
    graph.cast(graph.add("Mul", total, np.array(mean)), np.float32, output="embedding")
    graph.add("Sigmoid", logits, output="scores")
    return graph.model(INPUTS, OUTPUTS)


def float_graph(network: Network) -> ModelProto:
    """The graph with float32 activations."""
    graph = Graph("yamnet")
    x = graph.add("Unsqueeze", "logmel", np.array([1]))
    for layer in network.layers:
        x = graph.add("Relu", graph.add("Conv", x, layer.dequantised(), layer.bias, **layer.geometry()))
    mean = graph.add("GlobalAveragePool", x)
    classifier = (network.classifier * np.float32(network.scale))[:, :, None, None]
    logits = graph.add("Conv", mean, classifier, network.bias)
    graph.add("Flatten", mean, output="embedding")
    graph.add("Sigmoid", graph.add("Flatten", logits), output="scores")
    return graph.model(INPUTS, OUTPUTS)


def write(tag: str, target: Path, source: Path) -> None:
    """Writes the graph ``int8`` or ``float`` of the zipped export in ``source`` to ``target``."""
    target.write_bytes({"int8": int8_graph, "float": float_graph}[tag](read(source)).SerializeToString())


def _array(tensor: TensorProto, data: bytes) -> NDArray[Any]:
    """The values of a tensor, which may lie in ``data``."""
    if tensor.data_location != TensorProto.EXTERNAL:
        return numpy_helper.to_array(tensor)
    place = {entry.key: entry.value for entry in tensor.external_data}
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    count = int(np.prod(tensor.dims))
    return np.frombuffer(data, dtype, count, int(place.get("offset", 0))).reshape(tensor.dims)
