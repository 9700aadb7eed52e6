"""ByteCover3: which recordings are of the same work as one that is heard for some seconds.

Du, Wang, Liang, Liang, Zhu, Ma, "ByteCover3: Accurate Cover Song Identification on Short Queries", ICASSP 2023, arXiv
2303.11692. One vector for a whole track (bytecover) is of little use to an excerpt. Here a track is a list of chunks;
lists are compared by MaxMean: each chunk of the query takes its most similar chunk of the track. The local alignment
loss learns by that similarity: prototypes of each work, several a work, and triplets.

    waveform [batch, samples] of a chunk
      | constant-Q magnitude, 84 semitones from C1; time averaged; the largest value of the chunk to 1
    [batch, 84, frames]
      | ResNet with IBN-a, generalised mean, batch normalisation, linear
    embedding [batch, 512], length 1; of silence, zeros
      | MaxMean of a query's chunks [m, 512] and a track's [n, 512]; first only tracks that hold chunks near to one
    similarity

``model`` holds network and loss, ``training`` the claim in miniature. Kept, after sony/clews (commit 517de18), for the
authors published no code: chunks of 20 s at 7.2 frames a second, nine prototypes a work, the multiplicative margin, the
scale that is learned, a run of chunks as the query in training (``Task.queries``, said by course notes of the authors).

``load`` opens the ear that comes with the package, without torch: a small network (11 kHz, 5.4 frames a second, 128
dimensions; scripts/train_versions.py says how it was trained), for `auricle index --ear bytecover3`.

Deviations: the backbone is bytecover's, where clews has wider stems and 3 x 3 shortcuts; what is silent has no vector,
and the end of a track that fills no chunk is not heard, where clews fills it with zeros. In the shipped ear the other
recordings of a batch stand for the works in classification, and the square root of magnitudes is heard.

Good to know: MaxMean favours long tracks, and is not symmetric: let the shorter list be the query.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.hub import Card

if TYPE_CHECKING:
    from auricle.types import Ear

CARD = Card(
    name="bytecover3",
    title="ByteCover3: Accurate Cover Song Identification on Short Queries",
    room="identify",
    kind="model",
    authors=("Xingjian Du", "Zijie Wang", "Xia Liang", "Huidong Liang", "Bilei Zhu", "Zejun Ma"),
    year=2023,
    arxiv="2303.11692",
    task="cover song identification",
    summary="A vector for every 20 s of music, near for other performances of the same work.",
    claim="On short queries above all systems compared, with local features and two stages of retrieval; with whole "
    "tracks MAP 0.8242 on SHS100K-TEST and 0.703 on Da-TACOS, ByteCover 0.836 and 0.714",
    code_licence="none published",
    data_licence="SHS100K: a list of links; the shipped ear: composed by rule, and old tunes in the public domain",
    ear=True,
)

VERSION = 1  # of the shipped weights; another is another ear
GRAPH = Path(__file__).with_name("versions.onnx")
_HOME = {  # what needs torch -> the module that holds it
    **dict.fromkeys(("Config", "Model", "Task", "LocalAlignment", "maxmean"), "model"),
    **dict.fromkeys(("ARMS", "PRESETS", "SEEDS", "claims", "data", "evaluate", "experiment", "replicate"), "training"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def load(tag: str = "") -> "Ear":
    """Opens the ear that comes with the package: chunks of 20 s every 10 s, on one thread.

    Args:
        tag: nothing; there is one.

    Raises:
        WeightsError: the graph is not there or cannot be run.
    """
    from auricle.hub.ear import OnnxEar

    ear = OnnxEar(GRAPH)
    ear.name = f"{CARD.name}@{VERSION}"
    return ear
