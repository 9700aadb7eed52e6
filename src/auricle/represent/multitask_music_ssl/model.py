"""The encoders: PASE's, from the waveform through band-pass filters, and one that starts from a log-mel spectrogram."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.logmel import LogMel
from auricle.nn.checkpoints import renamed
from auricle.nn.sinc import SincConv, same


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are PASE's (``PASE.cfg``), 100 frames a second."""

    encoder: Literal["wave", "mel"] = "wave"
    kernels: tuple[int, ...] = (251, 20, 11, 11, 11, 11, 11, 11)  # the first are the filters
    strides: tuple[int, ...] = (1, 10, 2, 1, 2, 1, 2, 2)
    channels: tuple[int, ...] = (64, 64, 128, 128, 256, 256, 512, 512)
    width: int = 100  # of a frame
    sample_rate: int = 16_000
    bands: int = 64  # of the log-mel, for "mel", whose blocks keep its frames

    @property
    def hop(self) -> int:
        """Samples between frames."""
        return math.prod(self.strides)


class Block(nn.Module):
    """Convolution of signals [batch, before, n], batch norm, and a slope for each channel's negative values."""

    def __init__(self, convolution: nn.Module, channels: int):
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm1d(channels)
        self.slope = nn.PReLU(channels, init=0.0)

    def forward(self, x: Tensor) -> Tensor:
        if isinstance(self.convolution, nn.Conv1d):
            x = same(x, self.convolution.kernel_size[0], self.convolution.stride[0])
        return self.slope(self.norm(self.convolution(x)))


class Model(nn.Module):
    """An encoder; randomly initialised until ``load`` or a training fills it.

    An embedding is the mean and the deviation of the frames over time. Sounds are heard whole, as long as they are.

    Args:
        config: the architecture.
        classes: names of the scores' columns, for fine-tuning; without them the model only embeds.
    """

    window = 2.0  # seconds of PASE's training clips

    def __init__(self, config: Config | None = None, classes: Sequence[str] = ()):
        super().__init__()
        self.config = config = config or Config()
        self.classes = tuple(classes)
        kernels, strides, channels = config.kernels, config.strides, config.channels
        if config.encoder == "mel":
            self.mel = LogMel(config.sample_rate, 1024, config.hop, config.bands, 0.0, config.sample_rate / 2)
            first: nn.Module = nn.Conv1d(config.bands, channels[0], kernels[-1])
            strides = (1,) * len(strides)
            kernels = (kernels[-1],) * len(kernels)
        else:
            first = SincConv(channels[0], kernels[0], config.sample_rate, stride=strides[0])
        blocks = [Block(first, channels[0])]
        for before, after, kernel, stride in zip(channels, channels[1:], kernels[1:], strides[1:], strict=False):
            blocks.append(Block(nn.Conv1d(before, after, kernel, stride), after))
        self.blocks = nn.ModuleList(blocks)
        self.project = nn.Conv1d(channels[-1], config.width, 1)
        self.norm = nn.BatchNorm1d(config.width, affine=False)
        if self.classes:
            self.classifier = nn.Linear(self.dim, len(self.classes))

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.config.sample_rate

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return 2 * self.config.width

    def frames(self, wave: Tensor) -> Tensor:
        """Frames [batch, samples // hop, width] of ``wave`` [batch, samples]; fewer than 16 are made 16 by silence."""
        hop = self.config.hop
        wave = functional.pad(wave, (0, max(0, 16 * hop - wave.shape[-1])))
        count = wave.shape[-1] // hop
        x = self.mel(wave).transpose(1, 2) / 20 if self.config.encoder == "mel" else wave[:, None]
        for block in self.blocks:
            x = block(x)
        return self.norm(self.project(x))[..., :count].transpose(1, 2)

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at ``sample_rate``, in [-1, 1].

        Returns:
            ``frames`` [batch, n, width], every ``hop`` samples; ``embedding`` [batch, 2 * width]; of a model with
            classes also ``logits`` and ``scores`` [batch, classes].
        """
        frames = self.frames(wave)
        deviation = (frames.var(dim=1, correction=0) + 1e-6).sqrt()
        heard = {"frames": frames, "embedding": torch.cat((frames.mean(dim=1), deviation), dim=1)}
        if self.classes:
            heard["logits"] = self.classifier(heard["embedding"])
            heard["scores"] = heard["logits"].sigmoid()
        return heard

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]; for a model with classes."""
        return self(wave)["scores"]


_NAMES = (  # pattern of a name in PASE's checkpoints -> ours
    (r"\.conv\.low_hz_$", ".convolution.low"),
    (r"\.conv\.band_hz_$", ".convolution.band"),
    (r"\.conv\.", ".convolution."),
    (r"\.act\.", ".slope."),
    (r"^W\.", "project."),
    (r"^norm_out\.", "norm."),
)


def from_pase(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of PASE's ``WaveFe``."""
    ours = {renamed(name, _NAMES): tensor for name, tensor in state.items()}
    return {name: x[:, 0] if name.endswith((".low", ".band")) else x for name, x in ours.items()}


def config_of(state: Mapping[str, Tensor]) -> Config:
    """The architecture of the ``WaveFe`` that ``state`` is of; filters of 251 samples and strides are PASE's own."""
    count = sum(name.endswith(".act.weight") for name in state)
    convolutions = [state[f"blocks.{index}.conv.weight"] for index in range(1, count)]
    return Config(
        kernels=(251, *(weight.shape[2] for weight in convolutions)),
        channels=(len(state["blocks.0.conv.low_hz_"]), *(len(weight) for weight in convolutions)),
        width=len(state["W.weight"]),
    )
