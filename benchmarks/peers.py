"""Two published models in the plain loop people write around them, to compare ``auricle index`` with.

    python benchmarks/peers.py cnn14|clap THREADS SECONDS FILE...

Run by ``ingest.py`` as a process of its own, so that nothing shares its threads. Prints one JSON object: seconds of
sound, and seconds spent on each step. The weights are random: they do not change the speed.

- ``cnn14``: PANNs' Cnn14 (Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
  Recognition", arXiv 1912.10211, section IV-A): 32 kHz, log-mel of 64 bands, clips of 10 s.
- ``clap``: the audio tower of LAION-CLAP (HTSAT-tiny, as in laion/clap-htsat-unfused) in Hugging Face transformers,
  with its own feature extractor: 48 kHz, clips of 10 s.
"""

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.audio import stream

CLIP = 10.0  # seconds
BATCH = {"cnn14": 4, "clap": 1}  # clips at a time; more are no faster on a CPU


class Cnn14(nn.Module):
    """Log-mel [batch, 1, frames, 64] to scores [batch, 527]: six blocks of two 3 × 3 convolutions, 80 M parameters."""

    def __init__(self, bands: int = 64, classes: int = 527):
        super().__init__()
        widths = [1, 64, 128, 256, 512, 1024, 2048]
        self.norm = nn.BatchNorm2d(bands)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
                nn.Conv2d(b, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(),
            )
            for a, b in pairwise(widths)
        )  # fmt: skip
        self.embed, self.classify = nn.Linear(2048, 2048), nn.Linear(2048, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x.transpose(1, 3)).transpose(1, 3)
        for block in self.blocks:
            x = functional.avg_pool2d(block(x), 2 if block is not self.blocks[-1] else 1)
        x = x.mean(dim=3)
        return torch.sigmoid(self.classify(functional.relu(self.embed(x.amax(dim=2) + x.mean(dim=2)))))


class LogMel(nn.Module):
    """Waveforms [batch, samples] at 32 kHz to log-mel [batch, 1, frames, 64], 50 to 14,000 Hz, 100 frames a second."""

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.hann_window(1024))
        self.register_buffer("bank", torch.from_numpy(mel_bank(32_000, 1024, 64, 50.0, 14_000.0)))

    def forward(self, waveforms: Tensor) -> Tensor:
        spectrum = torch.stft(waveforms, 1024, 320, window=self.window, return_complex=True)
        power = spectrum.abs().square().transpose(1, 2) @ self.bank
        return 10 * power.clamp_min(1e-10).log10()[:, None]


def mel_bank(rate: int, size: int, bands: int, low: float, high: float) -> np.ndarray:
    """Triangles evenly spaced on the HTK mel scale [size // 2 + 1, bands]."""
    mel = np.linspace(*(2595 * np.log10(1 + np.array([low, high]) / 700)), bands + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)
    hertz = np.arange(size // 2 + 1)[:, None] * rate / size
    rising = (hertz - corners[:-2]) / np.diff(corners)[:-1]
    falling = (corners[2:] - hertz) / np.diff(corners)[1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


class Clock:
    """Seconds spent on each step."""

    def __init__(self):
        self.spent: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.spent[step] += time.perf_counter() - begun


def clips(paths: list[str], rate: int, seconds: float) -> Iterator[np.ndarray]:
    """Whole clips [samples] of the recordings, one recording after the other, ``seconds`` in all."""
    size, wanted = round(CLIP * rate), int(seconds // CLIP)
    for path in paths:
        for clip in stream(path, rate, block=CLIP):
            if wanted and len(clip) == size:
                wanted -= 1
                yield clip


def batches(paths: list[str], rate: int, seconds: float, size: int, clock: Clock) -> Iterator[np.ndarray]:
    """``size`` clips at a time [batch, samples], the last batch perhaps fewer."""
    source = clips(paths, rate, seconds)
    while True:
        with clock("decode"):
            batch = [clip for clip, _ in zip(source, range(size), strict=False)]
        if not batch:
            return
        yield np.stack(batch)


def cnn14(paths: list[str], seconds: float, clock: Clock) -> float:
    """Hears ``seconds`` of the recordings and returns how many it heard."""
    front_end, model, heard = LogMel().eval(), Cnn14().eval(), 0.0
    for batch in batches(paths, 32_000, seconds, BATCH["cnn14"], clock):
        with clock("front-end"):
            features = front_end(torch.from_numpy(batch))
        with clock("model"):
            model(features)
        heard += len(batch) * CLIP
    return heard


def clap(paths: list[str], seconds: float, clock: Clock) -> float:
    """Hears ``seconds`` of the recordings and returns how many it heard."""
    from transformers import ClapAudioConfig, ClapAudioModelWithProjection, ClapFeatureExtractor

    model = ClapAudioModelWithProjection(ClapAudioConfig()).eval()
    extract = ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    heard = 0.0
    for batch in batches(paths, 48_000, seconds, BATCH["clap"], clock):
        with clock("front-end"):
            features = extract(list(batch), sampling_rate=48_000, return_tensors="pt")
        with clock("model"):
            model(**features)
        heard += len(batch) * CLIP
    return heard


def main(peer: str, threads: str, seconds: str, *paths: str) -> None:
    torch.set_num_threads(int(threads))
    torch.manual_seed(0)
    loop = {"cnn14": cnn14, "clap": clap}[peer]
    clock = Clock()
    with torch.inference_mode():
        loop(list(paths), BATCH[peer] * CLIP, Clock())  # warm
        heard = loop(list(paths), float(seconds), clock)
    print(json.dumps({"seconds": heard} | clock.spent))


if __name__ == "__main__":
    main(*sys.argv[1:])
