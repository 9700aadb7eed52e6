"""What the ByteCovers hear with: a constant-Q picture, and a ResNet with generalised-mean pooling that reads it."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.cqt import ConstantQ
from auricle.nn.resnet_ibn import GeM, ResNetIBN

C1 = 32.70319566257483  # Hz


@dataclass(frozen=True)
class Architecture:
    """Front-end and backbone; the defaults are ByteCover's."""

    sample_rate: int = 22_050  # Hz
    hop: int = 512  # samples
    low: float = C1
    octaves: int = 7  # of 12 bins
    pool: int = 20  # frames averaged into one
    exponent: float = 1.0  # of the magnitudes
    normalise: bool = False  # the largest magnitude to 1
    stem: int = 64  # channels of the first convolution
    widths: tuple[int, ...] = (64, 128, 256, 512)  # of the stages, inside bottlenecks; four times as many outside
    depths: tuple[int, ...] = (3, 4, 6, 3)
    ibn: bool = True
    rectified: bool = False  # see auricle.nn.resnet_ibn.Bottleneck
    power: float = 3.0  # of the generalised mean, at first


class Extractor(nn.Module):
    """Waveforms to spectrograms, spectrograms to features."""

    def __init__(self, config: Architecture):
        super().__init__()
        self.config = config
        self.sample_rate = config.sample_rate
        self.front_end = ConstantQ(config.sample_rate, config.hop, config.low, config.octaves, 12)
        self.backbone = ResNetIBN(config.stem, config.widths, config.depths, config.ibn, config.rectified)
        self.pooling = GeM(config.power)

    def spectrogram(self, wave: Tensor) -> Tensor:
        """Magnitudes [batch, bins, frames] of ``wave`` [batch, samples], repeated if it is too short for one frame."""
        least = self.config.pool * self.config.hop
        if wave.shape[-1] < least:
            wave = wave.repeat(1, -(-least // wave.shape[-1]))[:, :least]
        return functional.avg_pool1d(self.front_end(wave).transpose(1, 2), self.config.pool)

    def features(self, spectrogram: Tensor) -> Tensor:
        """Features [batch, backbone.dim] of a ``spectrogram`` [batch, bins, frames]."""
        if self.config.normalise:
            spectrogram = spectrogram / (spectrogram.amax(dim=(1, 2), keepdim=True) + 1e-6)
        if self.config.exponent != 1:
            spectrogram = spectrogram.clamp(min=1e-8).pow(self.config.exponent)
        return self.pooling(self.backbone(torch.unsqueeze(spectrogram, 1)))
