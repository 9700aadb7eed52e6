"""PANNs: convolutional taggers trained on AudioSet, and what they know carried over to other tasks.

Kong, Cao, Iqbal, Wang, Wang, Plumbley, "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
Recognition", IEEE/ACM TASLP 28, 2020, arXiv 1912.10211. One front-end and one head around many bodies: plain CNNs,
ResNets and MobileNets on the log-mel spectrogram, 1-D networks on the waveform, a learned spectrogram (Wavegram) alone
or beside the log-mel one. Training draws every class equally often, mixes pairs of clips and leaves stripes out.

    waveform [batch, samples] at 32 kHz
      | log-mel, 64 Slaney bands 50-14000 Hz, 100 frames a second, dB
    [batch, 1, frames, 64]
      | batch norm per band; in training stripes left out, pairs mixed
      | body: Cnn14 is 6 blocks of two 3x3 convolutions, the first five halving the map; mean over frequency
    [batch, 2048, frames / 32]
      | maximum + mean over time, linear, ReLU
    embedding [batch, 2048] -- linear, sigmoid --> scores [batch, 527]

The DecisionLevel variants score every 32 frames and pool the scores, so that they also say when. ``model`` holds all
variants of the authors' code under their names (``VARIANTS``), ``bodies`` the networks, ``transfer`` the training.

Deviations, none of which changes a number where the authors' code gives one: waveforms too short for a body are filled
with zeros; Wavegram hears lengths at which its two spectrograms differ by a frame; layers that are built and never used
(batch norm of the attention, the first block of Wavegram-CNN, a shortcut of DaiNet19) are left out; the vector of a
DecisionLevel model is the mean of its segments'.

Good to know: the networks for 16 and 8 kHz heard audio thinned without a filter, so scores of properly resampled audio
differ a little. The embedding is not centred: compare by cosine after taking the mean off.
"""

from os import PathLike
from pathlib import Path

from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.represent.panns.model import VARIANTS, Config, Model, load_official
from auricle.represent.panns.transfer import ARMS, PRESETS, SEEDS, Task, claims, data, evaluate, experiment, replicate

__all__ = ["ARMS", "CARD", "PRESETS", "SEEDS", "VARIANTS", "Config", "Model", "Task"]
__all__ += ["claims", "data", "evaluate", "experiment", "load", "replicate"]

CARD = Card(
    name="panns",
    title="PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition",
    room="represent",
    kind="model",
    authors=("Qiuqiang Kong", "Yin Cao", "Turab Iqbal", "Yuxuan Wang", "Wenwu Wang", "Mark D. Plumbley"),
    year=2020,
    arxiv="1912.10211",
    task="audio tagging and embedding",
    summary="Convolutional taggers of 527 AudioSet classes, whose 2048-dimensional embeddings transfer to other tasks.",
    claim="mAP 0.431 (Cnn14) and 0.439 (Wavegram-Logmel-CNN) on AudioSet's evaluation set, against 0.392 before; "
    "fine-tuned, the networks beat training from scratch on six tasks",
    code_licence="MIT",
    data_licence="AudioSet: labels CC-BY-4.0, the sounds their owners'",
    extras=("train",),
)


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens one of the published networks, ready to hear.

    Args:
        tag: a variant ("Cnn14") or the name of a published checkpoint ("Cnn14_mAP=0.431"); empty for the name of the
            file, and Cnn14 if that says nothing.
        path: the checkpoint, as published (``.pth``, of which only the tensors are read) or as safetensors.

    Raises:
        WeightsError: there is no such variant, no file, or its tensors are not those of the variant.
    """
    variant = variant_of(tag or (Path(path).stem if path else "Cnn14"))
    if path is None:
        raise WeightsError(
            f"the weights of {variant} are not fetched by themselves",
            f"Download {variant}_mAP=….pth from https://zenodo.org/records/3987831 and load it with path=FILE",
        )
    return load_official(variant, read_state(Path(path)))


def variant_of(name: str) -> str:
    """The variant that a checkpoint's name begins with, "Cnn14_16k" of "Cnn14_16k_mAP=0.438".

    Raises:
        WeightsError: there is none.
    """
    variant = name.partition("_mAP")[0]
    if variant not in VARIANTS:
        raise WeightsError(f"there is no variant {variant!r} of panns", f"Choose from: {', '.join(VARIANTS)}")
    return variant


def read_state(path: Path) -> dict:
    """The state dict in ``path``, by the authors' names.

    Raises:
        WeightsError: the file is not there, or is no checkpoint that can be read without running code.
    """
    import numpy as np
    import torch

    from auricle.nn.checkpoints import read_checkpoint, read_safetensors

    if path.suffix == ".safetensors":
        return read_safetensors(path)
    # Beside the weights, published files hold the sampler's place in the data: plain arrays.
    arrays = [np.ndarray, np.dtype, *(type(np.dtype(name)) for name in ("bool", "int64", "float32", "float64"))]
    rebuild = np._core.multiarray._reconstruct  # pyright: ignore[reportAttributeAccessIssue]
    names = [(rebuild, f"numpy.{core}.multiarray._reconstruct") for core in ("core", "_core")]
    with torch.serialization.safe_globals([*arrays, *names]):
        checkpoint = read_checkpoint(path)
    return checkpoint.get("model", checkpoint)
