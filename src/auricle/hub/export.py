"""Models as ONNX files, front-end inside, that hear without torch: ``auricle index --ear model.onnx``.

The graph takes ``wave`` [batch, samples], windows of the length that its metadata names, and gives ``embedding``
[batch, dim] and, for a model that knows classes, ``scores`` [batch, classes]. ``auricle.hub.ear.OnnxEar`` runs it; so
does anything else that runs ONNX, with the same numbers.
"""

import hashlib
import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle.errors import AuricleError, MissingExtra
from auricle.hub.ear import OnnxEar, TorchEar
from auricle.types import Waveform

if TYPE_CHECKING:
    import torch

OPSET = 20
LEAST = 1024  # values; smaller tensors stay as they are, they are biases and norms
TESTED = 6  # windows that parity is measured on


class Parity(NamedTuple):
    """How far an exported file is from its model, on sounds of all sorts: largest absolute differences."""

    embedding: float  # relative to the largest value of any embedding
    scores: float  # 0 for a model without classes
    bytes: int  # of the file


def export(
    model: "torch.nn.Module",
    target: str | PathLike[str],
    *,
    name: str = "",
    window: float | None = None,
    hop: float | None = None,
    int8: bool = False,
) -> Parity:
    """Writes ``model`` to ``target`` as ONNX, runs it, and returns how far it is from the model.

    Args:
        model: of the protocol in ``auricle.hub.ear``; put into evaluation mode, on the CPU.
        target: the ``.onnx`` file.
        name: the system's name, kept in the file.
        window: seconds heard at once; by default the model's own, else 10 s.
        hop: seconds between windows; by default half a window.
        int8: store each weight in 8 bits with a scale for each output channel: a file a quarter of the size, not a
            faster one, for what is computed stays float.

    Raises:
        AuricleError: the model cannot be written as ONNX, or the file would not end in ``.onnx``.
        MissingExtra: ``[train]`` is not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch's exporter needs it and says so less clearly)
        import torch
    except ImportError as error:
        raise MissingExtra("exporting a model", "train") from error
    target = Path(target)
    if target.suffix != ".onnx":
        raise AuricleError(f"{target} does not end in .onnx", "Name the file so, for that is how it is recognised")
    ear = TorchEar(name or type(model).__name__.lower(), model.cpu(), window, hop)
    example = torch.zeros(2, ear.window)
    outputs = ["embedding", "scores"] if ear.classes else ["embedding"]
    batch = torch.export.Dim("batch")
    try:
        program = torch.onnx.export(
            _Wrapped(model).eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["wave"],
            output_names=outputs,
            dynamic_shapes=({0: batch},),
            verbose=False,
        )
        assert program is not None
        graph = program.model_proto
        if not graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param:
            raise AuricleError(f"{ear.name} cannot be written as ONNX: its forward fixes the size of the batch")
    except torch.onnx.errors.OnnxExporterError as error:
        raise AuricleError(f"{ear.name} cannot be written as ONNX: {str(error).strip().splitlines()[0]}") from error
    facts = {
        "name": ear.name.partition("@")[0],
        "sample_rate": ear.sample_rate,
        "window": ear.window,
        "hop": ear.hop,
        "dim": ear.dim,
        "classes": json.dumps(list(ear.classes), ensure_ascii=False),
    }
    onnx.helper.set_model_props(graph, {key: str(value) for key, value in facts.items()})
    if int8:
        store_in_int8(graph, {f"model.{name}": tensor.detach().numpy() for name, tensor in model.named_parameters()})
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(graph, target)
    return parity(ear, OnnxEar(target))


def parity(ear: TorchEar, exported: OnnxEar) -> Parity:
    """How far ``exported`` is from ``ear`` on noise, tones, clicks, silence and a loud square wave."""
    ours, theirs = ([each.hear(window) for window in sounds(ear.sample_rate, ear.window)] for each in (ear, exported))
    embeddings, others = (np.concatenate([heard.embeddings for heard in all]) for all in (ours, theirs))
    pairs = [(a.scores, b.scores) for a, b in zip(ours, theirs, strict=True)]
    scores = [float(np.abs(a - b).max()) for a, b in pairs if a is not None and b is not None]
    scale = max(float(np.abs(embeddings).max()), 1e-12)
    size = exported.path.stat().st_size
    return Parity(float(np.abs(embeddings - others).max()) / scale, max(scores, default=0.0), size)


def sounds(sample_rate: int, samples: int) -> list[Waveform]:
    """Windows [samples] that are unlike each other, the same in every run."""
    rng = np.random.default_rng(0)
    time = np.arange(samples) / sample_rate
    clicks = np.zeros(samples)
    clicks[:: max(sample_rate // 8, 1)] = 1.0
    waves = [
        0.1 * rng.standard_normal(samples),
        0.5 * np.sin(2 * np.pi * 440 * time),
        0.3 * np.sin(2 * np.pi * (100 + 500 * time) * time) * rng.random(samples),
        clicks,
        np.zeros(samples),
        np.sign(np.sin(2 * np.pi * 60 * time)),
    ]
    assert len(waves) == TESTED
    return [np.clip(wave, -1, 1).astype(np.float32) for wave in waves]


def store_in_int8(graph: Any, parameters: Mapping[str, NDArray]) -> int:
    """Replaces weights of an ONNX ``graph`` by 8-bit ones that are unpacked when it is run; returns how many.

    Only ``parameters`` that are matrices or larger, so that the front-end's tables stay exact. The exporter may have
    transposed one (its name is then another) or merged it with a norm (its values are). Values are rounded to
    ``scale * [-127, 127]``, with one scale for each output channel.
    """
    from onnx import helper, numpy_helper

    large = {name: values for name, values in parameters.items() if values.ndim > 1 and values.size >= LEAST}
    transposed = {_digest(values.T) for values in large.values() if values.ndim == 2}
    stored = 0
    for tensor in list(graph.graph.initializer):
        values = numpy_helper.to_array(tensor)
        if tensor.name not in large and _digest(values) not in transposed:
            continue
        axis = 0 if tensor.name in large else 1
        scale = np.abs(values).max(axis=tuple(i for i in range(values.ndim) if i != axis), keepdims=True) / 127
        scale[scale == 0] = 1.0
        packed = np.rint(values / scale).astype(np.int8)
        names = [f"{tensor.name}.{part}" for part in ("int8", "scale", "zero")]
        arrays = (packed, scale.ravel().astype(np.float32), np.zeros(scale.size, np.int8))
        graph.graph.initializer.remove(tensor)
        graph.graph.initializer.extend(map(numpy_helper.from_array, arrays, names))
        graph.graph.node.insert(0, helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
        stored += 1
    return stored


def _digest(values: NDArray) -> bytes:
    return hashlib.sha256(repr(values.shape).encode() + np.ascontiguousarray(values).tobytes()).digest()


def _Wrapped(model: "torch.nn.Module") -> "torch.nn.Module":  # noqa: N802 (a class that waits for torch)
    import torch

    from auricle.hub.ear import embed_and_tag

    class Wrapped(torch.nn.Module):
        """The model as a graph with one input and one or two outputs."""

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, wave: torch.Tensor):
            embedding, scores = embed_and_tag(self.model, wave)
            return embedding if scores is None else (embedding, scores)

    return Wrapped()
