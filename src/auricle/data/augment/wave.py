"""Transforms of one waveform: level, noise, speed, pitch, codecs."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr

from auricle.data.clips import Augment, Clips
from auricle.types import Waveform

Rng = np.random.Generator
CODECS = {  # name: libsndfile's container and subtype, and the rates in Hz it takes (none: any)
    "mp3": ("MP3", "MPEG_LAYER_III", (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)),
    "vorbis": ("OGG", "VORBIS", ()),
    "opus": ("OGG", "OPUS", (8000, 12000, 16000, 24000, 48000)),
    "gsm": ("WAV", "GSM610", (8000,)),
    "mu-law": ("WAV", "ULAW", (8000,)),
}


@dataclass(frozen=True)
class Chance:
    """Applies ``augment`` to a share ``p`` of waveforms and leaves the others alone."""

    augment: Augment
    p: float = 0.5

    def __call__(self, wave: Waveform, sample_rate: int, rng: Rng) -> Waveform:
        return self.augment(wave, sample_rate, rng) if rng.random() < self.p else wave


@dataclass(frozen=True)
class Gain:
    """Changes the level by ``low`` to ``high`` dB, evenly drawn. Nothing is clipped."""

    low: float = -12.0
    high: float = 6.0

    def __call__(self, wave: Waveform, sample_rate: int, rng: Rng) -> Waveform:
        return wave * np.float32(10 ** (rng.uniform(self.low, self.high) / 20))


@dataclass(frozen=True)
class Noise:
    """Adds noise at a signal-to-noise ratio of ``low`` to ``high`` dB, by the mean power of the whole waveforms.

    The noise is a clip of ``clips`` (repeated to length, begun anywhere) or, without clips, Gaussian with a power
    that falls with frequency as ``f ** -exponent``: 0 white, 1 pink, 2 brown. Silence stays silent.
    """

    low: float = 5.0
    high: float = 30.0
    exponent: float = 1.0
    clips: Clips | None = None

    def __call__(self, wave: Waveform, sample_rate: int, rng: Rng) -> Waveform:
        noise = self._coloured(len(wave), rng) if self.clips is None else self._drawn(len(wave), sample_rate, rng)
        power, loudness = float(np.mean(np.square(wave))), float(np.mean(np.square(noise)))
        if not power or not loudness:
            return wave
        ratio = 10 ** (rng.uniform(self.low, self.high) / 10)
        return (wave + noise * np.sqrt(power / loudness / ratio)).astype(np.float32)

    def _coloured(self, samples: int, rng: Rng) -> Waveform:
        spectrum = np.fft.rfft(rng.standard_normal(samples))
        bins = np.maximum(np.arange(len(spectrum)), 1)
        return np.fft.irfft(spectrum * bins ** (-self.exponent / 2), samples).astype(np.float32)

    def _drawn(self, samples: int, sample_rate: int, rng: Rng) -> Waveform:
        assert self.clips is not None
        if self.clips.sample_rate != sample_rate:
            raise ValueError(f"noise at {self.clips.sample_rate} Hz cannot be added to sound at {sample_rate} Hz")
        noise = self.clips[int(rng.integers(len(self.clips)))]["wave"]
        return np.resize(np.roll(noise, -int(rng.integers(len(noise)))), samples)


@dataclass(frozen=True)
class Speed:
    """Plays ``low`` to ``high`` times as fast, pitch and all; the length changes. A factor is drawn to 1 %.

    Resampled by soxr HQ, as if recorded at another rate (Ko et al. 2015, who use 0.9, 1.0 and 1.1).
    """

    low: float = 0.9
    high: float = 1.1

    def __call__(self, wave: Waveform, sample_rate: int, rng: Rng) -> Waveform:
        return resampled(wave, round(rng.uniform(self.low, self.high), 2))


@dataclass(frozen=True)
class Pitch:
    """Shifts the pitch by ``low`` to ``high`` semitones and keeps the length: a phase vocoder, then resampling.

    Frames of ``frame`` samples, a quarter of it apart (Laroche & Dolson 1999, phases locked to their peaks left out):
    attacks are smeared by about a frame. Waveforms shorter than a frame come back as they are.
    """

    low: float = -2.0
    high: float = 2.0
    frame: int = 1024

    def __call__(self, wave: Waveform, sample_rate: int, rng: Rng) -> Waveform:
        factor = 2 ** (rng.uniform(self.low, self.high) / 12)
        if len(wave) < self.frame:
            return wave
        shifted = resampled(stretched(wave, factor, self.frame), factor)[: len(wave)]
        return np.pad(shifted, (0, len(wave) - len(shifted)))


@dataclass(frozen=True)
class Codec:
    """Encodes and decodes by one of ``names``, at a compression drawn from ``low`` to ``high`` of libsndfile's scale.

    Length and position are kept: what a codec puts before the sound is cut off. mp3, vorbis and opus are encoded at
    their next higher rate; "gsm" and "mu-law" are telephone codecs and leave a band of 4 kHz.

    Raises:
        KeyError: no codec of that name.
    """

    names: Sequence[str] = ("mp3", "vorbis", "opus")
    low: float = 0.5
    high: float = 0.95

    def __call__(self, wave: Waveform, sample_rate: int, rng: Rng) -> Waveform:
        container, subtype, rates = CODECS[self.names[int(rng.integers(len(self.names)))]]
        level = float(rng.uniform(self.low, self.high))
        rate = next((rate for rate in rates if rate >= sample_rate), rates[-1]) if rates else sample_rate
        sound = soxr.resample(wave, sample_rate, rate, quality="HQ").clip(-1, 1)
        lossy = container != "WAV"
        buffer = io.BytesIO()
        with soundfile.SoundFile(
            buffer, "w", rate, 1, subtype, format=container, compression_level=level if lossy else None
        ) as file:
            file.write(sound)
        buffer.seek(0)
        decoded, _ = soundfile.read(buffer, dtype="float32")
        decoded = np.asarray(decoded, np.float32)
        decoded = _aligned(decoded, sound) if subtype == "MPEG_LAYER_III" else decoded
        back = soxr.resample(decoded, rate, sample_rate, quality="HQ")[: len(wave)].astype(np.float32)
        return np.pad(back, (0, len(wave) - len(back)))


def resampled(wave: Waveform, factor: float) -> Waveform:
    """``wave`` [n] played ``factor`` times as fast: [about n / factor]."""
    return soxr.resample(wave, factor, 1.0, quality="HQ").astype(np.float32) if factor != 1 else wave


def stretched(wave: Waveform, factor: float, frame: int = 1024) -> Waveform:
    """``wave`` [n ≥ frame] made ``factor`` times as long at the same pitch, by a phase vocoder."""
    hop = frame // 4
    window = np.hanning(frame + 1)[:-1]
    padded = np.pad(wave, (frame // 2, frame))
    spectra = np.fft.rfft(np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop] * window)
    times = np.arange(0, len(spectra) - 1, 1 / factor)
    left = times.astype(int)
    part = (times - left)[:, None]
    magnitude = (1 - part) * np.abs(spectra[left]) + part * np.abs(spectra[left + 1])
    expected = 2 * np.pi * hop * np.arange(frame // 2 + 1) / frame  # phase that each bin's centre gains in one hop
    gained = np.angle(spectra[left + 1]) - np.angle(spectra[left]) - expected
    gained = expected + gained - 2 * np.pi * np.round(gained / (2 * np.pi))
    phase = np.angle(spectra[0]) + np.concatenate([np.zeros((1, len(expected))), np.cumsum(gained, 0)[:-1]])
    frames = np.fft.irfft(magnitude * np.exp(1j * phase), frame) * window
    out = np.zeros(len(frames) * hop + frame)
    weight = np.full(len(out), 1e-9)
    for at, part in enumerate(frames):
        out[at * hop : at * hop + frame] += part
        weight[at * hop : at * hop + frame] += window**2
    middle = (out / np.maximum(weight, 1e-3))[frame // 2 :]
    return middle[: round(len(wave) * factor)].astype(np.float32)


def _aligned(decoded: Waveform, original: Waveform) -> Waveform:
    """``decoded`` without the encoder's delay, found as the lag of the highest correlation (at most 4000 samples)."""
    size = 1 << (len(decoded) + len(original) - 1).bit_length()
    products = np.fft.irfft(np.fft.rfft(decoded, size) * np.conj(np.fft.rfft(original, size)), size)
    return decoded[int(np.argmax(products[:4000])) :]
