"""HTS-AT: a hierarchical transformer that tags clips and, having been told only what is in them, says when it is.

Chen, Du, Zhu, Ma, Berg-Kirkpatrick, Dubnov, "HTS-AT: A Hierarchical Token-Semantic Audio Transformer for Sound
Classification and Detection", ICASSP 2022, arXiv 2202.00874. A Swin transformer (attention in windows, on maps that
halve from stage to stage) with a third of AST's parameters, and in place of a linear layer a convolution over the last
map that scores every step of time: their mean tags the clip, each one alone locates events.

    waveform [batch, samples] at 32 kHz, 10 s
      | log-mel, 64 Slaney bands 50-14000 Hz, 100 frames a second, dB; batch norm per band
    [batch, 1001, 64]
      | stretched to 1024 frames, folded: four chunks of 256 frames, one above the other
    image [batch, 256, 256]
      | patches of 4 x 4, layer norm; Swin of 2, 2, 6, 2 blocks, windows of 8 x 8; layer norm
    [batch, 8 x 8, 768], unfolded: 2 along frequency x 32 along time -- mean --> embedding [batch, 768]
      | token-semantic module: convolution over both frequencies and three steps
    [batch, 32, 527] -- sigmoid --> frames    -- mean over time, sigmoid --> scores [batch, 527]

Kept: the networks to 1e-4 of the authors' code at commit 2e29471 and of ``transformers.ClapAudioModel``, front-end
included. Their checkpoints load, and the audio tower of LAION-CLAP, which is this network at 48 kHz without classes.

``detect`` gives one row of scores every 312.5 ms. In recordings longer than a window, ``auricle.hub.detector`` hears
10 s every 5 s and keeps the middle of each window.

Deviations: a clip shorter than a window is filled with zeros as in the authors' training, not tiled as in their demo; a
longer one is refused where their code averages crops; the linear layer that they build and never use is left out. The
stairs of their learning rate, which end on a step up, are a cosine here that ends where those spend most of the time.

Good to know: the image joins band 63 of one chunk to band 0 of the next, and shifted windows attend across that seam,
2.56 s apart. The network has learned it. Mixup mixes spectrograms but not labels: so do the authors.
"""

from auricle.hub import Card
from auricle.represent.hts_at.checkpoints import from_authors, from_hugging_face, load
from auricle.represent.hts_at.model import Config, Model
from auricle.represent.hts_at.soundscapes import ARMS, PRESETS, SEEDS, Task, claims, data, experiment, replicate

__all__ = ["ARMS", "CARD", "PRESETS", "SEEDS", "Config", "Model", "Task", "claims", "data", "experiment"]
__all__ += ["from_authors", "from_hugging_face", "load", "replicate"]

CARD = Card(
    name="hts_at",
    title="HTS-AT: A Hierarchical Token-Semantic Audio Transformer for Sound Classification and Detection",
    room="represent",
    kind="model",
    authors=("Ke Chen", "Xingjian Du", "Bilei Zhu", "Zejun Ma", "Taylor Berg-Kirkpatrick", "Shlomo Dubnov"),
    year=2022,
    arxiv="2202.00874",
    task="audio tagging, embedding and event detection",
    summary="A Swin transformer on the spectrogram: 527 AudioSet scores of a clip and of every 0.3 s of it, trained on "
    "labels of clips only.",
    claim="mAP 0.471 on AudioSet's evaluation set, against 0.459 of AST with three times the parameters; event-based "
    "F1 of 48.4 % on DESED, against 35.1 % of PANNs",
    code_licence="MIT",
    data_licence="AudioSet: labels CC-BY-4.0, the sounds their owners'",
    extras=("train",),
)
