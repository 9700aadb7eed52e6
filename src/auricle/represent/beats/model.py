"""BEATs' networks: patches of a filter bank, and a transformer whose positions are a convolution and a gated bias."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from auricle.features.kaldi import Fbank
from auricle.nn.checkpoints import renamed


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are the published models' (their ``cfg``, not the defaults of the authors' class)."""

    width: int = 768
    layers: int = 12
    heads: int = 12  # 8 in the paper's text
    hidden: int = 3072
    patch: int = 16  # bands and frames, not overlapping
    patch_width: int = 512  # of a patch before it is brought to ``width``
    kernel: int = 128  # tokens that the convolution of positions sees
    groups: int = 16
    buckets: int = 320  # of relative positions, half of them for each direction
    distance: int = 800  # tokens beyond which all share a bucket
    dropout: float = 0.1
    attention_dropout: float = 0.1
    bands: int = 128
    mean: float = 15.41663  # of log-mel values of 16-bit samples
    deviation: float = 6.55582


class FrontEnd(nn.Module):
    """Waveform [batch, samples] at 16 kHz to normalised fbanks [batch, frames, bands]; at least a patch's frames."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.fbank = Fbank(16_000, config.bands, window="povey", scale=2.0**15, precise=True)
        self.least = self.fbank.length + (config.patch - 1) * self.fbank.hop  # samples

    def forward(self, wave: Tensor) -> Tensor:
        wave = functional.pad(wave, (0, max(0, self.least - wave.shape[-1])))
        return (self.fbank(wave) - self.config.mean) / (2 * self.config.deviation)


class RelativeBias(nn.Embedding):
    """What attention adds for how far apart two tokens are; T5's buckets, exact near, logarithmic far.

    Raffel et al., arXiv 1910.10683.
    """

    def __init__(self, config: Config):
        super().__init__(config.buckets, config.heads)
        self.each, self.distance = config.buckets // 2, config.distance

    def forward(self, positions: Tensor) -> Tensor:
        """The bias [batch, heads, n, n] between tokens at ``positions`` [batch, n]."""
        offset = positions[:, None, :] - positions[:, :, None]
        exact, far = self.each // 2, offset.abs()
        share = torch.log(far.clamp(min=1).float() / exact) / math.log(self.distance / exact)
        logarithmic = (exact + (share * (self.each - exact)).long()).clamp(max=self.each - 1)
        bucket = torch.where(far < exact, far, logarithmic) + (offset > 0).long() * self.each
        return super().forward(bucket).permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Self-attention of several heads whose bias each query opens or closes (WavLM's gate, arXiv 2110.13900)."""

    def __init__(self, config: Config):
        super().__init__()
        self.heads, self.dropout = config.heads, config.attention_dropout
        self.query, self.key, self.value, self.output = (nn.Linear(config.width, config.width) for _ in range(4))
        self.gate = nn.Linear(config.width // config.heads, 8)
        self.gate_scale = nn.Parameter(torch.ones(1, config.heads, 1, 1))

    def forward(self, x: Tensor, bias: Tensor, padding: Tensor | None) -> Tensor:
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        first, second = self.gate(query).unflatten(-1, (2, 4)).sum(-1).sigmoid().split(1, dim=-1)
        bias = (first * (second * self.gate_scale - 1) + 2) * bias
        if padding is not None:
            bias = bias.masked_fill(padding[:, None, None], -math.inf)
        dropout = self.dropout if self.training else 0.0
        heads = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias, dropout_p=dropout)
        return self.output(torch.cat(heads.unbind(1), dim=-1))  # a view would not export with a mask


class Layer(nn.Module):
    """Attention and two linear layers, normalised last, what they are added to scaled by ``alpha``.

    DeepNorm: Wang et al., arXiv 2203.00555.
    """

    def __init__(self, config: Config, alpha: float):
        super().__init__()
        self.alpha = alpha
        self.attention = Attention(config)
        self.attention_norm = nn.LayerNorm(config.width)
        self.feed_forward = nn.Sequential(
            nn.Linear(config.width, config.hidden), nn.GELU(), nn.Linear(config.hidden, config.width)
        )
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, bias: Tensor, padding: Tensor | None) -> Tensor:
        x = self.attention_norm(self.alpha * x + self.dropout(self.attention(x, bias, padding)))
        return self.feed_forward_norm(self.alpha * x + self.dropout(self.feed_forward(x)))


class Layers(nn.Module):
    """``depth`` layers that share one relative bias, on tokens [batch, n, width] at positions [batch, n]."""

    def __init__(self, config: Config, depth: int):
        super().__init__()
        self.bias = RelativeBias(config)
        self.layers = nn.ModuleList(Layer(config, (2 * depth) ** 0.25) for _ in range(depth))
        self.apply(_initialise)
        gain = (8 * depth) ** -0.25
        for layer in self.layers:
            attention: Any = layer.attention
            for part in (attention.query, attention.key):
                nn.init.xavier_normal_(part.weight)
            feed_forward: Any = layer.feed_forward
            for part in (attention.value, attention.output, feed_forward[0], feed_forward[2]):
                nn.init.xavier_normal_(part.weight, gain)

    def forward(self, x: Tensor, positions: Tensor, padding: Tensor | None = None) -> Tensor:
        bias = self.bias(positions)
        for layer in self.layers:
            x = layer(x, bias, padding)
        return x


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


class Encoder(nn.Module):
    """Fbanks [batch, frames, bands] to tokens [batch, n, width], the bands of 16 frames after each other.

    Frames beyond the last whole patch are not heard. 8 tokens are 160 ms.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.patches = nn.Conv2d(1, config.patch_width, config.patch, config.patch, bias=False)
        self.patch_norm = nn.LayerNorm(config.patch_width)
        self.project = nn.Linear(config.patch_width, config.width)
        convolution = nn.Conv1d(
            config.width, config.width, config.kernel, padding=config.kernel // 2, groups=config.groups
        )
        nn.init.normal_(convolution.weight, std=2 / math.sqrt(config.kernel * config.width))
        nn.init.zeros_(convolution.bias)  # pyright: ignore[reportArgumentType]
        self.convolution = weight_norm(convolution, dim=2)
        self.norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = Layers(config, config.layers)
        _initialise(self.project)

    def forward(self, mel: Tensor, padding: Tensor | None = None, visible: Tensor | None = None) -> Tensor:
        """The tokens of ``mel`` [batch, frames, bands].

        Args:
            padding: true where a token is not to be heard [batch, n].
            visible: numbers of the only tokens that are heard [batch, m], and of those returned, at their own places.
        """
        x = self.project(self.patch_norm(self.patches(mel[:, None]).flatten(2).transpose(1, 2)))
        if padding is not None:
            x = x.masked_fill(padding[..., None], 0.0)
        if visible is not None:
            heard = torch.zeros(x.shape[:2], dtype=torch.bool, device=x.device).scatter(1, visible, True)
            x = x * heard[..., None]
        around = self.convolution(x.transpose(1, 2))[..., : x.shape[1]]  # an even kernel gives one more
        x = self.norm(x + functional.gelu(around).transpose(1, 2))
        positions = torch.arange(x.shape[1], device=x.device)[None]
        if visible is not None:
            x, positions = x.gather(1, visible[..., None].expand(-1, -1, x.shape[-1])), visible
        return self.layers(self.dropout(x), positions, padding)


class Model(nn.Module):
    """BEATs with its front-end; randomly initialised until ``load`` or a training fills it.

    Args:
        config: the architecture.
        classes: names of the scores' columns, of a fine-tuned model; without them it only embeds.
    """

    sample_rate = 16_000  # Hz
    window = 10.0  # seconds it was trained on; longer sounds are heard whole, at a cost that grows with the square

    def __init__(self, config: Config | None = None, classes: Sequence[str] = ()):
        super().__init__()
        self.config = config = config or Config()
        self.classes = tuple(classes)
        self.front_end = FrontEnd(config)
        self.encoder = Encoder(config)
        if self.classes:
            self.dropout = nn.Dropout(config.dropout)
            self.classifier = nn.Linear(config.width, len(self.classes))

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.config.width

    def forward(self, wave: Tensor, padding: Tensor | None = None) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at 16 kHz, in [-1, 1], of any length; at least 0.175 s, filled with zeros.

        Args:
            padding: true for samples that are not to be heard [batch, samples].

        Returns:
            ``tokens`` [batch, n, width] and ``embedding`` [batch, width], their mean; of a model with classes also
            ``logits`` and ``scores`` [batch, classes], these in [0, 1].
        """
        mel = self.front_end(wave)
        hidden = None
        if padding is not None:
            added = mel.new_ones(len(padding), max(0, self.front_end.least - padding.shape[1]), dtype=torch.bool)
            count = mel.shape[1] // self.config.patch * (mel.shape[2] // self.config.patch)
            hidden = fewer(fewer(torch.cat((padding, added), dim=1), mel.shape[1]), count)
        tokens = self.encoder(mel, hidden)
        heard = {"tokens": tokens, "embedding": _mean(tokens, hidden)}
        if self.classes:
            heard["logits"] = _mean(self.token_logits(tokens), hidden)
            heard["scores"] = heard["logits"].sigmoid()
        return heard

    def token_logits(self, tokens: Tensor) -> Tensor:
        """What every one of ``tokens`` [batch, n, width] says of the classes [batch, n, classes]."""
        return self.classifier(self.dropout(tokens))

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]; for a model with classes."""
        return self(wave)["scores"]


def fewer(padding: Tensor, count: int) -> Tensor:
    """``padding`` [batch, n] in ``count`` equal parts [batch, count], the rest left out; true if a part is throughout.

    As the authors' code does it: a column of 8 tokens shares 16 frames, and each of the tokens goes by two of them.
    """
    rest = padding.shape[1] % count
    return padding[:, : padding.shape[1] - rest].unflatten(1, (count, -1)).all(dim=2)


def _mean(x: Tensor, padding: Tensor | None) -> Tensor:
    """The mean of ``x`` [batch, n, values] over the tokens that are no padding."""
    if padding is None:
        return x.mean(dim=1)
    heard = ~padding[..., None]
    return (x * heard).sum(dim=1) / heard.sum(dim=1)


_NAMES = (  # pattern of a name in the authors' checkpoints -> ours, in ``Model``
    (r"^patch_embedding\.", "encoder.patches."),
    (r"^layer_norm\.", "encoder.patch_norm."),
    (r"^post_extract_proj\.", "encoder.project."),
    (r"^encoder\.pos_conv\.0\.", "encoder.convolution."),
    (r"\.weight_g$", ".parametrizations.weight.original0"),
    (r"\.weight_v$", ".parametrizations.weight.original1"),
    (r"^encoder\.layer_norm\.", "encoder.norm."),
    (r"^encoder\.layers\.0\.self_attn\.relative_attention_bias\.", "encoder.layers.bias."),
    (r"^encoder\.layers\.(\d+)\.", r"encoder.layers.layers.\1."),
    (r"\.self_attn\.q_proj\.", ".attention.query."),
    (r"\.self_attn\.k_proj\.", ".attention.key."),
    (r"\.self_attn\.v_proj\.", ".attention.value."),
    (r"\.self_attn\.out_proj\.", ".attention.output."),
    (r"\.self_attn\.grep_linear\.", ".attention.gate."),
    (r"\.self_attn\.grep_a$", ".attention.gate_scale"),
    (r"\.self_attn_layer_norm\.", ".attention_norm."),
    (r"\.fc1\.", ".feed_forward.0."),
    (r"\.fc2\.", ".feed_forward.2."),
    (r"\.final_layer_norm\.", ".feed_forward_norm."),
    (r"^predictor\.", "classifier."),
)


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of the authors' ``BEATs``, in which every layer repeats the bias."""
    ours = {renamed(name, _NAMES): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in ours.items() if "relative_attention_bias" not in name}


def config_of(cfg: Mapping[str, Any]) -> Config:
    """The architecture that the ``cfg`` of a published checkpoint describes.

    Raises:
        KeyError: something is missing.
        ValueError: it is a network of another kind.
    """
    if not (cfg["deep_norm"] and cfg["relative_position_embedding"] and cfg["gru_rel_pos"]) or cfg["layer_norm_first"]:
        raise ValueError("its layers are not BEATs'")
    return Config(
        width=cfg["encoder_embed_dim"],
        layers=cfg["encoder_layers"],
        heads=cfg["encoder_attention_heads"],
        hidden=cfg["encoder_ffn_embed_dim"],
        patch=cfg["input_patch_size"],
        patch_width=cfg["embed_dim"],
        kernel=cfg["conv_pos"],
        groups=cfg["conv_pos_groups"],
        buckets=cfg["num_buckets"],
        distance=cfg["max_distance"],
        dropout=cfg["dropout"],
        attention_dropout=cfg["attention_dropout"],
    )
