"""The encoder of fingerprints in torch, and how it learns: momentum contrast between two views of the same second.

power [batch, 96, 64]
  | decibels down to 60 below the loudest, brought to mean 0 and deviation 1
  | 8 x (convolution 1x3 along time, norm, ReLU, convolution 3x1 along frequency, norm, ReLU), strides of 2
[batch, 256, 1, 1]
  | 64 small networks, each of 4 of the values (divide and encode); unit length
print [batch, 64]; zeros for silence
"""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from auricle.identify.moco_fingerprint import front_end
from auricle.identify.moco_fingerprint.views import MILD, Views, distorted
from auricle.train import Task

FLOOR = 1e-6  # of the loudest band and moment: -60 dB


@dataclass(frozen=True)
class Config:
    """Architecture, and the constants of the contrast."""

    channels: tuple[int, ...] = (16, 32, 64, 64, 128, 128, 256, 256)
    strides: tuple[int, ...] = (2, 2, 2, 2, 1, 2, 1, 2)  # along time; along frequency each is 2
    dim: int = 64  # of a print
    hidden: int = 32  # of each small network
    queue: int = 16_384  # keys that wait to be told apart from
    momentum: float = 0.999  # of the key encoder
    temperature: float = 0.07


PAPER = Config(channels=(128, 128, 256, 256, 512, 512, 1024, 1024), dim=128, queue=65_536)


class Separable(nn.Sequential):
    """A convolution along time, then one along frequency: [n, in, f, t] to [n, out, ceil(f / 2), ceil(t / stride)]."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__(
            nn.Conv2d(inputs, outputs, (1, 3), (1, stride), (0, 1)),
            nn.GroupNorm(1, outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, (3, 1), (2, 1), (1, 0)),
            nn.GroupNorm(1, outputs),
            nn.ReLU(),
        )


def unit(x: Tensor) -> Tensor:
    """Rows [n, dim] of unit length."""
    return x / (x.square().sum(1, keepdim=True) + 1e-12).sqrt()


class Encoder(nn.Module):
    """Power [batch, 96, 64] to prints [batch, dim]."""

    mean: Tensor
    whitening: Tensor

    def __init__(self, config: Config):
        super().__init__()
        inputs = (1, *config.channels)
        self.trunk = nn.Sequential(*map(Separable, inputs, config.channels, config.strides))
        width = config.channels[-1]
        self.divide = nn.Conv1d(width, config.dim * config.hidden, 1, groups=config.dim)
        self.encode = nn.Conv1d(config.dim * config.hidden, config.dim, 1, groups=config.dim)
        self.register_buffer("mean", torch.zeros(config.dim))
        self.register_buffer("whitening", torch.eye(config.dim))

    def forward(self, power: Tensor) -> Tensor:
        loudest = power.amax((1, 2), keepdim=True)
        level = (power + FLOOR * loudest + 1e-12).log()
        level = level - level.mean((1, 2), keepdim=True)
        level = level / (level.square().mean((1, 2), keepdim=True) + 1e-4).sqrt()
        x = self.trunk(level[:, None]).flatten(2)
        x = self.encode(nn.functional.elu(self.divide(x)))[..., 0]
        x = unit((unit(x) - self.mean) @ self.whitening)
        return x * (loudest[:, 0] > front_end.SILENT)

    @torch.no_grad()
    def whiten(self, prints: Tensor, least: float = 1e-3) -> None:
        """After training: has prints like ``prints`` [n, dim] vary alike in all directions, and around zero.

        Directions with less than ``least`` of the largest variance are not stretched to it.
        """
        variance, directions = torch.linalg.eigh(torch.cov(prints.double().T))
        self.mean.copy_(prints.mean(0))
        self.whitening.copy_(directions / variance.clamp(min=least * float(variance[-1])).sqrt())


class Model(nn.Module):
    """Fingerprints of a waveform, front-end included; randomly initialised until a training fills it."""

    sample_rate = front_end.RATE
    classes: tuple[str, ...] = ()
    window = front_end.WINDOW / front_end.RATE
    hann: Tensor
    bank: Tensor

    def __init__(self, config: Config | None = None):
        super().__init__()
        self.config = config or Config()
        self.dim = self.config.dim
        self.encoder = Encoder(self.config)
        middle = slice(front_end.MARGIN, front_end.MARGIN + front_end.BANDS)
        self.register_buffer("hann", torch.hann_window(front_end.FFT), persistent=False)
        self.register_buffer("bank", torch.from_numpy(front_end.bank()[:, middle]).float(), persistent=False)

    def power(self, wave: Tensor) -> Tensor:
        """Power [batch, 96, frames] of ``wave`` [batch, samples]."""
        spectra = torch.fft.rfft(wave.unfold(-1, front_end.FFT, front_end.HOP) * self.hann)
        return ((spectra.real.square() + spectra.imag.square()) @ self.bank).transpose(1, 2)

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """``prints`` [batch, windows, dim], every 0.5 s of ``wave`` [batch, samples], filled with zeros to 2.1 s."""
        missing = max(0, front_end.WINDOW - wave.shape[-1])
        power = self.power(nn.functional.pad(wave, (0, missing)))
        windows = power.unfold(-1, front_end.FRAMES, front_end.STEP).transpose(1, 2)
        prints = self.encoder(windows.reshape(-1, front_end.BANDS, front_end.FRAMES))
        return {"prints": prints.unflatten(0, (len(wave), -1))}

    def embed(self, wave: Tensor) -> Tensor:
        """The mean print [batch, dim] of ``wave`` [batch, samples]; of one window, its print."""
        return self.forward(wave)["prints"].mean(1)


class MoCo(Task):
    """Momentum contrast: a query knows the key of its own moment among a queue of keys of other tracks.

    Each step (He et al., "Momentum Contrast", 2020): encode the queries, and without gradients the keys by the slow
    copy; InfoNCE over the key and the queue; the copy follows; the keys enter the queue and the oldest leave.
    """

    queue: Tensor
    tracks: Tensor
    head: Tensor

    def __init__(self, model: Model, views: Views):
        super().__init__()
        config, self.views = model.config, views
        self.model = model
        self.slow = copy.deepcopy(model.encoder).requires_grad_(False)
        self.register_buffer("queue", torch.zeros(config.queue, config.dim))
        self.register_buffer("tracks", torch.full((config.queue,), -1))  # -1: nothing there yet
        self.register_buffer("head", torch.zeros((), dtype=torch.long))

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch of ``views.Pairs``."""
        temperature = self.model.config.temperature
        queries = self.model.encoder(distorted(batch["query"], batch["query_noise"], self.views))
        with torch.no_grad():
            self._follow()
            keys = self.slow(distorted(batch["key"], batch["key_noise"], MILD))
        own = (queries * keys).sum(1, keepdim=True)
        others = queries @ self.queue.T.clone()  # what is enqueued below must not change it
        taken = (self.tracks == batch["track"][:, None]) | (self.tracks < 0)
        logits = torch.cat([own, others.masked_fill(taken, -torch.inf)], 1) / temperature
        loss = nn.functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))
        told = (logits[:, 0] >= logits[:, 1:].amax(1)).float().mean()
        self._enqueue(keys, batch["track"])
        return {"loss": loss, "told": told.detach()}

    @torch.no_grad()
    def _follow(self) -> None:
        if self.training:
            for slow, fast in zip(self.slow.parameters(), self.model.encoder.parameters(), strict=True):
                slow.lerp_(fast, 1 - self.model.config.momentum)

    @torch.no_grad()
    def _enqueue(self, keys: Tensor, tracks: Tensor) -> None:
        if self.training:
            places = (self.head + torch.arange(len(keys), device=keys.device)) % len(self.queue)
            self.queue[places] = keys
            self.tracks[places] = tracks
            self.head.add_(len(keys)).remainder_(len(self.queue))
