"""Views: what may happen to a recording between the shelf and the microphone, done to its band powers.

Tracks are kept as power in bands (``front_end``), a byte each in steps of half a decibel, four times as dense in time
as the encoder hears. There a change of pitch is a shift along bands and a change of tempo another distance between
frames; noise is added power, an echo a decaying sum of earlier power, a filter a factor for each band. What cannot be
done there (codecs, clipping, real echoes) is done to the sound beforehand: a track has several takes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from auricle.identify.moco_fingerprint.front_end import BANDS, FRAMES, HOP, MARGIN, RATE, SEMITONE, power
from auricle.types import Waveform

DENSE = 128  # samples between the frames that are kept
EARLIER = 24  # frames before a view that may echo in it
# Power of each byte: -100 dB to 27.5 dB, 0 for none.
LEVELS: NDArray[np.float32] = (10.0 ** ((np.arange(256) / 2 - 100) / 10) * (np.arange(256) > 0)).astype(np.float32)

Track = Sequence[NDArray[np.uint8]]  # takes [frames, 120], of one length, the first as it was published


def packed(waveform: Waveform) -> NDArray[np.uint8]:
    """Bytes [frames, 120] of a mono waveform at 8 kHz."""
    decibels = 10 * np.log10(np.maximum(power(waveform, DENSE), 1e-12))
    return np.clip(np.round(2 * (decibels + 100)), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Views:
    """How far a view may be from the recording. A chance is that of each view."""

    speed: float = 0.0  # largest change of speed, as a share: 0.25 is 0.8 to 1.25
    tempo: float = 0.0  # largest change of tempo at the same pitch, as a share
    pitch: float = 0.0  # largest change of pitch at the same tempo, semitones
    offset: float = 0.26  # seconds between the two views of a pair, at most
    takes: float = 0.7  # chance of another take than the first
    noise: tuple[float, float] = (-5.0, 20.0)  # dB above noise
    noisy: float = 0.8  # chance
    echoing: float = 0.4  # chance
    filtered: float = 0.6  # chance
    phone: float = 0.15  # chance that little more than 300-3400 Hz is left
    cut: float = 0.3  # chance that a stretch of time or of bands is missing


MILD = Views(offset=0.0, takes=0.3, noise=(15.0, 40.0), noisy=0.5, echoing=0.0, filtered=0.3, phone=0.0, cut=0.0)


class Pairs:
    """Two cuts of one moment of a track, to become two views; a map-style data set.

    An item holds ``query`` and ``key``, power [88, 96] each, ``query_noise`` and ``key_noise`` [64, 96] to be mixed
    in, and ``track``. It is drawn from the seed, the epoch and its index alone.

    Args:
        tracks: with all their takes.
        noises: sounds [frames, 120] to be mixed in.
        length: items of an epoch.
    """

    def __init__(
        self, tracks: Sequence[Track], noises: Sequence[NDArray[np.uint8]], views: Views, length: int, seed: int = 0
    ):
        self.tracks, self.noises, self.views = tracks, noises, views
        self.length, self.seed, self.epoch = length, seed, 0
        self.ends = np.cumsum([len(track[0]) for track in tracks])

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, NDArray | int]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        chosen = int(np.searchsorted(self.ends, rng.integers(self.ends[-1]), side="right"))
        track, views = self.tracks[chosen], self.views
        tempo, shift = drawn(views, rng)
        half = (FRAMES / 2 + EARLIER) * (HOP / DENSE) * max(tempo, 1.0)
        middle = rng.uniform(half, max(half + 1, len(track[0]) - half))
        moved = middle + rng.uniform(-views.offset, views.offset) * RATE / DENSE
        return {
            "query": cut_out(take(track, views, rng), moved, tempo, shift),
            "key": cut_out(take(track, MILD, rng), middle),
            "query_noise": self.noise(rng),
            "key_noise": self.noise(rng),
            "track": chosen,
        }

    def noise(self, rng: np.random.Generator) -> NDArray[np.float32]:
        noise = self.noises[int(rng.integers(len(self.noises)))]
        return cut_out(noise, rng.uniform(0, len(noise)), shift=rng.uniform(-MARGIN, MARGIN))[EARLIER:]


def take(track: Track, views: Views, rng: np.random.Generator) -> NDArray[np.uint8]:
    """One of the takes of a track."""
    return track[int(rng.integers(1, len(track)))] if len(track) > 1 and rng.random() < views.takes else track[0]


def drawn(views: Views, rng: np.random.Generator) -> tuple[float, float]:
    """How much faster, and how many bands higher, a view is."""
    speed, tempo = ((1 + share) ** rng.uniform(-1, 1) for share in (views.speed, views.tempo))
    pitch = 12 * np.log2(speed) + rng.uniform(-views.pitch, views.pitch)
    return float(speed * tempo), SEMITONE * float(pitch)


def cut_out(sound: NDArray[np.uint8], middle: float, tempo: float = 1.0, shift: float = 0.0) -> NDArray[np.float32]:
    """Power [88, 96] around frame ``middle`` of packed ``sound`` as it is when played faster, and bands higher.

    The first 24 frames come before what is heard, for they may echo in it.
    """
    at = middle + (np.arange(-EARLIER, FRAMES) - FRAMES / 2) * (HOP / DENSE) * tempo
    at = np.clip(at, 0, len(sound) - 1.01)
    bands = np.clip(MARGIN + np.arange(BANDS) - shift, 0, sound.shape[1] - 1.01)
    frame, band = at.astype(np.intp), bands.astype(np.intp)
    along, across = (at - frame).astype(np.float32)[:, None], (bands - band).astype(np.float32)
    frame, near = frame - frame[0], LEVELS[sound[frame[0] : frame[-1] + 2]]
    rows = near[frame] + along * (near[frame + 1] - near[frame])
    picture = rows[:, band] + across * (rows[:, band + 1] - rows[:, band])
    return picture.astype(np.float32, copy=False)  # which it is already: for the type checker


def distorted(sound: Tensor, noise: Tensor, views: Views) -> Tensor:
    """Views [n, 96, 64] of power ``sound`` [n, 88, 96] as if heard by microphones beside ``noise`` [n, 64, 96]."""
    count = len(sound)

    def chance(share: float) -> Tensor:
        return (torch.rand(count, 1, 1, device=sound.device) < share).float()

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *(shape or (1, 1)), device=sound.device)

    if views.echoing:
        sound = sound + chance(views.echoing) * (_echoes(sound, uniform))
    sound = sound[:, EARLIER:]
    level = sound.mean((1, 2), keepdim=True) / (noise.mean((1, 2), keepdim=True) + 1e-12)
    sound = sound + chance(views.noisy) * noise * level * 10 ** (-uniform(*views.noise) / 10)
    band = torch.arange(BANDS, device=sound.device)
    if views.filtered:
        waves = torch.cos(torch.pi * (torch.arange(1, 6, device=sound.device)[:, None] * band / BANDS)
                          + uniform(0, 2 * torch.pi, 5, 1))  # fmt: skip
        deviation = torch.tensor([6.0, 4.0, 3.0, 2.0, 2.0], device=sound.device)[:, None]
        decibels = (waves * deviation * torch.randn(count, 5, 1, device=sound.device)).sum(1, keepdim=True)
        sound = sound * 10 ** (chance(views.filtered) * decibels / 10)
    if views.phone:
        outside = (band < uniform(0, 36)) | (band >= BANDS - uniform(0, 24))
        sound = sound * 10 ** (-chance(views.phone) * outside * uniform(1.2, 6.0))
    if views.cut:
        moment = torch.arange(FRAMES, device=sound.device)[:, None]
        of_time = chance(0.5)
        gone = of_time * _stretch(moment / FRAMES, uniform) + (1 - of_time) * _stretch(band / BANDS, uniform)
        sound = sound * (1 - chance(views.cut) * gone)
    return sound.transpose(1, 2)


def _echoes(sound: Tensor, uniform: Callable[..., Tensor]) -> Tensor:
    """What a room adds to ``sound`` [n, frames, bands]: it decays in 0.2 to 1.2 s, sooner in high bands."""
    seconds = uniform(0.2, 1.2, 1) * (1 - uniform(0, 0.6, 1) * torch.linspace(0, 1, BANDS, device=sound.device))
    decay = 10 ** (-6 * HOP / RATE / seconds)
    loudness = uniform(0.2, 1.5, 1) * (1 - decay)  # a steady tone's tail has this share of its power
    tails = [torch.zeros_like(sound[:, 0])]
    for now in sound.unbind(1)[:-1]:
        tails.append(decay * (tails[-1] + now))
    return loudness[:, None] * torch.stack(tails, 1)


def _stretch(place: Tensor, uniform: Callable[..., Tensor]) -> Tensor:
    """1 in a random stretch of ``place``, which runs from 0 to 1; up to a third of it."""
    size = uniform(0.05, 0.33)
    start = uniform(0, 1) * (1 - size)
    return ((place >= start) & (place < start + size)).float()
