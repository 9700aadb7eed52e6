"""musicnn: an ear for music, which names instruments, genres, moods and voices.

Pons and Serra, "musicnn: pre-trained convolutional neural networks for music audio tagging", late-breaking demo of
ISMIR 2019, arXiv 1909.06654; the architecture is that of Pons et al., "End-to-end learning for music audio tagging at
scale", ISMIR 2018, arXiv 1711.02520.

    waveform [48128] at 16 kHz
      | power STFT 512 / 256, 96 Slaney mel bands 0-8000 Hz, log10(1 + 10000 mel), batch norm
    [187, 96]
      | beside each other: timbre, kernels of 7 frames x 38 and x 67 bands (204 channels each), and
      | time, kernels of 128, 64, 32 frames (51 each); ReLU, batch norm, maximum over the bands
    [187, 561]
      | 3 convolutions over 7 frames, 64 channels, two of them residual; all of the above joined
    [187, 753]
      | maximum and mean over time, batch norm, dense, ReLU, batch norm
    embedding [200] -- dense, sigmoid --> scores [50]

It is an ONNX graph behind a front-end in NumPy, made of the authors' TensorFlow checkpoint. ``mtt`` was trained on
MagnaTagATune and knows instruments and voices, ``msd`` on the Million Song Dataset with last.fm's genres and moods.

Deviations: the authors compute the log-mel in half precision, which overflows above a mel power of 6.5; here it is in
float64.
"""

from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle.features.mel import slaney_bank
from auricle.features.spectrum import power_spectrum
from auricle.hub import Card, Weights, derived
from auricle.represent._shared import GraphEar
from auricle.types import Waveform

CARD = Card(
    name="musicnn",
    title="musicnn: pre-trained convolutional neural networks for music audio tagging",
    room="represent",
    kind="model",
    authors=("Jordi Pons", "Xavier Serra"),
    year=2019,
    arxiv="1909.06654",
    task="music tagging and embedding",
    summary="Scores of 50 music tags and a 200-dimensional embedding for every 1.5 s.",
    claim="ROC AUC 0.9069 and PR AUC 0.3844 on MagnaTagATune, 0.8801 and 0.2890 on the Million Song Dataset",
    code_licence="ISC",
    weights={
        "mtt": (
            Weights(
                file="musicnn-mtt.index",
                sources=("pypi:musicnn==0.1.0#musicnn/MTT_musicnn/.index",),
                sha256="da2d7bb670b2b31e9bc441bb1bd75eca31b5b061f963cc1f9630c1aff3238f57",
                size=4_948,
                licence="ISC",
            ),
            Weights(
                file="musicnn-mtt.data",
                sources=("pypi:musicnn==0.1.0#musicnn/MTT_musicnn/.data-00000-of-00001",),
                sha256="041f3935e981a65cea739842d30c188d3a7d2adf4410955c8668eb3de4a5acab",
                size=9_465_596,
                licence="ISC",
                note="Trained on music that may not be used commercially.",
            ),
        ),
        "msd": (
            Weights(
                file="musicnn-msd.index",
                sources=("pypi:musicnn==0.1.0#musicnn/MSD_musicnn/.index",),
                sha256="87f3e0f3550c8d3bafc840374003e5c8af5eeb5ecf6add61af09a7822d3282c8",
                size=4_948,
                licence="ISC",
            ),
            Weights(
                file="musicnn-msd.data",
                sources=("pypi:musicnn==0.1.0#musicnn/MSD_musicnn/.data-00000-of-00001",),
                sha256="8579734ee6388f799ed0def4bbd0d1fdcbeaf213ef2a9dc860917bd76a303de6",
                size=9_465_596,
                licence="ISC",
                note="Trained on music that may not be used commercially.",
            ),
        ),
    },
    ear=True,
)

# fmt: off
TAGS = {
    "msd": (
        "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s", "alternative rock",
        "jazz", "beautiful", "metal", "chillout", "male vocalists", "classic rock", "soul", "indie rock", "Mellow",
        "electronica", "80s", "folk", "90s", "chill", "instrumental", "punk", "oldies", "blues", "hard rock", "ambient",
        "acoustic", "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country", "easy listening",
        "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock", "60s", "rnb", "indie pop", "sad",
        "House", "happy",
    ),
    "mtt": (
        "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
        "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
        "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo",
        "man", "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
        "no voice", "weird", "country", "metal", "female voice", "choral",
    ),
}
# fmt: on

SAMPLE_RATE = 16_000  # Hz
FFT, HOP = 512, 256  # samples
FRAMES, BANDS, DIM = 187, 96, 200  # 3 s
WINDOW = FFT + (FRAMES - 1) * HOP
EPSILON = 1e-3  # of every batch norm
GRAPH = 1  # version of the graph that ``write`` writes; a new one has it written anew


def load(tag: str = "mtt") -> GraphEar:
    """Opens the ear; the first time, fetches the weights and writes the graph into the cache.

    Args:
        tag: ``mtt`` or ``msd``, what it was trained on.

    Raises:
        WeightsError: the weights cannot be fetched, or the graph cannot be run.
    """
    return ear(derived(f"musicnn-{tag}.onnx", CARD.weights[tag], GRAPH, write), f"musicnn@{tag}", TAGS[tag])


def ear(graph: Path, name: str, tags: tuple[str, ...]) -> GraphEar:
    """The ear of a graph that ``write`` wrote: windows of 3 s every 1.5 s."""
    return GraphEar(
        name, graph, front_end, sample_rate=SAMPLE_RATE, window=WINDOW, hop=WINDOW // 2, dim=DIM, classes=tags
    )


def front_end(waveform: Waveform) -> NDArray[np.float32]:
    """Log-mel [187, 96] of one window [48128]."""
    return np.log10(1.0 + 10_000.0 * power_spectrum(waveform, FFT, HOP) @ _bank()).astype(np.float32)


@cache
def _bank() -> NDArray[np.float64]:
    return slaney_bank(SAMPLE_RATE, FFT, BANDS, 0.0, SAMPLE_RATE / 2)


def write(target: Path, index: Path, data: Path) -> None:
    """Writes the graph of a published checkpoint to ``target``.

    Raises:
        WeightsError: the checkpoint cannot be read.
    """
    from auricle.hub.checkpoints import tensorflow
    from auricle.represent._graph import Graph  # imports onnx, which the first use alone needs

    tensors = tensorflow.read(index, data)
    graph = Graph("musicnn")

    def named(layer: str, number: int, part: str) -> NDArray[np.float32]:
        return tensors[f"{layer}_{number}/{part}" if number else f"{layer}/{part}"]

    def norm(x: str, number: int) -> str:
        parts = (
            named("batch_normalization", number, part) for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return graph.add("BatchNormalization", x, *parts, epsilon=EPSILON)

    def convolution(x: str, number: int) -> str:
        """Of ``x`` [n, channels, frames, width], as long as before in time: then ReLU and batch norm."""
        kernel = named("conv2d", number, "kernel").transpose(3, 2, 0, 1)
        before = (kernel.shape[2] - 1) // 2
        pads = [before, 0, kernel.shape[2] - 1 - before, 0]
        x = graph.add("Conv", x, kernel, named("conv2d", number, "bias"), pads=pads)
        return norm(graph.add("Relu", x), number + 1)

    def swapped(x: str) -> str:  # the channels become the width that the next kernel covers whole
        return graph.add("Transpose", x, perm=[0, 3, 2, 1])

    def dense(x: str, number: int) -> str:
        return graph.add("Gemm", x, named("dense", number, "kernel"), named("dense", number, "bias"))

    x = norm(graph.add("Unsqueeze", "features", np.array([1])), 0)
    found = [graph.add("ReduceMax", convolution(x, number), np.array([3])) for number in range(5)]
    front = swapped(graph.add("Concat", *found, axis=1))  # [n, 1, frames, 561]
    layers = [front, swapped(convolution(front, 5))]
    for number in (6, 7):
        layers.append(graph.add("Add", swapped(convolution(layers[-1], number)), layers[-1]))
    x = graph.add("Concat", *layers, axis=3)
    pools = [graph.add(kind, x, np.array([1, 2]), keepdims=0) for kind in ("ReduceMax", "ReduceMean")]
    pools = [graph.add("Unsqueeze", pool, np.array([2])) for pool in pools]
    x = graph.add("Flatten", graph.add("Concat", *pools, axis=2))  # the maximum and the mean of each channel by turns
    x = norm(graph.add("Relu", dense(norm(x, 9), 0)), 10)
    graph.add("Identity", x, output="embedding")
    graph.add("Sigmoid", dense("embedding", 1), output="scores")
    outputs = {"embedding": ["windows", DIM], "scores": ["windows", "tags"]}
    target.write_bytes(graph.model({"features": ["windows", FRAMES, BANDS]}, outputs).SerializeToString())
