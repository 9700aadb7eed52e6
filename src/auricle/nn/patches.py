"""From a waveform to tokens: the front half of models that cut a spectrogram into patches (AST, SSAST, SSAMBA).

    waveform [batch, samples] at 16 kHz
      | Kaldi fbank, 100 frames a second; filled or cut to a fixed number of frames; normalised
    [batch, frames, bands]
      | patches, linear; learned tokens in front; learned positions added
    [batch, special + rows * columns, width]

Patches are numbered row by row: along time first, frequency runs slowest.
"""

import math
from dataclasses import replace
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.kaldi import Fbank


class PatchConfig(Protocol):
    """What of an architecture the tokens depend on; a dataclass."""

    @property
    def width(self) -> int: ...
    @property
    def patch(self) -> int | tuple[int, int]: ...  # bands and frames
    @property
    def stride(self) -> tuple[int, int]: ...  # bands and frames between patches
    @property
    def bands(self) -> int: ...
    @property
    def frames(self) -> int: ...  # of 10 ms
    @property
    def mean(self) -> float: ...  # of log-mel values
    @property
    def deviation(self) -> float: ...
    @property
    def grid(self) -> tuple[int, int]: ...  # patches along frequency and along time


def grid_of(config: PatchConfig) -> tuple[int, int]:
    """Whole patches along frequency and along time."""
    rows, columns = (config.patch, config.patch) if isinstance(config.patch, int) else config.patch
    return (config.bands - rows) // config.stride[0] + 1, (config.frames - columns) // config.stride[1] + 1


class FilledFbank(nn.Module):
    """Waveform [batch, samples] at 16 kHz, of any length, to normalised fbanks [batch, frames, bands].

    Filled before it is normalised, so that silence after a clip becomes ``-mean / (2 deviation)``.
    """

    def __init__(self, config: PatchConfig):
        super().__init__()
        self.config = config
        self.fbank = Fbank(16_000, config.bands, window="hanning")

    def forward(self, wave: Tensor) -> Tensor:
        if wave.shape[-1] < self.fbank.length:
            wave = functional.pad(wave, (0, self.fbank.length - wave.shape[-1]))
        mel = self.fbank(wave)[:, : self.config.frames]
        mel = functional.pad(mel, (0, 0, 0, self.config.frames - mel.shape[1]))
        return (mel - self.config.mean) / (2 * self.config.deviation)


class PatchEncoder(nn.Module):
    """Base of the models: what turns a waveform into tokens, and fits the learned positions to other lengths.

    A derived class has ``special``, the number of learned tokens in front, and ``encode``.
    """

    sample_rate = 16_000  # Hz
    special: int
    config: Any  # a PatchConfig

    def __init__(self, config: PatchConfig):
        super().__init__()
        self.config = config
        self.front_end = FilledFbank(config)
        self.patches = nn.Conv2d(1, config.width, config.patch, config.stride)
        self.tokens = nn.Parameter(torch.zeros(1, self.special, config.width))
        self.positions = nn.Parameter(torch.zeros(1, self.special + math.prod(config.grid), config.width))

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.config.width

    @property
    def window(self) -> float:
        """Seconds heard at once: frames of 25 ms every 10 ms."""
        return (self.config.frames - 1) * 0.010 + 0.025

    def encode(self, tokens: Tensor) -> Tensor:
        """Tokens [batch, n, width] through all layers and the last norm."""
        raise NotImplementedError

    def tokenise(self, wave: Tensor) -> Tensor:
        """What the first layer is given of ``wave`` [batch, samples]: tokens [batch, special + patches, width]."""
        return self.embed_patches(self.front_end(wave))

    def embed_patches(self, mel: Tensor) -> Tensor:
        """Tokens [batch, special + patches, width] of ``mel`` [batch, frames, bands], positions added."""
        return self.place(self.project(mel))

    def project(self, mel: Tensor) -> Tensor:
        """The patches of ``mel`` [batch, frames, bands] as vectors [batch, patches, width], without positions."""
        return self.patches(mel.transpose(1, 2)[:, None]).flatten(2).transpose(1, 2)

    def place(self, patches: Tensor) -> Tensor:
        """Vectors [batch, patches, width] with the learned tokens in front and positions added."""
        return torch.cat((self.tokens.expand(patches.shape[0], -1, -1), patches), dim=1) + self.positions

    def fit_length(self, seconds: float) -> Self:
        """Makes this model hear ``seconds`` at once; returns it.

        For fewer than before, the middle of the learned positions is kept; for more, they are interpolated in time.

        Raises:
            ValueError: that is less than one patch.
        """
        return self._fit(replace(self.config, frames=round((seconds - 0.025) / 0.010) + 1))

    def overlap(self, stride: tuple[int, int]) -> Self:
        """Cuts patches every ``stride`` bands and frames from now on, positions fitted as by ``fit_length``."""
        return self._fit(replace(self.config, stride=stride))

    def _fit(self, config: Any) -> Self:
        if min(config.grid) < 1:
            raise ValueError(f"{config.frames} frames are fewer than the {self.patches.kernel_size[1]} of a patch")
        before, after = self.config.grid, config.grid
        first, grid = self.positions.data.split((self.special, math.prod(before)), dim=1)
        grid = grid.transpose(1, 2).unflatten(2, before)
        for axis in (1, 0):  # time, then frequency
            start = before[axis] // 2 - after[axis] // 2
            if after[axis] < before[axis]:
                grid = grid.narrow(2 + axis, start, after[axis])
            elif after[axis] > before[axis]:
                size = (grid.shape[2], after[1]) if axis else (after[0], grid.shape[3])
                grid = functional.interpolate(grid, size, mode="bilinear", align_corners=False)
        positions = torch.cat((first, grid.flatten(2).transpose(1, 2)), dim=1)
        self.positions = nn.Parameter(positions, self.positions.requires_grad)
        self.patches.stride = config.stride
        self.config = self.front_end.config = config
        return self


def initialise(module: nn.Module) -> None:
    """Normal weights of deviation 0.02 cut at two deviations, biases of 0, as in ViT."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
