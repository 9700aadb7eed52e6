"""Augmentation does what its words and numbers say, reproducibly, and leaves its input alone."""

import numpy as np
import pytest

from auricle.data import Clips, Manifest
from auricle.data.augment import (
    Chance,
    Codec,
    Gain,
    Noise,
    Pitch,
    Reverb,
    Speed,
    mixup,
    patchout,
    simulate_room,
    spec_augment,
)

RATE = 16_000


def tone(frequency=500.0, seconds=1.0):
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def peak(wave):
    """Frequency of the strongest bin, Hz."""
    return np.argmax(np.abs(np.fft.rfft(wave * np.hanning(len(wave))))) * RATE / len(wave)


def level(wave):
    return 10 * np.log10(np.mean(np.square(wave, dtype=np.float64)))


EVERY = [Gain(), Noise(), Reverb(), Speed(), Pitch(), Codec(), Chance(Gain())]


@pytest.mark.parametrize("augment", EVERY, ids=lambda augment: type(augment).__name__)
@pytest.mark.parametrize("samples", [1, 100, RATE])
def test_same_seed_same_sound_and_the_input_is_kept(augment, samples):
    wave = tone()[:samples] + np.float32(0.01)
    before = wave.copy()
    first, again = (augment(wave, RATE, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(first, again)
    assert np.array_equal(wave, before)
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert isinstance(augment, Speed) or first.shape == wave.shape


@pytest.mark.parametrize("augment", EVERY, ids=lambda augment: type(augment).__name__)
def test_silence_stays_silent(augment):
    assert np.abs(augment(np.zeros(RATE, np.float32), RATE, np.random.default_rng(0))).max() < 1e-3


def test_gain_and_chance():
    rng = np.random.default_rng(0)
    assert level(Gain(-6, -6)(tone(), RATE, rng)) == pytest.approx(level(tone()) - 6, abs=0.01)
    assert Chance(Gain(), 0.0)(tone(), RATE, rng) is not None
    changed = sum(np.any(Chance(Gain(), 0.3)(tone(), RATE, rng) != tone()) for _ in range(300))
    assert changed / 300 == pytest.approx(0.3, abs=0.08)


@pytest.mark.parametrize("ratio", [0.0, 20.0])
def test_noise_has_the_ratio_and_the_colour(ratio):
    noise = Noise(ratio, ratio, exponent=1.0)(tone(), RATE, np.random.default_rng(0)) - tone()
    assert level(tone()) - level(noise) == pytest.approx(ratio, abs=0.01)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[low : 2 * low].sum() for low in (100, 200, 400, 800, 1600, 3200)]
    assert max(octaves) / min(octaves) < 1.5  # pink: as much in every octave


def test_noise_from_clips(tmp_path):
    from auricle import audio

    audio.write(tmp_path / "hum.wav", tone(50), RATE)
    clips = Clips(Manifest.from_rows([{"path": "hum.wav"}], tmp_path), RATE, 0.5)
    added = Noise(0, 0, clips=clips)(tone(2000), RATE, np.random.default_rng(0)) - tone(2000)
    assert peak(added) == pytest.approx(50, abs=2)
    with pytest.raises(ValueError, match="16000 Hz cannot be added"):
        Noise(clips=clips)(tone(), 8000, np.random.default_rng(0))


def test_speed_and_pitch():
    rng = np.random.default_rng(0)
    faster = Speed(1.25, 1.25)(tone(), RATE, rng)
    assert len(faster) == pytest.approx(RATE / 1.25, abs=1)
    assert peak(faster) == pytest.approx(625, abs=2)
    for semitones in (-4, 3):
        shifted = Pitch(semitones, semitones)(tone(500, 2.0), RATE, rng)
        assert len(shifted) == 2 * RATE
        assert peak(shifted[2000:-2000]) == pytest.approx(500 * 2 ** (semitones / 12), rel=0.01)
        assert level(shifted[2000:-2000]) == pytest.approx(level(tone()), abs=1)


@pytest.mark.parametrize("name", ["mp3", "vorbis", "opus", "gsm", "mu-law"])
def test_codecs_keep_the_place(name):
    rng = np.random.default_rng(0)
    wave = (0.1 * rng.standard_normal(RATE)).astype(np.float32)
    spectrum = np.fft.rfft(wave)
    spectrum[2500:] = 0  # below 2.5 kHz, so that the telephone codecs hear it
    wave = np.fft.irfft(spectrum, RATE).astype(np.float32)
    coded = Codec([name], 0.3, 0.3)(wave, RATE, rng)
    assert not np.array_equal(coded, wave)
    products = np.fft.irfft(np.fft.rfft(coded) * np.conj(np.fft.rfft(wave)))
    assert abs((np.argmax(products) + 100) % RATE - 100) <= 2
    assert products.max() / (np.linalg.norm(coded) * np.linalg.norm(wave)) > (0.6 if name == "gsm" else 0.8)


def test_room_has_direct_sound_and_reverberation_time():
    room, speaker, listener = np.array([6.0, 5.0, 3.0]), np.array([1.0, 1.0, 1.5]), np.array([4.0, 3.0, 1.2])
    response = simulate_room(room, speaker, listener, 0.5, RATE, np.random.default_rng(0))
    distance = np.linalg.norm(speaker - listener)
    first = np.flatnonzero(response)[0]
    assert first == round(distance / 343 * RATE)
    assert response[first] == pytest.approx(1 / distance, rel=1e-5)
    decay = 10 * np.log10(np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1] / np.sum(response**2))
    straight = np.flatnonzero((decay < -5) & (decay > -25))
    slope = np.polyfit(straight, decay[straight], 1)[0]  # dB a sample
    assert -60 / slope / RATE == pytest.approx(0.5, rel=0.1)
    with pytest.raises(ValueError, match="inside the room"):
        simulate_room(room, speaker, room + 1, 0.5, RATE, np.random.default_rng(0))


def test_first_reflections_are_where_geometry_puts_them():
    room, speaker, listener = np.array([4.0, 50.0, 50.0]), np.array([1.0, 25.0, 25.0]), np.array([3.0, 25.0, 25.0])
    response = simulate_room(room, speaker, listener, 3.0, RATE, np.random.default_rng(0))[: int(0.04 * RATE)]
    walls = [abs(x - 3.0) for x in (1.0, -1.0, 7.0, -7.0, 9.0, -9.0)]  # images of the speaker along the short side
    assert np.flatnonzero(response).tolist() == sorted({round(distance / 343 * RATE) for distance in walls})


def test_reverb_keeps_start_and_level():
    wave = np.zeros(RATE, np.float32)
    wave[4000] = 1.0
    wet = Reverb()(wave, RATE, np.random.default_rng(3))
    assert np.argmax(np.abs(wet)) == 4000
    assert np.abs(wet[:4000]).max() < 1e-6
    assert level(wet) == pytest.approx(level(wave), abs=0.01)


@pytest.fixture(params=["numpy", "torch"])
def kind(request):
    if request.param == "numpy":
        return np.asarray
    return pytest.importorskip("torch").from_numpy


def test_mixup_is_convex_and_keeps_examples_ahead(kind):
    wave, target = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)
    mixed, labels = mixup(kind(wave), kind(target), np.random.default_rng(0), alpha=1.0)
    assert type(mixed) is type(kind(wave))
    assert np.allclose(mixed, labels)
    assert np.allclose(np.asarray(labels).sum(1), 1)
    assert (np.diag(np.asarray(labels)) >= 0.5).all()
    assert mixup(kind(np.ones((3, 5, 2), np.float32)), kind(target[:3]), np.random.default_rng(0))[0].shape == (3, 5, 2)


def test_spec_augment_masks_whole_frames_and_bands(kind):
    mel = np.random.default_rng(1).standard_normal((2, 1, 50, 20)).astype(np.float32) + 10
    masked = np.asarray(spec_augment(kind(mel), np.random.default_rng(0), 1, 10, 1, 5, fill=0.0))
    assert masked.shape == mel.shape
    hidden = masked == 0
    assert np.array_equal(masked[~hidden], mel[~hidden])
    for example in hidden[:, 0]:
        frames, bands = example.all(1), example.all(0)
        assert np.array_equal(example, frames[:, None] | bands)
        assert frames.sum() <= 10
        assert bands.sum() <= 5
    assert hidden.any()
    assert np.allclose(spec_augment(kind(0 * mel + 3), np.random.default_rng(0)), 3, atol=1e-5)


def test_patchout():
    kept = patchout(10, 4, np.random.default_rng(0), drop_frames=3, drop_bands=1, drop=5)
    assert len(kept) == 7 * 3 - 5
    assert (np.diff(kept) > 0).all()
    assert len(set(kept % 10)) <= 7
    assert len(set(kept // 10)) <= 3
    assert patchout(3, 2, np.random.default_rng(0)).tolist() == list(range(6))
    with pytest.raises(ValueError, match="leaves nothing"):
        patchout(3, 2, np.random.default_rng(0), drop=6)
