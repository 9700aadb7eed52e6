"""Whether two parts of a data set hold the same sound: compared by content, whatever the files are called."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle import audio
from auricle.data.manifest import Manifest
from auricle.types import Waveform

RATE = 8000  # Hz; all sounds are compared at it
LONGEST = 10.0  # seconds of each clip that are compared
SAME = 0.5  # whitened correlation of two waveforms, at the best lag, from which they are one sound
SIMILAR = 0.9  # cosine of two sketches from which waveforms are compared
FRAME, HOP, BANDS = 1024, 400, 32  # samples: 128 ms, 50 ms; mel bands from 200 Hz to 3.6 kHz


class Overlap(NamedTuple):
    """Two clips of different splits that are one sound: their rows in the manifest, and the correlation in [0, 1]."""

    row: int
    other: int
    score: float


def overlaps(manifest: Manifest, threshold: float = SAME) -> list[Overlap]:
    """Pairs of clips in different splits that hold the same sound, most alike first; hopefully none.

    Found are copies, re-encoded, resampled, louder or softer, inverted, filtered mildly, or cut at other places as
    long as they share more than about two thirds; not found are copies sped up, remixed or drowned in noise. Of all
    pairs whose spectral sketches agree, waveforms are correlated at every lag (``correlation``). Digital silence says
    nothing and is passed over. Time grows with the square of the number of clips; 600 clips take about 15 seconds.

    Args:
        manifest: with two or more splits; clips in none are left out.
        threshold: correlation from which two clips are one.

    Raises:
        AudioError: a clip cannot be decoded.
    """
    splits = np.array(manifest.column("split"))
    rows = [int(row) for row in np.flatnonzero(splits != "")]
    waves = {row: _heard(manifest, row) for row in rows}
    rows = [row for row in rows if np.any(np.abs(waves[row]) > 1e-5)]
    sketches = np.stack([_sketch(waves[row]) for row in rows]) if rows else np.zeros((0, 1))
    found = []
    for at, row in enumerate(rows):
        for near in np.flatnonzero(sketches[at + 1 :] @ sketches[at] > SIMILAR) + at + 1:
            other = rows[near]
            if splits[other] != splits[row] and (score := correlation(waves[row], waves[other])) >= threshold:
                found.append(Overlap(row, other, round(score, 4)))
    return sorted(found, key=lambda pair: -pair.score)


def correlation(a: Waveform, b: Waveform) -> float:
    """The largest absolute correlation of two waveforms [samples] over all lags, in [0, 1], partly whitened.

    Spectra are flattened to the power 0.7 before (generalised cross-correlation; Knapp & Carter 1976): two different
    thumps, being narrow in frequency, correlate up to 0.85 as they are, and stay below 0.35 so.
    """
    size = 1 << (len(a) + len(b) - 1).bit_length()
    first, second = _flattened(a, size), _flattened(b, size)
    norm = float(np.linalg.norm(np.fft.irfft(first, size)) * np.linalg.norm(np.fft.irfft(second, size)))
    return min(1.0, float(np.abs(np.fft.irfft(first * second.conj(), size)).max()) / norm) if norm else 0.0


def _flattened(wave: Waveform, size: int) -> NDArray[np.complex128]:
    spectrum = np.fft.rfft(wave, size)
    level = np.abs(spectrum)
    return spectrum / (level + 1e-3 * level.max() + 1e-12) ** 0.7


def _heard(manifest: Manifest, row: int) -> Waveform:
    clip = manifest.table.slice(row, 1).to_pylist()[0]
    end = clip["start"] + LONGEST
    end = end if clip["end"] is None else min(end, clip["end"])
    wave = audio.read(manifest.root / clip["path"], RATE, start=clip["start"], end=end)[0]
    return wave - wave.mean()


def _sketch(wave: Waveform) -> NDArray[np.float32]:
    """Soft, middle and loud level of each band, less their mean, at unit length [3 * bands]: the same at any lag."""
    wave = np.pad(wave, (FRAME // 2, FRAME))
    frames = np.lib.stride_tricks.sliding_window_view(wave, FRAME)[::HOP] * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames)) ** 2 @ _BANK
    loudness = power.sum(1)
    power = power[loudness > 1e-4 * loudness.max()]  # silence before and after is not part of the sound
    levels = np.quantile(np.log(power + 1e-5 * power.max()), (0.1, 0.5, 0.9), axis=0).ravel()
    levels -= levels.mean()
    return (levels / max(float(np.linalg.norm(levels)), 1e-9)).astype(np.float32)


def _bank() -> NDArray[np.float64]:
    """Rectangular mel bands [bins, bands]."""
    edges = 700 * np.expm1(np.linspace(np.log1p(200 / 700), np.log1p(3600 / 700), BANDS + 1))
    frequency = np.fft.rfftfreq(FRAME, 1 / RATE)[:, None]
    return ((frequency >= edges[:-1]) & (frequency < edges[1:])).astype(np.float64)


_BANK = _bank()
