"""MERT: music heard as speech is by HuBERT, under a teacher of sound and a teacher of pitch.

Li, Yuan, Zhang, Ma, Chen, Yin, Xiao, Lin, Ragni, Benetos, Gyenge, Dannenberg, Liu, Chen, Xia, Shi, Huang, Wang, Guo,
Fu, "MERT: Acoustic Music Understanding Model with Large-Scale Self-supervised Training", ICLR 2024, arXiv 2306.00107.
Frames are hidden in spans; of each the model gives the eight codes that a neural codec (EnCodec) has for it, and
redraws its constant-Q transform, for pitch is what the labels of speech models miss.

    waveform [batch, samples] at 24 kHz
      | 7 convolutions of 512 channels; the first normalised per channel over time
    features [batch, 75 a second, 512]
      | layer norm, linear, a convolution over 128 frames added
      | 12 transformer layers, norm last (24, norm first, in the large model)
    frames of every layer [batch, 13, n, 768]
      | mean over time, and over layers unless one is chosen
    embedding [batch, 768]
      | learned mean of the layers, 512 units (MARBLE's probe), when fine-tuned
    scores [batch, classes]

``model`` holds the network, ``training`` the pretext task, its teachers and the claim in miniature. Kept: the network
to 1e-4 of ``transformers.HubertModel`` 5.23, whose names the hub's checkpoints use, and of their fairseq names (at
commit 391062e) the heads too; the transform to 1e-4 of nnAudio 0.3.4. Left out: dropout inside attention, and the
relaxation of its scores in the large model, which changes no value, as attention here is stable in half precision.

Good to know: features are normalised over all that is heard at once, so zeros at the end change every frame; level and
offset cancel. Which layer is best depends on the task: ``load(…, layer=7)`` for genre, 8 for key (MARBLE). The
published weights are for non-commercial use only. ``Masking.clean`` is the chance of *no* mixture, as in the code.
"""

from dataclasses import replace
from os import PathLike
from pathlib import Path

from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.nn.checkpoints import filled, from_hub, read_checkpoint, read_safetensors
from auricle.represent.mert.model import SIZES, Config, Model, from_fairseq, from_hugging_face
from auricle.represent.mert.training import (
    ARMS,
    PRESETS,
    SEEDS,
    Masking,
    Task,
    claims,
    data,
    encodec,
    experiment,
    musical_teacher,
    replicate,
)

__all__ = ["ARMS", "CARD", "CHECKPOINTS", "PRESETS", "SEEDS", "SIZES", "Config", "Masking", "Model", "Task"]
__all__ += ["claims", "data", "encodec", "experiment", "from_fairseq", "load", "musical_teacher", "replicate"]

CARD = Card(
    name="mert",
    title="MERT: Acoustic Music Understanding Model with Large-Scale Self-supervised Training",
    room="represent",
    kind="model",
    authors=(
        "Yizhi Li",
        "Ruibin Yuan",
        "Ge Zhang",
        "Yinghao Ma",
        "Xingran Chen",
        "Hanzhi Yin",
        "Chenghao Xiao",
        "Chenghua Lin",
        "Anton Ragni",
        "Emmanouil Benetos",
        "Norbert Gyenge",
        "Roger Dannenberg",
        "Ruibo Liu",
        "Wenhu Chen",
        "Gus Xia",
        "Yemin Shi",
        "Wenhao Huang",
        "Zili Wang",
        "Yike Guo",
        "Jie Fu",
    ),
    year=2024,
    arxiv="2306.00107",
    task="self-supervised music representation",
    summary="Hears music like HuBERT hears speech, taught by a neural codec's labels and a constant-Q transform.",
    claim="over 14 tasks of music understanding, state of the art on average, with 6.6 % of the parameters of Jukebox",
    code_licence="Apache-2.0",
    data_licence="not public, but 910 hours of Music4All for v0-public; the weights are CC-BY-NC-4.0",
    extras=("train",),
)

CHECKPOINTS = {  # tag -> repository on the Hugging Face hub, size, Hz
    "v1-95m": ("m-a-p/MERT-v1-95M", "95m", 24_000),
    "v1-330m": ("m-a-p/MERT-v1-330M", "330m", 24_000),
    "v0": ("m-a-p/MERT-v0", "95m", 16_000),
    "v0-public": ("m-a-p/MERT-v0-public", "95m", 16_000),
}
FILE = "pytorch_model.bin"


def load(tag: str = "", *, path: str | PathLike[str] | None = None, layer: int | None = None) -> Model:
    """Opens a published MERT, ready to hear.

    Args:
        tag: one of ``CHECKPOINTS``, fetched through the Hugging Face hub (extra ``[hub]``); empty for ``v1-95m``. The
            weights are for non-commercial use only (CC-BY-NC-4.0).
        path: instead of fetching it, the file or the folder of such a repository; of a ``.bin`` only tensors are read.
        layer: whose mean over time is the embedding, 0 before the first; None for the mean of all.

    Raises:
        WeightsError: there is no such tag, the file cannot be had, or it is no MERT of that size.
    """
    if (tag := tag or "v1-95m") not in CHECKPOINTS:
        raise WeightsError(f"there is no MERT {tag!r}", f"Choose from: {', '.join(CHECKPOINTS)}")
    repository, size, rate = CHECKPOINTS[tag]
    file = Path(path) if path is not None else from_hub(repository, FILE)
    if file.is_dir():
        file = next((file / name for name in ("model.safetensors", FILE) if (file / name).is_file()), file / FILE)
    state = read_safetensors(file) if file.suffix == ".safetensors" else read_checkpoint(file)
    config = replace(SIZES[size], sample_rate=rate, layer=layer)
    return filled(lambda: Model(config), lambda: from_hugging_face(state), file, f"MERT {tag}")
