"""aiSFX: an ear for sound effects, trained on the categories of nine commercial libraries of them.

Ma and Lerch, "Representation Learning for the Automatic Indexing of Sound Effects Libraries", ISMIR 2022, arXiv
2208.09096: one CNN embeds, and for each library a small head tells its own categories ("X-Sequential-CE").

    waveform [103424] at 44.1 kHz, its peak brought to 1
      | power STFT 2048 / 1024, 96 HTK mel bands 0-22050 Hz, log10(1 + 10000 mel) / 9.458
    [100, 96]
      | 4 x (3x3 convolution, batch norm, ReLU) x 2, of 64, 128, 256, 512 channels; 2x2 maximum behind each but the last
    [512, 12, 12]
      | mean over bands, maximum over time
    embedding [512]

Without torch it is an ONNX graph, batch norm folded into the convolutions, behind a front-end in NumPy. The heads are
left out: the names of their categories are not published.

Deviations: the loudness that the authors bring to one level in a whole file is that of a window here, so that a vector
depends on nothing else; a quiet stretch therefore sounds as clear as a loud one. The front-end is the one in librosa
that the authors offer; their results were got with Essentia's, which differs a little.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle.features.mel import htk_bank
from auricle.features.spectrum import power_spectrum
from auricle.hub import Card, Weights, derived
from auricle.represent._shared import GraphEar
from auricle.types import Waveform

CARD = Card(
    name="aisfx",
    title="Representation Learning for the Automatic Indexing of Sound Effects Libraries",
    room="represent",
    kind="model",
    authors=("Alison B. Ma", "Alexander Lerch"),
    year=2022,
    arxiv="2208.09096",
    task="embedding of sound effects",
    summary="A 512-dimensional embedding of sound effects for every 1.2 s, at 44.1 kHz.",
    claim="An embedding learnt across libraries, each with its own categories, tells the categories of other libraries "
    "better than OpenL3 does",
    code_licence="MIT",
    weights={
        "2022": (
            Weights(
                file="aisfx.pth",
                sources=("pypi:aisfx==0.1.2#aisfx/models/checkpoint.pth",),
                sha256="499ea75909c932a2f94c35fa722fa4fabc5bcb7e84917209cc5f7402627b7eb5",
                size=24_900_277,
                licence="CC-BY-4.0",
                note="Attribution: Alison B. Ma and Alexander Lerch, 2022.",
            ),
        ),
    },
    ear=True,
)

SAMPLE_RATE = 44_100  # Hz
FFT, HOP = 2048, 1024  # samples
FRAMES, BANDS, DIM = 100, 96, 512
LOUDEST = 9.457798957824707  # the largest log-mel of the authors' training data, brought to 1
GRAPH = 1  # version of the graph that ``write`` writes; a new one has it written anew


def load(tag: str = "2022") -> GraphEar:
    """Opens the ear; the first time, fetches the weights and writes the graph into the cache.

    Raises:
        WeightsError: the weights cannot be fetched, or the graph cannot be run.
    """
    return ear(derived("aisfx.onnx", CARD.weights[tag], GRAPH, write), f"aisfx@{tag}")


def ear(graph: Path, name: str = "aisfx") -> GraphEar:
    """The ear of a graph that ``write`` wrote: windows of 2.35 s every 1.16 s, half a block of frames."""
    window = FFT + (FRAMES - 1) * HOP
    return GraphEar(name, graph, front_end, sample_rate=SAMPLE_RATE, window=window, hop=FRAMES // 2 * HOP, dim=DIM)


def front_end(waveform: Waveform) -> NDArray[np.float32]:
    """Log-mel [100, 96] of one window [103424], whatever its loudness; zeros of silence."""
    power = power_spectrum(waveform / (np.abs(waveform).max() or 1.0), FFT, HOP)
    return (np.log10(1.0 + 10_000.0 * power @ _bank()) / LOUDEST).astype(np.float32)


@cache
def _bank() -> NDArray[np.float64]:
    return htk_bank(SAMPLE_RATE, FFT, BANDS, 0.0, SAMPLE_RATE / 2)


def write(target: Path, checkpoint: Path) -> None:
    """Writes the graph of the published checkpoint to ``target``.

    Raises:
        WeightsError: the checkpoint cannot be read.
    """
    from auricle.hub.checkpoints import torch
    from auricle.represent._graph import Graph  # imports onnx, which the first use alone needs

    tensors, _ = torch.read(checkpoint)
    graph = Graph("aisfx")
    x = graph.add("Unsqueeze", "features", np.array([1]))
    for block in (1, 2, 3, 4):
        for layer in (1, 2):
            place = f"embedding_net.conv_block{block}."
            weight, bias = _folded(
                tensors[f"{place}conv{layer}.weight"],
                *(tensors[f"{place}bn{layer}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")),
            )
            x = graph.add("Relu", graph.add("Conv", x, weight, bias, pads=[1, 1, 1, 1]))
        if block < 4:
            x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = graph.add("ReduceMean", x, np.array([3]), keepdims=0)
    graph.add("ReduceMax", x, np.array([2]), keepdims=0, output="embedding")
    model = graph.model({"features": ["windows", FRAMES, BANDS]}, {"embedding": ["windows", DIM]})
    target.write_bytes(model.SerializeToString())


def _folded(weight, gain, bias, mean, variance) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A convolution without bias and the batch norm behind it as one: weight [out, in, 3, 3], bias [out]."""
    scale = gain / np.sqrt(variance.astype(np.float64) + 1e-5)
    return (weight * scale[:, None, None, None]).astype(np.float32), (bias - mean * scale).astype(np.float32)
