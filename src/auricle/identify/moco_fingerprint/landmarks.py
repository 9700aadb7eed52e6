"""Landmarks: pairs of spectral peaks as hashes, to compare with (Wang, "An Industrial-Strength Audio Search …", 2003).

With the constants of audfprint (Ellis, 2014) at a density of 20 a second: 11,025 Hz, frames of 512 every 256, peaks
above a threshold that decays in time and spreads over frequency, pruned backwards, each paired with up to three that
follow.
"""

from collections.abc import Sequence

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import lfilter

from auricle.features.spectrum import power_spectrum
from auricle.types import Waveform

RATE, FFT, HOP = 11_025, 512, 256
DENSITY, PEAKS = 20.0, 5  # peaks a second about, and in a frame at most
SPREAD = 30.0  # bins, standard deviation
DECAY = 1 - 0.01 * DENSITY * (HOP / 352.8) ** 0.5 / 35  # of the threshold, a frame
NEAR, FAR, BINS, PAIRS = 2, 62, 31, 3  # frames, frames, bins, and pairs of a peak
WITHIN = 2  # frames that hashes of one match may be out of step

Hashes = tuple[NDArray[np.int64], NDArray[np.int64]]  # hash and frame


def hashes(waveform: Waveform, rate: int) -> Hashes:
    """Hashes of mono ``waveform`` and the frames at which they begin."""
    sound = soxr.resample(waveform, rate, RATE)
    power = power_spectrum(np.pad(sound, FFT // 2).astype(np.float32), FFT, HOP)[:, : FFT // 2]
    level = np.log(np.maximum(power, power.max() * 1e-12 + 1e-20)) / 2  # down to 120 dB below the loudest
    level = np.asarray(lfilter([1, -1], [1, -0.98], level - level.mean(), axis=0))
    peaks = _peaks(level)
    found: list[tuple[int, int]] = []
    for i, (time, band) in enumerate(peaks):
        pairs = 0
        for later, other in peaks[i + 1 :]:
            if later - time > FAR or pairs == PAIRS:
                break
            if later - time >= NEAR and abs(other - band) < BINS:
                found.append((band << 12 | (other - band & 63) << 6 | later - time, time))
                pairs += 1
    both = np.array(found, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def _peaks(level: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Frame and bin of peaks above the threshold, in the order of time."""
    bins = level.shape[1]
    spread = np.exp(-0.5 * ((np.arange(bins)[:, None] - np.arange(bins)) / SPREAD) ** 2)
    higher = np.pad(level, ((0, 0), (1, 1)), constant_values=-np.inf)
    summits = (level >= higher[:, :-2]) & (level > higher[:, 2:])

    def above(
        frames: Sequence[int], candidates: NDArray[np.bool_], first: NDArray[np.float64]
    ) -> list[tuple[int, int]]:
        threshold, kept = (first[:, None] * spread).max(axis=0), []
        for frame in frames:
            bands = np.flatnonzero(candidates[frame] & (level[frame] > threshold))
            for band in sorted(bands, key=lambda band: -level[frame, band])[:PEAKS]:
                kept.append((frame, int(band)))
                threshold = np.maximum(threshold, level[frame, band] * spread[band])
            threshold = threshold * DECAY
        return kept

    frames = range(len(level))
    forward = above(frames, summits, np.maximum(level[:10].max(axis=0), 0))
    chosen = np.zeros_like(summits)
    chosen[tuple(np.array(forward, int).reshape(-1, 2).T)] = True
    return sorted(above(frames[::-1], chosen, np.maximum(level[-1], 0)))


class Table:
    """The hashes of some songs, to be looked up."""

    def __init__(self, songs: Sequence[Hashes]):
        owner = np.repeat(np.arange(len(songs)), [len(song[0]) for song in songs])
        keys, times = (np.concatenate(part) for part in zip(*songs, strict=True))
        order = np.argsort(keys, kind="stable")
        self.keys, self.times, self.owner = keys[order], times[order], owner[order]

    def find(self, query: Hashes) -> tuple[int, float]:
        """The song that most hashes agree on, and where in it the query begins, seconds; -1 when none is shared."""
        low, high = (np.searchsorted(self.keys, query[0], side) for side in ("left", "right"))
        rows = np.concatenate([np.arange(*each) for each in zip(low, high, strict=True)] or [np.zeros(0, int)]).astype(
            int
        )
        if not len(rows):
            return -1, 0.0
        offset = self.times[rows] - np.repeat(query[1], high - low)
        least = int(offset.min()) - WITHIN
        place = self.owner[rows] * (int(offset.max()) + WITHIN + 1 - least) + offset - least
        votes = np.convolve(np.bincount(place), np.ones(2 * WITHIN + 1), "same")
        best = place[np.argmax(votes[place])]
        owner, frames = divmod(int(best), int(offset.max()) + WITHIN + 1 - least)
        return owner, (frames + least) * HOP / RATE
