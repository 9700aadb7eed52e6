"""UnFuSeD's network, BYOL-A's trunk, and what published checkpoints call its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.logmel import LogMel, power_spectrum
from auricle.nn.checkpoints import renamed


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are the published ones, of 5.3 million parameters."""

    bands: int = 64
    channels: int = 64
    width: int = 2048
    dropout: float = 0.3
    low: float = 60.0  # Hz
    high: float = 7800.0


class FrontEnd(LogMel):
    """Waveform [batch, samples] at 16 kHz to ``ln(mel + 1.2e-7)`` [batch, 1 + samples // 160, bands]."""

    LEAST = 15_200  # samples; what is shorter gets zeros at both ends

    def __init__(self, config: Config):
        super().__init__(16_000, 1024, 160, config.bands, config.low, config.high)

    def forward(self, waveform: Tensor) -> Tensor:
        missing = max(0, self.LEAST - waveform.shape[-1])
        return super().forward(functional.pad(waveform, (missing // 2, missing - missing // 2)))

    def _transform(self, waveform: Tensor) -> Tensor:
        half = self.fft // 2
        centred = functional.pad(waveform[:, None], (half, half), mode="reflect")[:, 0]
        return (power_spectrum(centred, self.kernel, self.hop) @ self.bank + torch.finfo(torch.float32).eps).log()


class Model(nn.Module):
    """The encoder with its front-end; randomly initialised until ``load`` or a training fills it.

    Sounds are heard whole, as long as they are.

    Args:
        config: the architecture.
        classes: names of the scores' columns, for fine-tuning; without them the model only embeds.
    """

    sample_rate = 16_000  # Hz
    window = 0.95  # seconds it is pretrained on
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: Config | None = None, classes: Sequence[str] = ()):
        super().__init__()
        self.config = config = config or Config()
        self.classes = tuple(classes)
        self.front_end = FrontEnd(config)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))
        channels = config.channels
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(before, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.ReLU(), nn.MaxPool2d(2)
            )
            for before in (1, channels, channels)
        )
        self.frames = nn.Sequential(
            nn.Linear(channels * (config.bands // 8), config.width),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.width, config.width),
            nn.ReLU(),
        )
        if self.classes:
            self.classifier = nn.Linear(config.width, len(self.classes))

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.config.width

    @property
    def middles(self) -> tuple[int, ...]:
        """Lengths of what ``hear`` gives of each block."""
        return tuple(self.config.channels * (self.config.bands >> depth) for depth in (1, 2, 3))

    def mel(self, wave: Tensor) -> Tensor:
        """Normalised log-mel [batch, frames, bands] of ``wave`` [batch, samples]."""
        return (self.front_end(wave) - self.mean) / self.deviation

    @torch.no_grad()
    def measure(self, wave: Tensor) -> None:
        """Takes level and spread of the log-mel values from sounds [batch, samples] like those to come."""
        mel = self.front_end(wave)
        self.mean.copy_(mel.mean())
        self.deviation.copy_(mel.std())

    def hear(self, mel: Tensor) -> dict[str, Any]:
        """As ``forward``, of normalised log-mel [batch, frames >= 8, bands]."""
        x, middles = mel.transpose(1, 2)[:, None], []
        for block in self.blocks:
            x = block(x)
            middles.append(_rows(x).mean(dim=1))
        frames = self.frames(_rows(x))
        heard: dict[str, Any] = {"frames": frames, "middles": middles}
        heard["embedding"] = frames.amax(dim=1) + frames.mean(dim=1)
        if self.classes:
            heard["logits"] = self.classifier(frames.mean(dim=1))
            heard["scores"] = heard["logits"].sigmoid()
        return heard

    def forward(self, wave: Tensor) -> dict[str, Any]:
        """Hears ``wave`` [batch, samples] at 16 kHz, in [-1, 1].

        Returns:
            ``frames`` [batch, n, width], every 80 ms; ``middles``, the mean over time of each block [batch, values];
            ``embedding`` [batch, width]; of a model with classes also ``logits`` and ``scores`` [batch, classes].
        """
        return self.hear(self.mel(wave))

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]; for a model with classes."""
        return self(wave)["scores"]


def _rows(x: Tensor) -> Tensor:
    """Maps [batch, channels, bands, frames] as frames [batch, frames, bands * channels]."""
    return x.permute(0, 3, 2, 1).flatten(2)


_NAMES = (  # pattern of a name in a checkpoint of LAPE, of DECAR-v2 or of BYOL-A -> ours, in ``Model``
    (r"^(?:encoder_q\.encoder\.|module\.)", ""),
    (r"^features_([123])\.", lambda found: f"blocks.{int(found[1]) - 1}."),
    (r"^features\.(\d+)\.", lambda found: f"blocks.{int(found[1]) // 4}.{int(found[1]) % 4}."),
    (r"^fc\.", "frames."),
)


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of the authors' student or teacher, or of BYOL-A's ``AudioNTT2020``.

    Their heads are left out. None of them says how its input was normalised; so it is not.
    """
    ours = {renamed(name, _NAMES): tensor for name, tensor in state.items()}
    trunk = {name: tensor for name, tensor in ours.items() if name.startswith(("blocks.", "frames."))}
    return trunk | {"mean": torch.zeros(()), "deviation": torch.ones(())}
