"""speech_embedding: an ear for spoken words, small enough to run beside everything else.

Lin, Kilgour, Roblek and Sharifi, "Training Keyword Spotters with Limited and Synthesized Speech", ICASSP 2020, arXiv
2002.01322; the weights are Google's speech_embedding/1, as re-implemented for openWakeWord.

    waveform [12512] at 16 kHz, in steps of 16-bit samples
      | mel spectrogram 32 ms / 10 ms, 32 bands 60-3800 Hz, dB no lower than 80 below its peak, / 10 + 2
    [76, 32]
      | 20 convolutions over time or bands, five of them followed by a maximum
    embedding [96]

Both parts are the published ONNX graphs, run without torch. What distinguishes words in it is their order in time: one
vector is a stretch of 0.78 s, about a word.

Deviations: the authors step by 80 ms; here windows follow each other every 0.4 s, five of those steps, so that a
library holds one vector for a word rather than five. The floor of 80 dB is that of each window.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from auricle.errors import WeightsError
from auricle.hub import Card, Weights, derived, fetch, session
from auricle.represent._shared import GraphEar
from auricle.types import Waveform

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

CARD = Card(
    name="speech_embedding",
    title="Training Keyword Spotters with Limited and Synthesized Speech",
    room="represent",
    kind="model",
    authors=("James Lin", "Kevin Kilgour", "Dominik Roblek", "Matthew Sharifi"),
    year=2020,
    arxiv="2002.01322",
    task="embedding of spoken words",
    summary="A 96-dimensional embedding of speech for every 0.4 s, made for telling keywords apart.",
    claim="On this embedding, a detector of ten keywords trained on synthesised speech alone is as good as one trained "
    "on 500 real examples; without it, 4000 real examples are needed",
    code_licence="Apache-2.0",
    weights={
        "1": (
            Weights(
                file="speech-embedding.onnx",
                sources=("pypi:openwakeword==0.4.0#openwakeword/resources/models/embedding_model.onnx",),
                sha256="ba754db3cd768a524c655ea90655ee5e6055a43b8dfd29366a11e93716ae9e51",
                size=1_328_103,
                licence="Apache-2.0",
                note="Google's model. The carrier puts the wake words that it trained itself, which are not used here, "
                "under CC-BY-NC-SA-4.0.",
            ),
            Weights(
                file="speech-embedding-mel.onnx",
                sources=("pypi:openwakeword==0.4.0#openwakeword/resources/models/melspectrogram.onnx",),
                sha256="ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
                size=1_087_958,
                licence="Apache-2.0",
                note="The front-end; it holds nothing learnt.",
            ),
        ),
    },
    ear=True,
)

SAMPLE_RATE = 16_000  # Hz
FRAMES, BANDS, DIM = 76, 32, 96
WINDOW = 512 + (FRAMES - 1) * 160  # samples
HOP = 5 * 8 * 160
GRAPH = 1  # version of the graph that ``write`` writes; a new one has it written anew


def load(tag: str = "1") -> GraphEar:
    """Opens the ear; the first time, fetches the weights.

    Raises:
        WeightsError: the weights cannot be fetched, or the graphs cannot be run.
    """
    network, mel = CARD.weights[tag]
    return ear(derived("speech-embedding.onnx", (network,), GRAPH, write), fetch(mel), f"speech_embedding@{tag}")


def ear(graph: Path, mel: Path, name: str = "speech_embedding") -> GraphEar:
    """The ear of a graph that ``write`` wrote and of the graph of its front-end: windows of 0.78 s every 0.4 s."""
    return GraphEar(name, graph, FrontEnd(mel), sample_rate=SAMPLE_RATE, window=WINDOW, hop=HOP, dim=DIM)


class FrontEnd:
    """The published mel spectrogram.

    Args:
        graph: its ONNX file.
    """

    def __init__(self, graph: Path):
        self.graph = graph
        self._session: InferenceSession | None = None

    def __call__(self, waveform: Waveform) -> NDArray[np.float32]:
        """Mel spectrogram [76, 32, 1] of one window [12512]."""
        self._session = self._session or session(self.graph)
        mel: Any = self._session.run(None, {"input": waveform[None] * np.float32(32_767)})[0]
        return mel.reshape(FRAMES, BANDS, 1) / 10 + 2


def write(target: Path, published: Path) -> None:
    """Writes the published graph to ``target`` with the names of an ear's graph, and without its empty axes.

    Raises:
        WeightsError: the file is no ONNX graph.
    """
    from google.protobuf.message import DecodeError
    from onnx import TensorProto, checker, helper, load_model

    try:
        model = load_model(published)
    except DecodeError as error:
        raise WeightsError(f"{published} cannot be read as an ONNX file: {error}") from error
    graph = model.graph
    heard, given = graph.input[0].name, graph.output[0].name
    graph.node.insert(0, helper.make_node("Identity", ["features"], [heard]))
    graph.node.append(helper.make_node("Flatten", [given], ["embedding"]))
    shapes = {"features": ["windows", FRAMES, BANDS, 1], "embedding": ["windows", DIM]}
    features, embedding = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in shapes)
    graph.input[0].CopyFrom(features)
    graph.output[0].CopyFrom(embedding)
    checker.check_model(model)
    target.write_bytes(model.SerializeToString())
