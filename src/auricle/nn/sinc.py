"""Band-pass filters of which only two numbers each are learned, in Hz: where the band starts, and how wide it is.

Ravanelli, Bengio, "Speaker Recognition from Raw Waveform with SincNet", SLT 2018, arXiv 1808.00158, in the form of PASE
(santi-pdp/pase 2a41e63): the middle of every kernel is 1, and the window is Hamming's but for half a sample.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.mel import hertz_to_mel


class SincConv(nn.Module):
    """Signals [batch, 1, samples] to bands [batch, filters, ceil(samples / stride)], reflected at both ends.

    Args:
        filters: how many.
        length: of a kernel, odd; signals must be longer than half of it.
        sample_rate: of the signal, Hz, whatever it is: sound, or an envelope of sound.
        stride: samples between outputs.
        edges: where bands start and end at first [filters + 1], Hz; by default equally spaced in mel from 30 Hz on.
        least_low, least_band: what is added to both learned numbers, Hz; no band starts lower or is narrower.

    Raises:
        ValueError: the length is even, or there are not as many edges.
    """

    times: Tensor
    window: Tensor

    def __init__(
        self,
        filters: int,
        length: int,
        sample_rate: float,
        *,
        stride: int = 1,
        edges: Sequence[float] | None = None,
        least_low: float = 50.0,
        least_band: float = 50.0,
    ):
        super().__init__()
        if length % 2 == 0:
            raise ValueError(f"a kernel of {length} samples has no middle")
        if edges is None:
            top = hertz_to_mel(sample_rate / 2 - least_low - least_band)
            corners = 700 * np.expm1(np.linspace(hertz_to_mel(30.0), top, filters + 1) / 1127)
        else:
            corners = np.asarray(edges, np.float64)
        if len(corners) != filters + 1:
            raise ValueError(f"{len(corners)} edges for {filters} filters")
        self.sample_rate, self.stride = sample_rate, stride
        self.least_low, self.least_band = least_low, least_band
        self.low = nn.Parameter(torch.tensor(corners[:-1], dtype=torch.float32))
        self.band = nn.Parameter(torch.tensor(np.diff(corners), dtype=torch.float32))
        half = length // 2
        window = 0.54 - 0.46 * np.cos(2 * np.pi * np.linspace(0, length / 2 - 1, half) / length)
        times = 2 * np.pi * np.arange(-half, 0) / sample_rate
        self.register_buffer("window", torch.from_numpy(window.astype(np.float32)), persistent=False)
        self.register_buffer("times", torch.from_numpy(times.astype(np.float32)), persistent=False)

    def bands(self) -> tuple[Tensor, Tensor]:
        """Where each band starts and ends [filters], Hz."""
        low = self.least_low + self.low.abs()
        return low, (low + self.least_band + self.band.abs()).clamp(self.least_low, self.sample_rate / 2)

    def kernels(self) -> Tensor:
        """The filters [filters, 1, length]."""
        low, high = (edge[:, None] for edge in self.bands())
        left = (torch.sin(high * self.times) - torch.sin(low * self.times)) / (self.times * (high - low)) * self.window
        return torch.cat((left, torch.ones_like(low), left.flip(1)), dim=1)[:, None]

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv1d(same(x, 2 * len(self.times) + 1, self.stride), self.kernels(), stride=self.stride)


def same(x: Tensor, length: int, stride: int) -> Tensor:
    """``x`` [..., samples] reflected, so that kernels of ``length`` every ``stride`` give one value per stride."""
    left = length // 2 - (stride > 1 or length % 2 == 0)
    return functional.pad(x, (left, length // 2), mode="reflect")
