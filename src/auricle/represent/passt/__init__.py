"""PaSST: a spectrogram transformer that is trained on half of its patches, and heard everywhere.

Koutini, Schlüter, Eghbal-zadeh, Widmer, "Efficient Training of Audio Transformers with Patchout", Interspeech 2022,
arXiv 2110.05069; Koutini, Masoudian, Schmid, Eghbal-zadeh, Schlüter, Widmer, "Learning General Audio Representations
with Large-Scale Training of Patchout Audio Transformers", HEAR 2021 (PMLR 166, 2022), arXiv 2211.13956. A ViT on
overlapping patches whose positions are a sum, one vector for the row and one for the column, so that whole columns and
rows (structured patchout) or any tokens (unstructured) can be left out of a training step: it takes less time, and the
network generalises better. What it has learned from AudioSet serves music, speech and environmental sounds.

    waveform [batch, samples] at 32 kHz, up to 10 s
      | pre-emphasis; power of 25 ms Hann windows every 10 ms; 128 HTK mel bands 0-15000 Hz; ln(x + 1e-5); (x + 4.5) / 5
    [batch, frames, 128]
      | patches of 16 x 16 every 10 x 10, linear; + position of the row + position of the column; in training patchout
    [batch, 1188, 768]
      | two learned tokens in front; 12 transformer layers (12 heads, norm first), layer norm
    embedding [batch, 768], the mean of the two tokens -- layer norm, linear, sigmoid --> scores [batch, 527]

Kept: the published networks to 1e-4 of the authors' hear21passt at commit 5f1cce6, front-end included. All released
checkpoints load; their stride, depth and length are told from the tensors.

Embeddings of the HEAR benchmark (``auricle.hub.hear``) are scores before the sigmoid, then the embedding: 1295 numbers.
A scene of more than 10 s is heard in windows of 10 s every 2.5 s, its ends reflected, and averaged. Timestamps every
50 ms are windows of 160 ms around them (``passt``), beside them windows of 800 ms (``passt@2lvl``), or of 640 ms and
the 60 ms of log-mel spectrogram itself (``passt@2lvlmel``). As any other ear it hears windows of 10 s every 5 s.

Deviations: clips shorter than a patch are filled with zeros; what goes beyond the positions is not heard, without a
warning printed; a network for other strides or lengths is trained anew, not cut out of another.

Good to know: stripes of SpecAugment are 0 before the normalisation, that is 0.9: loud, not silent. The distilled
checkpoints were trained on scores of ensembles, of which the papers say little.
"""

from auricle.hub import Card
from auricle.represent.passt.checkpoints import from_authors, from_imagenet, load
from auricle.represent.passt.model import Config, Model
from auricle.represent.passt.training import ARMS, PRESETS, SEEDS, Task, claims, data, experiment, replicate

__all__ = ["ARMS", "CARD", "PRESETS", "SEEDS", "Config", "Model", "Task", "claims", "data", "experiment"]
__all__ += ["from_authors", "from_imagenet", "load", "replicate"]

CARD = Card(
    name="passt",
    title="Learning General Audio Representations with Large-Scale Training of Patchout Audio Transformers",
    room="represent",
    kind="model",
    authors=(
        "Khaled Koutini",
        "Shahed Masoudian",
        "Florian Schmid",
        "Hamid Eghbal-zadeh",
        "Jan Schlüter",
        "Gerhard Widmer",
    ),
    year=2022,
    arxiv="2211.13956",
    task="audio tagging and embedding",
    summary="A spectrogram transformer trained on half of its patches: 527 AudioSet scores, embeddings for all sound.",
    claim="patchout makes training up to four times faster and raises mAP on AudioSet's evaluation set to 0.476, "
    "against 0.459 of AST; on HEAR the embeddings beat those of convolutional networks: ESC-50 94.75 %, PANNs 90.85 %",
    code_licence="Apache-2.0",
    data_licence="AudioSet: labels CC-BY-4.0, the sounds their owners'",
    extras=("train",),
)
