"""GE2E: an ear for voices, which tells who speaks, whatever is said.

Wan, Wang, Papir and Lopez Moreno, "Generalized End-to-End Loss for Speaker Verification", ICASSP 2018, arXiv
1710.10467: utterances come near the centroid of their speaker and far from the other speakers'. The weights are those
of Resemblyzer (Resemble AI, 2019), trained on LibriSpeech-other, VoxCeleb 1 and VoxCeleb 2.

    waveform [25840] at 16 kHz, made louder to -30 dBFS if it is quieter
      | power STFT 25 ms / 10 ms, 40 Slaney mel bands 0-8000 Hz, without logarithm
    [160, 40]
      | 3 LSTM layers of 256, the last state
    [256]
      | dense, ReLU, unit length
    embedding [256]

Without torch it is an ONNX graph behind a front-end in NumPy.

Deviations: Resemblyzer cuts long silences out first (with WebRTC's detector) and brings a whole file to one loudness;
here every window is heard as it is, and brought to that loudness by itself, so that a vector depends on nothing else.
The architecture is smaller than the paper's (768 cells projected to 256).
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.features.mel import slaney_bank
from auricle.features.spectrum import power_spectrum
from auricle.hub import Card, Weights, derived
from auricle.represent._shared import GraphEar
from auricle.types import Waveform

CARD = Card(
    name="ge2e",
    title="Generalized End-to-End Loss for Speaker Verification",
    room="represent",
    kind="model",
    authors=("Li Wan", "Quan Wang", "Alan Papir", "Ignacio Lopez Moreno"),
    year=2018,
    arxiv="1710.10467",
    task="speaker embedding",
    summary="A 256-dimensional embedding of the voice for every 0.8 s, near for the same speaker.",
    claim="The generalised loss lowers the equal error rate of speaker verification by more than 10 %, and training "
    "time by 60 %, against the tuple-based end-to-end loss",
    code_licence="Apache-2.0",
    weights={
        "resemblyzer": (
            Weights(
                file="ge2e-resemblyzer.pt",
                sources=("pypi:resemblyzer==0.1.4#resemblyzer/pretrained.pt",),
                sha256="39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
                size=17_090_379,
                licence="Apache-2.0",
            ),
        ),
    },
    ear=True,
)

SAMPLE_RATE = 16_000  # Hz
FFT, HOP = 400, 160  # samples
FRAMES, BANDS, DIM, LAYERS = 160, 40, 256, 3
WINDOW = FFT + (FRAMES - 1) * HOP
QUIET = 10 ** (-30 / 20)  # root mean square that quieter windows are brought to
GRAPH = 1  # version of the graph that ``write`` writes; a new one has it written anew


def load(tag: str = "resemblyzer") -> GraphEar:
    """Opens the ear; the first time, fetches the weights and writes the graph into the cache.

    Raises:
        WeightsError: the weights cannot be fetched, or the graph cannot be run.
    """
    return ear(derived("ge2e.onnx", CARD.weights[tag], GRAPH, write), f"ge2e@{tag}")


def ear(graph: Path, name: str = "ge2e") -> GraphEar:
    """The ear of a graph that ``write`` wrote: windows of 1.6 s every 0.8 s."""
    return GraphEar(name, graph, front_end, sample_rate=SAMPLE_RATE, window=WINDOW, hop=FRAMES // 2 * HOP, dim=DIM)


def front_end(waveform: Waveform) -> NDArray[np.float32]:
    """Mel power [160, 40] of one window [25840], at least as loud as ``QUIET``; zeros of silence."""
    loudness = np.sqrt(np.mean(np.square(waveform, dtype=np.float64)))
    gain = max(1.0, QUIET / loudness) if loudness else 1.0
    return (gain**2 * power_spectrum(waveform, FFT, HOP) @ _bank()).astype(np.float32)


@cache
def _bank() -> NDArray[np.float64]:
    return slaney_bank(SAMPLE_RATE, FFT, BANDS, 0.0, SAMPLE_RATE / 2)


def write(target: Path, checkpoint: Path) -> None:
    """Writes the graph of the published checkpoint to ``target``.

    Raises:
        WeightsError: the checkpoint cannot be read.
    """
    from auricle.hub.checkpoints import torch
    from auricle.represent._graph import Graph  # imports onnx, which the first use alone needs

    tensors = torch.read(checkpoint)["model_state"]

    def gates(name: str) -> NDArray[Any]:
        """A tensor of an LSTM with its gates as ONNX orders them, and an axis for the direction."""
        into, forget, cell, out = np.split(tensors[f"lstm.{name}"], 4)
        return np.concatenate([into, out, forget, cell])[None]

    graph = Graph("ge2e")
    x = graph.add("Transpose", "features", perm=[1, 0, 2])  # [frames, windows, bands]
    for layer in range(LAYERS):
        bias = np.concatenate([gates(f"bias_ih_l{layer}"), gates(f"bias_hh_l{layer}")], axis=1)
        x = graph.add("LSTM", x, gates(f"weight_ih_l{layer}"), gates(f"weight_hh_l{layer}"), bias, hidden_size=DIM)
        x = graph.add("Squeeze", x, np.array([1]))  # of directions, there is one
    x = graph.add("Squeeze", graph.add("Gather", x, np.array([FRAMES - 1]), axis=0), np.array([0]))
    x = graph.add("Relu", graph.add("Gemm", x, tensors["linear.weight"], tensors["linear.bias"], transB=1))
    graph.add("LpNormalization", x, output="embedding", axis=1, p=2)
    model = graph.model({"features": ["windows", FRAMES, BANDS]}, {"embedding": ["windows", DIM]})
    target.write_bytes(model.SerializeToString())
