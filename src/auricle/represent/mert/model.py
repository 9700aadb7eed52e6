"""MERT's network: HuBERT's, hearing 24,000 samples a second in frames of 75 a second."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from auricle.nn.checkpoints import renamed
from auricle.nn.transformer import Attention, FeedForward


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are those of the model of 95 million parameters."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    norm_first: bool = False
    channels: int = 512  # of the convolutions
    kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    kernel: int = 128  # frames that the convolution of positions sees
    groups: int = 16
    dropout: float = 0.1
    layer_drop: float = 0.05  # chance that a layer is left out, in training
    gradient: float = 0.1  # share of the gradient that reaches the convolutions
    sample_rate: int = 24_000
    layer: int | None = None  # whose frames make the embedding, 0 before the first; None for the mean of all

    @property
    def stride(self) -> int:
        """Samples between frames."""
        return math.prod(self.strides)

    @property
    def receptive(self) -> int:
        """Samples that one frame hears."""
        heard = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            heard = (heard - 1) * stride + kernel
        return heard


SIZES = {
    "95m": Config(),
    "330m": Config(
        width=1024, layers=24, heads=16, hidden=4096, norm_first=True, dropout=0.0, layer_drop=0.0, gradient=1.0
    ),
}


class Convolutions(nn.Module):
    """Waveform [batch, samples] to features [batch, frames, channels]; the first layer is normalised over time."""

    def __init__(self, config: Config):
        super().__init__()
        channels = [1] + [config.channels] * len(config.kernels)
        self.least = config.receptive
        self.layers = nn.ModuleList(
            nn.Conv1d(before, config.channels, kernel, stride, bias=False)
            for before, kernel, stride in zip(channels, config.kernels, config.strides, strict=False)
        )
        self.norm = nn.GroupNorm(config.channels, config.channels)
        for layer in self.layers:
            nn.init.kaiming_normal_(layer.weight)  # pyright: ignore[reportArgumentType]

    def forward(self, wave: Tensor) -> Tensor:
        x = functional.pad(wave, (0, max(0, self.least - wave.shape[-1])))[:, None]
        for index, layer in enumerate(self.layers):
            x = layer(x)
            x = functional.gelu(self.norm(x) if index == 0 else x)
        return x.transpose(1, 2)


class Layer(nn.Module):
    """Attention and two linear layers on frames [batch, n, width], each normalised before it or after its sum."""

    def __init__(self, config: Config):
        super().__init__()
        self.norm_first = config.norm_first
        self.attention = Attention(config.width, config.heads)
        self.attention_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.hidden)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        if self.norm_first:
            x = x + self.dropout(self.attention(self.attention_norm(x)))
            return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        x = self.attention_norm(x + self.dropout(self.attention(x)))
        return self.feed_forward_norm(x + self.dropout(self.feed_forward(x)))


class Encoder(nn.Module):
    """Features [batch, frames, channels] to the frames of every layer."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.feature_norm = nn.LayerNorm(config.channels)
        self.project = nn.Linear(config.channels, config.width)
        positions = nn.Conv1d(
            config.width, config.width, config.kernel, padding=config.kernel // 2, groups=config.groups
        )
        nn.init.normal_(positions.weight, std=2 / math.sqrt(config.kernel * config.width))
        nn.init.zeros_(positions.bias)  # pyright: ignore[reportArgumentType]
        self.positions = weight_norm(positions, dim=2)
        self.norm = nn.LayerNorm(config.width)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.dropout = nn.Dropout(config.dropout)
        for part in [self.project, *self.layers.modules()]:
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=0.02)
                nn.init.zeros_(part.bias)

    def forward(self, features: Tensor, hidden: Tensor | None = None, mask: Tensor | None = None) -> list[Tensor]:
        """Frames [batch, n, width] before the first layer and after each.

        Args:
            hidden: where ``mask`` [width] takes the place of a frame, true [batch, n].
        """
        x = self.dropout(self.project(self.feature_norm(features)))
        if hidden is not None and mask is not None:
            x = torch.where(hidden[..., None], mask.to(x.dtype), x)
        around = self.positions(x.transpose(1, 2))[..., : x.shape[1]]  # an even kernel gives one more
        x = x + functional.gelu(around).transpose(1, 2)
        x = self.dropout(x if self.config.norm_first else self.norm(x))
        heard = [x]
        for layer in self.layers:
            if not (self.training and torch.rand(()) < self.config.layer_drop):
                x = layer(x)
            heard.append(x)
        if self.config.norm_first:
            heard[-1] = self.norm(x)
        return heard


class Model(nn.Module):
    """MERT; randomly initialised until ``load`` or a training fills it.

    An embedding is the mean over time of one layer or of all. Sounds are heard whole, as long as they are: features are
    normalised over all that is heard at once, and time and memory grow with the square of the length.

    Args:
        config: the architecture.
        classes: names of the scores' columns, for fine-tuning; without them the model only embeds.
    """

    window = 5.0  # seconds it was trained on

    def __init__(self, config: Config | None = None, classes: Sequence[str] = ()):
        super().__init__()
        self.config = config = config or Config()
        self.classes = tuple(classes)
        self.convolutions = Convolutions(config)
        self.encoder = Encoder(config)
        if self.classes:  # the probe of MARBLE, arXiv 2306.10548
            self.shares = nn.Parameter(torch.zeros(config.layers + 1))
            self.classifier = nn.Sequential(
                nn.Linear(config.width, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, len(self.classes))
            )

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.config.sample_rate

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.config.width

    def features(self, wave: Tensor) -> Tensor:
        """What the convolutions make of ``wave`` [batch, samples]: [batch, frames, channels]."""
        features, share = self.convolutions(wave), self.config.gradient
        if self.training and share != 1:
            return share * features + (1 - share) * features.detach()
        return features

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at ``sample_rate``, in [-1, 1].

        Returns:
            ``layers`` [batch, 1 + layers, frames, width], frame ``k`` hears the ``receptive``
            samples from ``k * stride`` on; and
            ``embedding`` [batch, width]; of a model with classes also ``logits`` and ``scores`` [batch, classes].
        """
        layers = torch.stack(self.encoder(self.features(wave)), dim=1)
        means = layers.mean(dim=2)
        chosen = means.mean(dim=1) if self.config.layer is None else means[:, self.config.layer]
        heard = {"layers": layers, "embedding": chosen}
        if self.classes:
            heard["logits"] = self.classifier(torch.einsum("blw,l->bw", means, self.shares.softmax(dim=0)))
            heard["scores"] = heard["logits"].sigmoid()
        return heard

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]; for a model with classes."""
        return self(wave)["scores"]


_SHARED = (  # pattern of a name in either kind of checkpoint -> ours, in ``Model``
    (r"\.(?:weight_g|parametrizations\.weight\.original0)$", ".parametrizations.weight.original0"),
    (r"\.(?:weight_v|parametrizations\.weight\.original1)$", ".parametrizations.weight.original1"),
    (r"\.q_proj\.", ".query."),
    (r"\.k_proj\.", ".key."),
    (r"\.v_proj\.", ".value."),
    (r"\.out_proj\.", ".output."),
    (r"\.final_layer_norm\.", ".feed_forward_norm."),
    (r"^encoder\.layer_norm\.", "encoder.norm."),
)
_HUGGING_FACE = (
    (r"^feature_extractor\.conv_layers\.(\d+)\.conv\.", r"convolutions.layers.\1."),
    (r"^feature_extractor\.conv_layers\.0\.layer_norm\.", "convolutions.norm."),
    (r"^feature_projection\.layer_norm\.", "encoder.feature_norm."),
    (r"^feature_projection\.projection\.", "encoder.project."),
    (r"^encoder\.pos_conv_embed\.conv\.", "encoder.positions."),
    (r"^(encoder\.layers\.\d+)\.layer_norm\.", r"\1.attention_norm."),
    (r"\.intermediate_dense\.", ".0."),
    (r"\.output_dense\.", ".2."),
    *_SHARED,
)
_FAIRSEQ = (
    (r"^feature_extractor\.conv_layers\.(\d+)\.0\.", r"convolutions.layers.\1."),
    (r"^feature_extractor\.conv_layers\.0\.2\.", "convolutions.norm."),
    (r"^layer_norm\.", "encoder.feature_norm."),
    (r"^post_extract_proj\.", "encoder.project."),
    (r"^encoder\.pos_conv\.0\.", "encoder.positions."),
    (r"\.self_attn_layer_norm\.", ".attention_norm."),
    (r"\.self_attn\.", ".attention."),
    (r"\.fc1\.", ".feed_forward.0."),
    (r"\.fc2\.", ".feed_forward.2."),
    *_SHARED,
)
_HEADS = (  # of fairseq's checkpoints -> ours, in ``Task``
    (r"^mask_emb$", "mask"),
    (r"^final_proj\.", "project."),
    (r"^label_embs_concat$", "codes"),
    (r"^encoder_cqt_model\.fc\.", "redraw."),
)


def from_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of the hub's ``MERTModel``, or of ``transformers.HubertModel``."""
    ours = {renamed(name, _HUGGING_FACE): tensor for name, tensor in state.items()}
    return {name: tensor for name, tensor in ours.items() if name != "masked_spec_embed"}


def from_fairseq(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Task`` from that of the authors' ``MERTModel`` in fairseq, heads included.

    The kernels of its transform are left out; ours are made anew. Where each codebook has a projection of its own
    (``final_projs``), they become one.
    """
    ours: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith(("encoder_cqt_model.spec_layer.", "final_projs.")):
            continue
        head = renamed(name, _HEADS)
        ours[head if head != name else f"model.{renamed(name, _FAIRSEQ)}"] = tensor
    for part in ("weight", "bias"):
        each = [tensor for name, tensor in state.items() if name.startswith("final_projs.") and name.endswith(part)]
        if each:
            ours[f"project.{part}"] = torch.cat(each)
    return ours
