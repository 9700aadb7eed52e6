"""BEATs: an encoder that learns to predict the labels of hidden patches, and a tokenizer that learns from the encoder.

Chen, Wu, Wang, Liu, Tompkins, Chen, Che, Yu, Wei, "BEATs: Audio Pre-Training with Acoustic Tokenizers", ICML 2023,
arXiv 2212.09058. Discrete labels are what let language models learn meaning rather than detail; here a tokenizer gives
one of 1024 to every patch, at first by a random projection. Three quarters of the patches are hidden, their labels
predicted; what was learned teaches the next tokenizer, whose labels teach the next encoder.

    waveform [batch, samples] at 16 kHz
      | times 2^15; Kaldi fbank (Povey window), 128 bands, 100 frames a second; normalised
    [batch, frames, 128]
      | patches of 16 x 16, linear, layer norm, linear; 8 along frequency (fastest) x 6.25 a second
    [batch, n, 768]
      | a convolution over 128 tokens added; 12 transformer layers (norm last, DeepNorm, gated relative bias)
    tokens [batch, n, 768] -- mean --> embedding [batch, 768]
      | linear on every token, mean, sigmoid, when fine-tuned
    scores [batch, 527]

``model`` holds the networks, ``tokenizer`` both tokenizers and how one is taught, ``training`` the pretext task and the
claim in miniature. Kept: encoder, tokenizer and padding to 1e-4 of the authors' code (microsoft/unilm, ``beats``), all
their checkpoints load. The authors published no training code: the predictor's 3 layers and the norm before the random
projection are ESPnet's; in pretraining the convolution of positions runs over all places, hidden ones empty.

Good to know: the scores of fine-tuned models are in an order of their own, kept in the checkpoint and in ``classes``.
The last frames that do not fill a patch are not heard. Six classes of AudioSet go by their identifiers.
"""

from collections.abc import Mapping
from os import PathLike
from typing import Any

from torch import Tensor

from auricle.data import audioset
from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.nn.checkpoints import filled, read_checkpoint
from auricle.represent.beats.model import Config, Model, config_of, from_authors
from auricle.represent.beats.tokenizer import RandomTokenizer, Tokenizer, tokenizer_from_authors
from auricle.represent.beats.training import ARMS, PRESETS, SEEDS, Task, claims, data, experiment, replicate

__all__ = ["ARMS", "CARD", "CHECKPOINTS", "PRESETS", "SEEDS", "Config", "Model", "RandomTokenizer", "Task", "Tokenizer"]
__all__ += ["claims", "data", "experiment", "load", "load_tokenizer", "replicate"]

CARD = Card(
    name="beats",
    title="BEATs: Audio Pre-Training with Acoustic Tokenizers",
    room="represent",
    kind="model",
    authors=(
        "Sanyuan Chen",
        "Yu Wu",
        "Chengyi Wang",
        "Shujie Liu",
        "Daniel Tompkins",
        "Zhuo Chen",
        "Wanxiang Che",
        "Xiangzhan Yu",
        "Furu Wei",
    ),
    year=2023,
    arxiv="2212.09058",
    task="self-supervised audio representation and tagging",
    summary="A transformer that predicts labels of hidden patches, given by a tokenizer that its predecessor taught.",
    claim="mAP 0.486 (single model) and 0.506 (ten) on AudioSet's evaluation set, 98.1 % on ESC-50; 0.480 without "
    "labels in pretraining, against 0.473 of Audio-MAE",
    code_licence="MIT",
    data_licence="AudioSet: labels CC-BY-4.0, the sounds their owners'",
    extras=("train",),
)

CHECKPOINTS = {  # tag -> file as published
    "iter1": "BEATs_iter1.pt",
    "iter2": "BEATs_iter2.pt",
    "iter3": "BEATs_iter3.pt",
    "iter3plus-as20k": "BEATs_iter3_plus_AS20K.pt",
    "iter3plus-as2m": "BEATs_iter3_plus_AS2M.pt",
    "iter3plus-as2m-tagger": "BEATs_iter3_plus_AS2M_finetuned_on_AS2M_cpt2.pt",
}


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a published BEATs, ready to hear.

    Args:
        tag: one of ``CHECKPOINTS``, of which only the publisher's pages know where they are; give the file as ``path``.
        path: a checkpoint of the authors, pretrained or fine-tuned, of which only tensors and plain values are read.

    Raises:
        WeightsError: there is no such tag or file, or it is no BEATs.
    """
    if path is None:
        if tag and tag not in CHECKPOINTS:
            raise WeightsError(f"there is no BEATs {tag!r}", f"Choose from: {', '.join(CHECKPOINTS)}")
        file = CHECKPOINTS[tag or "iter3plus-as2m"]
        raise WeightsError(
            f"{file} is not fetched by itself",
            "Download it as https://github.com/microsoft/unilm/tree/master/beats says and load it with path=FILE",
        )
    checkpoint = read_checkpoint(path)
    cfg, state = _parts(checkpoint, path)
    classes = _classes(checkpoint.get("label_dict", {})) if cfg.get("finetuned_model") else ()
    return filled(lambda: Model(config_of(cfg), classes), lambda: from_authors(state), path, "a BEATs")


def load_tokenizer(path: str | PathLike[str]) -> Tokenizer:
    """Opens a published tokenizer, ``Tokenizer_iter3.pt`` and its like.

    Raises:
        WeightsError: there is no such file, or it is no tokenizer.
    """
    cfg, state = _parts(read_checkpoint(path), path)

    def make() -> Tokenizer:
        return Tokenizer(config_of(cfg), cfg["quant_n"], cfg["quant_dim"])

    return filled(make, lambda: tokenizer_from_authors(state), path, "a tokenizer of BEATs")


def _parts(checkpoint: Mapping[str, Any], path: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    try:
        return checkpoint["cfg"], checkpoint["model"]
    except (KeyError, TypeError) as error:
        raise WeightsError(f"{path} is no checkpoint of BEATs: it holds no {error}") from error


def _classes(labels: Mapping[int, str]) -> tuple[str, ...]:
    """Names of a fine-tuned model's columns from its identifiers; those that are not known stay as they are."""
    names = dict(zip(audioset.mids(), audioset.classes(), strict=True))
    return tuple(names.get(labels[column], labels[column]) for column in sorted(labels, key=int))
