"""The workers: what an encoder has to tell of every frame, computed from the waveform itself, without labels."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.cqt import ConstantQ
from auricle.features.logmel import LogMel
from auricle.nn.weighting import Weighting
from auricle.represent.multitask_music_ssl.model import Config, Model
from auricle.train.task import Task as BaseTask

WORKERS = ("waveform", "logmel", "mfcc", "cqt", "chroma", "tempogram", "shape")
COEFFICIENTS = 20  # of the MFCC
SILENCE = 1e-6  # below which chroma has no scale


class Targets(nn.Module):
    """What each worker has to tell of ``wave`` [batch, samples]: values [batch, samples // hop, n], by worker.

    ``waveform``: the samples themselves. ``logmel``: 64 bands in dB. ``mfcc``: 20 cosines of them. ``cqt``: log
    magnitude in 12 bins of each octave. ``chroma``: its sums over octaves, the largest 1. ``tempogram``: how alike the
    onset strength is to itself some frames later, around the frame. ``shape``: energy, sign changes, centroid, roll-off
    and flatness of the spectrum.

    Args:
        config: of the encoder.
        workers: some of ``WORKERS``.
        low, octaves: of the constant-Q transform, Hz.
        lags: frames of the tempogram.

    Raises:
        ValueError: there is no such worker.
    """

    cosines: Tensor

    def __init__(
        self,
        config: Config,
        workers: Sequence[str] = WORKERS,
        *,
        low: float = 32.7,
        octaves: int = 7,
        lags: int = 64,
    ):
        super().__init__()
        if unknown := set(workers) - set(WORKERS):
            raise ValueError(f"there is no worker {min(unknown)!r}; choose from {', '.join(WORKERS)}")
        self.hop, self.workers, self.lags = config.hop, tuple(workers), lags
        self.mel = LogMel(config.sample_rate, 1024, config.hop, 64, 0.0, config.sample_rate / 2)
        self.pitches = ConstantQ(config.sample_rate, config.hop, low, octaves, 12)
        cosines = np.cos(np.pi * np.outer(np.arange(64) + 0.5, np.arange(COEFFICIENTS)) / 64) / np.sqrt(32)
        self.register_buffer("cosines", torch.from_numpy(cosines.astype(np.float32)), persistent=False)
        sizes = (config.hop, 64, COEFFICIENTS, 12 * octaves, 12, lags, 5)
        self.sizes = {worker: size for worker, size in zip(WORKERS, sizes, strict=True) if worker in self.workers}

    @torch.no_grad()
    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        count = wave.shape[-1] // self.hop
        mel, found = self.mel(wave), {}
        pitches = self.pitches(wave) if {"cqt", "chroma"} & set(self.workers) else mel
        makers: dict[str, Callable[[], Tensor]] = {
            "waveform": lambda: wave[:, : count * self.hop].unflatten(1, (count, self.hop)),
            "logmel": lambda: mel,
            "mfcc": lambda: mel @ self.cosines,
            "cqt": lambda: (pitches + SILENCE).log(),
            "chroma": lambda: chroma(pitches),
            "tempogram": lambda: tempogram(mel, self.lags),
            "shape": lambda: shape(wave, mel, self.hop),
        }
        for worker in self.workers:
            found[worker] = makers[worker]()[:, :count]
        return found


def chroma(pitches: Tensor) -> Tensor:
    """Constant-Q magnitudes [batch, frames, octaves * 12] summed over octaves, the largest of a frame 1."""
    sums = pitches.unflatten(2, (-1, 12)).sum(dim=2)
    return sums / sums.amax(dim=2, keepdim=True).clamp(min=SILENCE)


def tempogram(mel: Tensor, lags: int) -> Tensor:
    """Autocorrelation [batch, frames, lags] of the onset strength of ``mel`` in dB, in Hann windows of 2 lags.

    Grosche, Müller, Kurth, "Cyclic tempogram", ICASSP 2010. Lag 0, which is first, is 1, or 0 where nothing starts.
    """
    onset = functional.pad(mel.diff(dim=1).clamp(min=0).mean(dim=2), (1, 0))
    around = functional.pad(onset, (lags, lags - 1)).unfold(1, 2 * lags, 1)
    spectrum = torch.fft.rfft(around * torch.hann_window(2 * lags, device=mel.device), 4 * lags)
    correlation = torch.fft.irfft(spectrum.abs().square(), 4 * lags)[..., :lags]
    return correlation / correlation[..., :1].clamp(min=SILENCE)


def shape(wave: Tensor, mel: Tensor, hop: int) -> Tensor:
    """Five numbers of every frame [batch, frames, 5]: energy in dB, sign changes, centroid, roll-off, flatness.

    Centroid and roll-off (of 85 % of the energy) in shares of the bands, flatness in dB below an even spectrum.
    """
    count = wave.shape[-1] // hop
    changes = (wave[:, 1:] * wave[:, :-1] < 0).float()
    changes = functional.pad(changes, (1, 0))[:, : count * hop].unflatten(1, (count, hop)).mean(dim=2)
    mel = mel[:, :count]
    power = 10 ** (mel / 10)
    energy = power.sum(dim=2, keepdim=True)
    places = torch.linspace(0, 1, mel.shape[2], device=mel.device)
    centroid = (power * places).sum(dim=2) / energy[..., 0]
    rolloff = (power.cumsum(dim=2) < 0.85 * energy).float().mean(dim=2)
    level = 10 * energy[..., 0].log10()
    flatness = mel.mean(dim=2) - (level - 10 * np.log10(mel.shape[2]))
    return torch.stack((level, changes, centroid, rolloff, flatness), dim=2)


class Task(BaseTask):
    """All workers at once on ``{"wave": [n, samples]}``: mean squared errors, absolute ones for the waveform.

    Each worker is a small network on every frame. Their losses become one by a ``Weighting``.

    Args:
        targets: what the workers tell.
        sounds: waves [n, samples] that level and spread of every value are measured on; None leaves values as they are.
        weighting: of the losses, one of ``auricle.nn.weighting.WEIGHTINGS``.
        hidden: units of a worker.
    """

    def __init__(
        self,
        model: Model,
        targets: Targets,
        sounds: Tensor | None = None,
        weighting: str = "equal",
        hidden: int = 256,
    ):
        super().__init__()
        self.model, self.targets = model, targets
        self.weighting = Weighting(weighting, len(targets.sizes))
        self.workers = nn.ModuleDict(
            {worker: _worker(model.config.width, hidden, size) for worker, size in targets.sizes.items()}
        )
        measured = targets(sounds) if sounds is not None else {}
        for worker, size in targets.sizes.items():
            values = measured[worker].flatten(0, 1) if measured else torch.tensor([[-1.0], [1.0]]).expand(2, size)
            self.register_buffer(f"mean_{worker}", values.mean(dim=0))
            self.register_buffer(f"deviation_{worker}", values.std(dim=0, correction=0).clamp(min=1e-4))

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        frames, parts = self.model.frames(batch["wave"]), {}
        for worker, values in self.targets(batch["wave"]).items():
            mean, deviation = (self.get_buffer(f"{name}_{worker}") for name in ("mean", "deviation"))
            error = self.workers[worker](frames.transpose(1, 2)).transpose(1, 2) - (values - mean) / deviation
            parts[worker] = error.abs().mean() if worker == "waveform" else error.square().mean()
        return {"loss": self.weighting(torch.stack(list(parts.values())), frames), **parts}


def _worker(width: int, hidden: int, size: int) -> nn.Sequential:
    """Two layers on every frame of [batch, width, n]."""
    return nn.Sequential(nn.Conv1d(width, hidden, 1), nn.PReLU(hidden, init=0.0), nn.Conv1d(hidden, size, 1))
