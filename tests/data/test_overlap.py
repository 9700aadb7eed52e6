"""Copies are found across splits however they were saved, and different sounds are not taken for copies."""

import numpy as np
import pytest
import soxr

from auricle import audio
from auricle.data import Manifest
from auricle.data.overlap import correlation, overlaps


def sound(seed, rate=16_000, seconds=1.5):
    """Noise in two bands that come and go; another for every seed."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(int(rate * seconds))
    spectrum, frequency = np.fft.rfft(noise), np.fft.rfftfreq(len(noise), 1 / rate)
    centres = rng.uniform(300, 2500, 2)
    spectrum *= sum(np.exp(-0.5 * ((frequency - centre) / 300) ** 2) for centre in centres)
    envelope = np.interp(np.arange(len(noise)), np.linspace(0, len(noise), 12), rng.uniform(0, 1, 12))
    wave = np.fft.irfft(spectrum, len(noise)) * envelope
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


COPIES = {
    "copy.wav": lambda wave: (wave, 16_000),
    "softer.wav": lambda wave: (-0.1 * wave, 16_000),
    "resampled.flac": lambda wave: (soxr.resample(wave, 16_000, 44_100), 44_100),
    "encoded.mp3": lambda wave: (wave, 16_000),
    "encoded.opus": lambda wave: (wave, 16_000),
    "cut.wav": lambda wave: (wave[4000:], 16_000),
    "later.wav": lambda wave: (np.concatenate([np.zeros(8000, np.float32), wave]), 16_000),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_found(tmp_path, name):
    audio.write(tmp_path / "a.wav", sound(0), 16_000)
    wave, rate = COPIES[name](sound(0))
    audio.write(tmp_path / name, wave, rate)
    rows = [{"path": "a.wav", "split": "train"}, {"path": name, "split": "test"}]
    (found,) = overlaps(Manifest.from_rows(rows, tmp_path))
    assert (found.row, found.other) == (0, 1)
    assert found.score > 0.6


def test_different_sounds_and_silence_are_not(tmp_path):
    for seed in range(12):
        audio.write(tmp_path / f"{seed}.wav", sound(seed), 16_000)
    for name in ("s", "t"):
        audio.write(tmp_path / f"{name}.wav", np.zeros(8000, np.float32), 16_000)
    names = [*map(str, range(12)), "s", "t"]
    rows = [{"path": f"{name}.wav", "split": ("train", "test")[i % 2]} for i, name in enumerate(names)]
    assert overlaps(Manifest.from_rows(rows, tmp_path)) == []


def test_copies_on_one_side_or_in_no_split_are_nobodys_business(tmp_path):
    audio.write(tmp_path / "a.wav", sound(0), 16_000)
    rows = [{"path": "a.wav", "split": split} for split in ("train", "train", "")]
    assert overlaps(Manifest.from_rows(rows, tmp_path)) == []


def test_correlation():
    wave = sound(1)
    assert correlation(wave, wave) == pytest.approx(1)
    assert correlation(wave, -3 * np.roll(wave, 100)) > 0.95
    assert correlation(wave, sound(2)) < 0.3
    assert correlation(wave, 0 * wave) == 0
