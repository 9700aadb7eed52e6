"""MoCo fingerprints: which recording is heard, and where in it, whatever noise, room, codec, speed or pitch it has.

Yu, Du, Zhu, Ma, "Contrastive Unsupervised Learning for Audio Fingerprinting", 2020, arXiv 2010.13540. A moment of a
track and a distorted version of it are to have the same print, moments of other tracks other ones: momentum contrast
(He et al., CVPR 2020) with a queue of keys of other tracks, and with changes of speed and pitch among the distortions.

    waveform [17152 + 4096 (k - 1)] at 8 kHz
      | power STFT 128 ms / 32 ms, 24 bands an octave, 177-2757 Hz        (``front_end``)
    [k, 96, 64]
      | 8 separable convolutions with strides of 2, 64 small networks     (``model``; how it learns: ``views``)
    prints [k, 64], unit vectors, every 0.5 s

Beside each print the ear keeps four robust hashes of 32 bits (``front_end.hashes``), which are not of the paper.
Without torch it is an ONNX graph behind a front-end in NumPy (``ear``). Its weights are part of the package; how they
were made is in scripts/train_prints.py. They hear small changes of speed and pitch alike; large ones are undone at
query time, when a clip is read as if it had been played faster, slower, higher or lower (``front_end.played``).

Deviations: of the paper's encoder and constants little is published. Encoder, input and the length of a segment are
after NAFP (Chang et al., ICASSP 2021, arXiv 2010.11910), with 24 bands an octave in place of mel bands, so that pitch
is a shift, with ReLU in place of ELU, 2.1 s in place of 1 s, and norms with a gain and an offset per channel. NAFP
brings a batch to its own loudest value, which makes prints depend on their neighbours; here each window has its own
level. Views are made of band powers, which costs a thousandth of distorting sound. Keys of the query's own track are
not held against it, for music repeats itself. After training, prints are whitened, and a cohort of prints of all sorts
of sound (``cohort.npy``) tells how common a print is.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from auricle.hub import Card
from auricle.train.recipe import Optim, Recipe, Schedule

if TYPE_CHECKING:
    from auricle.identify.moco_fingerprint.ear import PrintEar
    from auricle.train import Experiment

CARD = Card(
    name="moco_fingerprint",
    title="Contrastive Unsupervised Learning for Audio Fingerprinting",
    room="identify",
    kind="model",
    authors=("Zhesong Yu", "Xingjian Du", "Bilei Zhu", "Zejun Ma"),
    year=2020,
    arxiv="2010.13540",
    task="audio fingerprinting",
    summary="A 64-dimensional print every 0.5 s, alike for the same moment of a recording whatever was done to it.",
    claim="Contrastive fingerprints trained with speed and pitch changes among the distortions identify audio where "
    "landmark hashing and a contrastive model without them fail",
    code_licence="none published; after mimbres/neural-audio-fp, MIT",
    data_licence="trained on music of free games, CC-BY-SA-3.0, GPL-2.0-or-later, GPL-3.0-or-later and MIT: "
    "0 A.D., ASC, Colobot, Fish Fillets, Frets on Fire, Hedgewars, HyperRogue, Planet Blupi, Pushover, "
    "Endgame: Singularity, Warmux, Widelands, and Asterisk's music on hold",
    ear=True,
)

VERSION = "3"  # of the weights and of what is kept beside; prints of other versions cannot be compared
GRAPH = Path(__file__).with_name("prints.onnx")


def load(tag: str = "") -> "PrintEar":
    """Opens the ear; its weights are part of the package.

    Raises:
        WeightsError: the graph cannot be run.
    """
    from auricle.identify.moco_fingerprint.ear import PrintEar

    return PrintEar(f"moco_fingerprint@{tag or VERSION}", GRAPH, GRAPH.with_name("cohort.npy"))


# --- the claim in miniature -------------------------------------------------------------------------------------------

ADAM = Optim(name="adam", lr=1e-3)
PRESETS = {
    "paper": Recipe(steps=200_000, batch=640, optim=replace(ADAM, lr=1e-4), schedule=Schedule("cosine", warmup=1000)),
    "mini": Recipe(steps=600, batch=64, optim=ADAM, schedule=Schedule("cosine", warmup=50)),
    "smoke": Recipe(steps=2, batch=8, optim=ADAM),
}
ARMS = ("moco", "same_speed", "landmarks")
SEEDS = 3


def experiment(preset: str = "mini") -> "Experiment":
    """Training with all views on composed songs, as ``auricle train moco_fingerprint`` does it."""
    from auricle.identify.moco_fingerprint import mini

    return mini.experiment(PRESETS[preset], preset)


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Share of queries of 5 s whose song is named: clean, in noise of 0-10 dB, at other speeds, at other pitches.

    ``seconds`` is the median error of the place in the song, of clean queries that name it.
    """
    from auricle.identify.moco_fingerprint import mini

    return mini.replicate(replace(PRESETS[preset], seed=seed), arm, preset)


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    moco, plain, landmarks = (values[arm] for arm in ARMS)
    return {
        "with all views, clean queries and those in noise name their song 80 times in 100 in the mean": bool(
            min(moco["clean"].mean(), moco["noise"].mean()) >= 0.8
        ),
        "at speeds of 0.85 to 1.15, it names 30 in 100 more than landmarks do, with every seed": bool(
            np.all(moco["speed"] - landmarks["speed"] >= 0.3)
        ),
        "at pitches up to 2 semitones off, it names 30 in 100 more than landmarks do, with every seed": bool(
            np.all(moco["pitch"] - landmarks["pitch"] >= 0.3)
        ),
        "at other speeds, it names 15 in 100 more than when trained at one speed and pitch, with every seed": bool(
            np.all(moco["speed"] - plain["speed"] >= 0.15)
        ),
        "at other pitches, it names 15 in 100 more than when trained at one speed and pitch, with every seed": bool(
            np.all(moco["pitch"] - plain["pitch"] >= 0.15)
        ),
    }


def data() -> str:
    """What the songs are; they are made from the seed."""
    return "synthetic: composed songs of 20 s, 80 to train on and 120 to be told apart"
