"""AST: a vision transformer that hears, the first tagger without convolutions between its patches and its scores.

Gong, Chung, Glass, "AST: Audio Spectrogram Transformer", Interspeech 2021, arXiv 2104.01778. A log-mel spectrogram is
cut into overlapping patches, each becomes a token, and an unchanged ViT does the rest: with ImageNet's weights to start
from (the three colours of the patch embedding summed, the positions cut and interpolated) it beats the convolutional
networks of its time on AudioSet.

    waveform [batch, samples] at 16 kHz
      | Kaldi fbank, 128 bands, 100 frames a second; filled or cut to 1024 frames; normalised
    [batch, 1024, 128]
      | patches of 16 x 16 every 10 x 10, linear: 12 along frequency x 101 along time
    [batch, 1212, 768]
      | two learned tokens in front, learned positions added
      | 12 transformer layers (12 heads, norm first), layer norm
    tokens [batch, 1214, 768]
      | mean of the two learned tokens
    embedding [batch, 768] -- layer norm, linear, sigmoid --> scores [batch, 527]

Kept: the published networks to 1e-4 of ``transformers.ASTForAudioClassification``, front-end included. Checkpoints of
both layouts load: the authors' (``audioset_10_10_0.4593.pth``) and Hugging Face's (``MIT/ast-finetuned-...``).

``fit_length`` has a model hear another length, its learned positions cut or interpolated in time as the authors do it.

Good to know: padding comes before normalisation, so a short clip ends in a constant of +0.47, not in silence, and the
network has learned to expect that. The published mean and deviation are of fbanks of waveforms in [-1, 1], unscaled.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from auricle.data.audioset import evaluation_classes
from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.nn.checkpoints import filled, from_hub, read_checkpoint, read_safetensors, renamed, split_qkv
from auricle.nn.patches import PatchEncoder, grid_of, initialise
from auricle.nn.transformer import Layer

CARD = Card(
    name="ast",
    title="AST: Audio Spectrogram Transformer",
    room="represent",
    kind="model",
    authors=("Yuan Gong", "Yu-An Chung", "James Glass"),
    year=2021,
    arxiv="2104.01778",
    task="audio tagging and embedding",
    summary="A vision transformer on patches of the spectrogram: 527 AudioSet scores, 768-dimensional embeddings.",
    claim="mAP 0.459 (single model) on AudioSet's evaluation set, against 0.444 of PSLA; 95.6 % on ESC-50, 98.1 % on "
    "Speech Commands V2",
    code_licence="BSD-3-Clause",
    data_licence="AudioSet: labels CC-BY-4.0, the sounds their owners'",
    extras=("train",),
)

WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are the published model's with patches every 10 x 10 (section 2.1)."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    patch: int = 16  # bands and frames
    stride: tuple[int, int] = (10, 10)  # bands and frames between patches
    bands: int = 128
    frames: int = 1024  # of 10 ms
    mean: float = -4.2677393  # of AudioSet's log-mel values
    deviation: float = 4.5689974
    epsilon: float = 1e-12  # of the layer norms; 1e-6 in the authors' code

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along frequency and along time."""
        return grid_of(self)


class Model(PatchEncoder):
    """AST with its front-end; randomly initialised until a ``load_`` function or a training fills it.

    Args:
        config: the architecture.
        classes: names of the scores' columns; None for AudioSet's 527.
    """

    special = 2  # tokens in front of the patches'

    def __init__(self, config: Config | None = None, classes: Sequence[str] | None = None):
        config = config or Config()
        super().__init__(config)
        self.classes = tuple(evaluation_classes() if classes is None else classes)
        self.layers = nn.ModuleList(
            Layer(config.width, config.heads, config.hidden, config.epsilon) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.classifier = nn.Sequential(
            nn.LayerNorm(config.width, eps=config.epsilon), nn.Linear(config.width, len(self.classes))
        )
        self.apply(initialise)
        nn.init.trunc_normal_(self.tokens, std=0.02)
        nn.init.trunc_normal_(self.positions, std=0.02)

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at 16 kHz, in [-1, 1]; what goes beyond ``window`` seconds is not heard.

        Returns:
            ``tokens`` [batch, 2 + patches, width], ``embedding`` [batch, width], ``logits`` and ``scores`` [batch,
            classes], these in [0, 1].
        """
        return self.hear(self.front_end(wave))

    def hear(self, mel: Tensor) -> dict[str, Tensor]:
        """As ``forward``, of normalised fbanks ``mel`` [batch, frames, bands]."""
        tokens = self.encode(self.embed_patches(mel))
        embedding = tokens[:, :2].mean(dim=1)
        logits = self.classifier(embedding)
        return {"tokens": tokens, "embedding": embedding, "logits": logits, "scores": logits.sigmoid()}

    def encode(self, tokens: Tensor) -> Tensor:
        """Tokens [batch, n, width] through all layers and the last norm."""
        for layer in self.layers:
            tokens = layer(tokens)
        return self.norm(tokens)

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]."""
        return self(wave)["scores"]


_HUGGING_FACE = (  # pattern of a name in transformers 5, or in 4 -> ours
    (r"audio_spectrogram_transformer\.", ""),
    (r"encoder\.layer\.", "layers."),
    (r"embeddings\.patch_embeddings\.projection\.", "patches."),
    (r"embeddings\.position_embeddings", "positions"),
    (r"attention\.(?:attention\.)?(query|key|value)(?:_proj)?\.", r"attention.\1."),
    (r"attention\.(q|k|v)_proj\.", lambda found: f"attention.{_QKV[found[1]]}."),
    (r"attention\.(?:output\.dense|o_proj)\.", "attention.output."),
    (r"(?:intermediate\.dense|mlp\.fc1)\.", "feed_forward.0."),
    (r"(?<!attention\.)(?:output\.dense|mlp\.fc2)\.", "feed_forward.2."),
    (r"layernorm_before\.", "attention_norm."),
    (r"layernorm_after\.", "feed_forward_norm."),
    (r"^layernorm\.", "norm."),
    (r"^classifier\.layernorm\.", "classifier.0."),
    (r"^classifier\.dense\.", "classifier.1."),
)
_QKV = {"q": "query", "k": "key", "v": "value"}

_AUTHORS = (  # pattern of a name in the authors' checkpoints -> ours
    (r"^module\.", ""),
    (r"^v\.", ""),
    (r"^patch_embed\.proj\.", "patches."),
    (r"^pos_embed$", "positions"),
    (r"^blocks\.", "layers."),
    (r"\.norm1\.", ".attention_norm."),
    (r"\.norm2\.", ".feed_forward_norm."),
    (r"\.attn\.proj\.", ".attention.output."),
    (r"\.mlp\.fc1\.", ".feed_forward.0."),
    (r"\.mlp\.fc2\.", ".feed_forward.2."),
    (r"^mlp_head\.", "classifier."),
)
_UNUSED = re.compile(r"v\.head(_dist)?\.")  # ImageNet's classifiers


def from_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of ``transformers.ASTForAudioClassification``, version 4 or 5."""
    ours = {renamed(name, _HUGGING_FACE): tensor for name, tensor in state.items()}
    names = ("embeddings.cls_token", "embeddings.distillation_token")
    return ours | {"tokens": torch.cat([ours.pop(name) for name in names], dim=1)}


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of the authors' ``ASTModel``, in which one matrix holds q, k and v."""
    ours = {}
    for name, tensor in state.items():
        if _UNUSED.search(name):
            continue
        name = renamed(name, _AUTHORS)
        if ".attn.qkv." in name:
            ours |= split_qkv(name, tensor)
        else:
            ours[name] = tensor
    return ours | {"tokens": torch.cat([ours.pop("cls_token"), ours.pop("dist_token")], dim=1)}


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a published AST, ready to hear.

    Args:
        tag: name of a Hugging Face repository, ``MIT/ast-finetuned-...`` with or without ``MIT/``, fetched through its
            hub; empty for the one of AudioSet with patches every 10 x 10.
        path: instead, a folder as ``save_pretrained`` writes it, or a checkpoint of the authors (``.pth``, of
            which only the tensors are read; its classes are then AudioSet's).

    Raises:
        WeightsError: the files cannot be had, or are not those of an AST.
    """
    if path is not None and Path(path).is_file():
        return _load_authors(Path(path))
    folder = Path(path) if path is not None else None
    described = (_file(tag, name, folder) for name in ("preprocessor_config.json", "config.json"))
    facts: dict[str, Any] = {}
    for file in described:
        facts |= json.loads(file.read_text(encoding="utf-8"))
    weights_file = _file(tag, WEIGHTS, folder)
    return _filled(*_described(facts), from_hugging_face, read_safetensors(weights_file), str(weights_file))


def _file(tag: str, name: str, folder: Path | None) -> Path:
    """The file ``name`` of a folder or, without one, of a repository on the hub."""
    if folder is not None:
        if not (folder / name).is_file():
            raise WeightsError(f"{folder} holds no {name}", "Write the model there with save_pretrained")
        return folder / name
    repository = tag or "ast-finetuned-audioset-10-10-0.4593"
    return from_hub(repository if "/" in repository else f"MIT/{repository}", name)


def _described(facts: Mapping[str, Any]) -> tuple[Config, list[str]]:
    """The architecture and classes that ``config.json`` and ``preprocessor_config.json`` of transformers describe."""
    config = Config(
        width=facts["hidden_size"],
        layers=facts["num_hidden_layers"],
        heads=facts["num_attention_heads"],
        hidden=facts["intermediate_size"],
        patch=facts["patch_size"],
        stride=(facts["frequency_stride"], facts["time_stride"]),
        bands=facts["num_mel_bins"],
        frames=facts["max_length"],
        epsilon=facts["layer_norm_eps"],
        mean=facts["mean"],
        deviation=facts["std"],
    )
    labels = facts["id2label"]
    return config, [labels[key] for key in sorted(labels, key=int)]


def _load_authors(path: Path) -> Model:
    state = read_checkpoint(path)
    strides = re.search(r"_(10|12|14|16)_(10|12|14|16)_", path.name)
    stride = (int(strides[1]), int(strides[2])) if strides else Config.stride
    return _filled(Config(stride=stride, epsilon=1e-6), None, from_authors, state, str(path))


def _filled(
    config: Config, classes: Sequence[str] | None, convert: Any, state: Mapping[str, Tensor], name: str
) -> Model:
    return filled(lambda: Model(config, classes), lambda: convert(state), name, "an AST")
