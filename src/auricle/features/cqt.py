"""The constant-Q transform in torch: as many bins in every octave, each as long as its pitch needs.

    waveform [batch, samples]
      | zeros at both ends, so that frames are centred on multiples of `hop`
      | complex exponentials under Hann windows, Q periods long: one convolution for each octave
    magnitude [batch, 1 + samples // hop, bins]

Brown, "Calculation of a constant Q spectral transform", JASA 1991. Equal to nnAudio's ``CQT`` (``norm=1``, Hann,
``pad_mode="constant"``), which MERT's musical teacher is, but that no bin is filled up to the length of the lowest.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.mel import periodic_hann


class ConstantQ(nn.Module):
    """Waveform [batch, samples] to magnitudes [batch, 1 + samples // hop, bins], bins from low to high.

    Args:
        sample_rate: Hz.
        hop: samples between frames.
        low: frequency of the lowest bin, Hz.
        octaves: how many.
        bins: in each octave.

    Raises:
        ValueError: the highest bin is not below half the sample rate.
    """

    def __init__(self, sample_rate: int, hop: int, low: float, octaves: int, bins: int):
        super().__init__()
        self.hop, self.octaves, self.bins = hop, octaves, octaves * bins
        self.frequencies = low * 2.0 ** (np.arange(self.bins) / bins)
        if self.frequencies[-1] >= sample_rate / 2:
            raise ValueError(f"a bin at {self.frequencies[-1]:.0f} Hz in sound of {sample_rate} samples a second")
        periods = 1 / (2 ** (1 / bins) - 1)
        for octave, frequencies in enumerate(self.frequencies.reshape(octaves, bins)):
            kernel = _kernels(frequencies / sample_rate, periods)
            self.register_buffer(f"kernel{octave}", torch.from_numpy(kernel).float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        parts = []
        for octave in range(self.octaves):
            kernel = self.get_buffer(f"kernel{octave}")
            half = kernel.shape[-1] // 2
            x = functional.pad(waveform, (half, half))[:, None]
            real, imaginary = functional.conv1d(x, kernel, stride=self.hop).chunk(2, dim=1)
            parts.append((real.square() + imaginary.square()).sqrt())
        return torch.cat(parts, dim=1).transpose(1, 2)


def _kernels(frequencies: np.ndarray, periods: float) -> np.ndarray:
    """Kernels [2 n, 1, samples] of ``frequencies`` [n] in cycles a sample: real parts, then imaginary ones.

    Each has an absolute sum of 1 before it is scaled by the root of its length.
    """
    lengths = np.ceil(periods / frequencies)
    half = int(lengths.max()) // 2 + 1
    kernels = np.zeros((len(frequencies), 2 * half), np.complex128)
    for kernel, frequency, length in zip(kernels, frequencies, lengths.astype(int), strict=True):
        start = half - (length + 1) // 2
        wave = periodic_hann(length) * np.exp(2j * np.pi * frequency * (np.arange(length) - (length + 1) // 2))
        kernel[start : start + length] = wave / np.abs(wave).sum() * np.sqrt(length)
    return np.concatenate([kernels.real, -kernels.imag])[:, None]
