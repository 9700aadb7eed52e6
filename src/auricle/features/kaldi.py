"""Kaldi's filter banks in torch: the front-end of AST, SSAST, BEATs, PaSST and most models of speech.

    waveform [batch, samples]
      | frames of 25 ms every 10 ms, whole ones only; the mean of each removed; x[t] - 0.97 x[t - 1]; window
    power spectrum [batch, frames, fft // 2 + 1], fft the next power of two
      | triangles straight in HTK mel
    [batch, frames, bands]
      | ln(max(mel, epsilon))
    log-mel [batch, frames, bands]

As ``compute-fbank-feats`` and ``torchaudio.compliance.kaldi.fbank`` do it, without dither and energy. Everything up to
the power is linear in the frame, so one convolution does it: taking the mean off, pre-emphasis, window and Fourier
transform are folded into its kernel, in float64. It exports to ONNX with any length left open.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from auricle.features.logmel import fourier_kernel, power_spectrum
from auricle.features.mel import mel_bank

EPSILON = 1.1920928955078125e-07  # of float32, the floor of Kaldi's mel energies


def kaldi_window(name: Literal["hanning", "povey", "hamming"], length: int) -> np.ndarray:
    """A symmetric window [length]; Povey's is Hann's to the power of 0.85, which does not quite reach zero."""
    cosine = np.cos(2 * np.pi * np.arange(length) / (length - 1))
    if name == "hamming":
        return 0.54 - 0.46 * cosine
    return (0.5 - 0.5 * cosine) ** (0.85 if name == "povey" else 1.0)


def frame_matrix(length: int, preemphasis: float) -> np.ndarray:
    """The matrix [length, length] that takes a frame's mean off and then pre-emphasises it.

    The sample before a frame's first is taken to equal the first, so that becomes ``(1 - preemphasis) x[0]``.
    """
    emphasis = np.eye(length) - preemphasis * np.eye(length, k=-1)
    emphasis[0, 0] = 1 - preemphasis
    return emphasis @ (np.eye(length) - 1 / length)


class Fbank(nn.Module):
    """Waveform [batch, samples] to Kaldi log-mel [batch, 1 + (samples - window) // hop, bands].

    Args:
        sample_rate: Hz.
        bands: number of mel bands.
        window: "hanning" (AST, SSAST), "povey" (Kaldi's default, BEATs) or "hamming".
        frame, hop: length of a frame and time between frames, seconds.
        low, high: edges of the bank, Hz; ``high`` is half the sample rate if None, and below it by as much if negative.
        preemphasis: 0 for none.
        scale: of the waveform before all else; 32768 for models trained on 16-bit samples (BEATs).
        precise: compute in float64. So far above the floor, the quiet bands of a loud tone are float32's rounding.
    """

    kernel: Tensor
    bank: Tensor

    def __init__(
        self,
        sample_rate: int = 16_000,
        bands: int = 128,
        *,
        window: Literal["hanning", "povey", "hamming"] = "hanning",
        frame: float = 0.025,
        hop: float = 0.010,
        low: float = 20.0,
        high: float | None = None,
        preemphasis: float = 0.97,
        scale: float = 1.0,
        precise: bool = False,
    ):
        super().__init__()
        nyquist = sample_rate / 2
        top = nyquist if high is None else high if high > 0 else nyquist + high
        self.sample_rate, self.bands = sample_rate, bands
        self.length, self.hop = int(sample_rate * frame), int(sample_rate * hop)
        fft = 1 << (self.length - 1).bit_length()
        fourier = fourier_kernel(scale * kaldi_window(window, self.length), fft)
        kernel = fourier @ frame_matrix(self.length, preemphasis)
        bank = mel_bank(sample_rate, fft, bands, low, top)
        bank[-1] = 0.0  # Kaldi leaves out the bin at half the sample rate
        kind = np.float64 if precise else np.float32
        self.precise = precise
        self.register_buffer("kernel", torch.from_numpy(kernel.astype(kind)), persistent=False)
        self.register_buffer("bank", torch.from_numpy(bank.astype(kind)), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Log-mel of ``waveform``, which must hold one frame.

        Raises:
            ValueError: it does not.
        """
        if waveform.shape[-1] < self.length:
            raise ValueError(f"{waveform.shape[-1]} samples are too few for a frame of {self.length}")
        if torch.is_autocast_enabled(waveform.device.type):
            with torch.autocast(waveform.device.type, enabled=False):
                return self._transform(waveform.float())
        return self._transform(waveform)

    def _transform(self, waveform: Tensor) -> Tensor:
        if self.precise:
            frames = waveform.double().unfold(-1, self.length, self.hop)  # runtimes of ONNX have no such convolution
            real, imaginary = (frames @ self.kernel[:, 0].T).chunk(2, dim=-1)
            mel = (real.square() + imaginary.square()) @ self.bank
            return mel.clamp(min=EPSILON).log().to(waveform.dtype)
        return (power_spectrum(waveform, self.kernel, self.hop) @ self.bank).clamp(min=EPSILON).log()
