"""Log-mel spectrograms in torch, in decibels: the front-end of PANNs, HTS-AT and many taggers after them.

    waveform [batch, samples]
      | reflected by fft / 2 at both ends, frames of `fft` samples every `hop`, periodic Hann
    power spectrum [batch, frames, fft // 2 + 1]
      | Slaney's mel bank (triangles of area 1)
    [batch, frames, bands]
      | 10 log10(max(mel, floor))
    log-mel [batch, frames, bands], dB

Equal to torchlibrosa's ``Spectrogram`` and ``LogmelFilterBank`` (ref 1, no ``top_db``). The transform is a convolution
with the windowed sines and cosines, as there: it exports to ONNX with any length left open, and runs at the speed of a
matrix product wherever that graph is run. It stays in float32 under autocast, for a power spectrum overflows float16.
"""

import numpy as np
import torch
from torch import Tensor, nn

from auricle.features.mel import periodic_hann, slaney_bank


def fourier_kernel(window: np.ndarray, fft: int) -> np.ndarray:
    """Convolution kernels [2 (fft // 2 + 1), 1, len(window)]: cosines, then minus sines, each times ``window``.

    As a stride-``hop`` convolution they give the real and the imaginary parts of the frames' Fourier transform of
    length ``fft``, at least ``len(window)``.
    """
    angles = 2 * np.pi / fft * np.outer(np.arange(fft // 2 + 1), np.arange(len(window)))
    return (np.concatenate([np.cos(angles), -np.sin(angles)]) * window)[:, None]


def power_spectrum(waveform: Tensor, kernel: Tensor, hop: int) -> Tensor:
    """Power [batch, frames, bins] of ``waveform`` [batch, samples] under a ``fourier_kernel``, whole frames only."""
    real, imaginary = nn.functional.conv1d(waveform[:, None], kernel, stride=hop).chunk(2, dim=1)
    return (real.square() + imaginary.square()).transpose(1, 2)


class LogMel(nn.Module):
    """Waveform [batch, samples] in [-1, 1] to log-mel [batch, 1 + samples // hop, bands] in dB.

    Args:
        sample_rate: Hz.
        fft: length of a frame and of its transform, samples.
        hop: samples between frames.
        bands: number of mel bands.
        low: lower edge of the lowest band, Hz.
        high: upper edge of the highest one, Hz.
        floor: of the power; silence is ``10 log10(floor)`` dB.
    """

    kernel: Tensor
    bank: Tensor

    def __init__(self, sample_rate: int, fft: int, hop: int, bands: int, low: float, high: float, floor: float = 1e-10):
        super().__init__()
        self.sample_rate, self.fft, self.hop, self.bands, self.floor = sample_rate, fft, hop, bands, floor
        kernel, bank = fourier_kernel(periodic_hann(fft), fft), slaney_bank(sample_rate, fft, bands, low, high)
        self.register_buffer("kernel", torch.from_numpy(kernel.astype(np.float32)), persistent=False)
        self.register_buffer("bank", torch.from_numpy(bank.astype(np.float32)), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel of ``waveform``, which must be longer than half a frame.

        Raises:
            ValueError: it is not, so there is nothing to reflect.
        """
        if waveform.shape[-1] <= self.fft // 2:
            raise ValueError(f"{waveform.shape[-1]} samples are too few for frames of {self.fft}")
        if torch.is_autocast_enabled(waveform.device.type):
            with torch.autocast(waveform.device.type, enabled=False):
                return self._transform(waveform.float())
        return self._transform(waveform)

    def _transform(self, waveform: Tensor) -> Tensor:
        half = self.fft // 2
        centred = nn.functional.pad(waveform[:, None], (half, half), mode="reflect")[:, 0]
        mel = power_spectrum(centred, self.kernel, self.hop) @ self.bank
        return 10 * mel.clamp(min=self.floor).log10()
