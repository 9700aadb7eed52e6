"""The log-mel front-end against YAMNet's published conventions: bank, spots, means; a slow oracle; bits by block."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auricle.features.mel import LogMel, mel_bank, periodic_hann, slaney_bank, slaney_hertz, slaney_mel

SETTINGS = {"sample_rate": 16_000, "window": 400, "hop": 160, "fft": 512}
SETTINGS |= {"bands": 64, "low": 125.0, "high": 7500.0, "offset": 0.001}
TIME = np.arange(15_600) / 16_000  # one patch
SILENCE = -6.907755  # ln 0.001


@pytest.fixture(scope="module")
def log_mel() -> LogMel:
    return LogMel(**SETTINGS)


def test_slaneys_scale_and_its_inverse_are_exact():
    hertz = np.array([0.0, 50.0, 1000.0, 6400.0, 14000.0])
    np.testing.assert_allclose(slaney_mel(hertz)[[0, 2, 3]], [0.0, 15.0, 42.0])
    np.testing.assert_allclose(slaney_hertz(slaney_mel(hertz)), hertz)


def test_a_filter_of_slaneys_bank_passes_unit_area():
    area = slaney_bank(48_000, 1024, 64, 50.0, 14_000.0).sum(axis=0) * 48_000 / 1024
    np.testing.assert_allclose(area[40:], 1.0, rtol=0.02)  # the wide ones, of many bins


def float32(waveform):
    return np.asarray(waveform, np.float32)


def test_bank_is_the_published_one():
    bank = mel_bank(16_000, 512, 64, 125.0, 7500.0)
    assert bank.shape == (257, 64)
    assert np.count_nonzero(bank) == 461
    assert bank.sum() == pytest.approx(230.9136, abs=5e-5)
    np.testing.assert_allclose(bank.sum(axis=0)[[0, 1, 2, -1]], [0.948, 0.985, 1.027, 8.94], atol=5e-3)
    assert bank[5, 0] == pytest.approx(0.94769, abs=5e-6)
    assert np.flatnonzero(bank[:, 0]).tolist() == [5]
    assert np.flatnonzero(bank[128]).tolist() == [48, 49]
    np.testing.assert_allclose(bank[128, [48, 49]], [0.753129, 0.246871], atol=5e-7)
    assert not bank[0].any()


def test_neighbouring_triangles_share_every_inner_bin():
    bank = mel_bank(16_000, 512, 64, 125.0, 7500.0)
    hertz = np.linspace(0, 8000, 257)
    inner = (hertz >= 154.669) & (hertz <= 7215.345)  # between the first and the last peak
    np.testing.assert_allclose(bank[inner].sum(axis=1), 1.0)


def test_hann_is_periodic():
    window = periodic_hann(400)
    assert window[0] == 0
    assert window[200] == 1
    np.testing.assert_allclose(window[1:], window[:0:-1])


@pytest.mark.parametrize(
    ("waveform", "spots", "mean"),
    [
        pytest.param(
            0.5 * np.sin(2 * np.pi * 1000 * TIME),
            {
                (0, 0): -6.4076,
                (0, 1): -5.81413,
                (0, 2): -5.59372,
                (0, 3): -5.73827,
                (50, 20): 4.08183,
                (50, 63): -6.88774,
            },
            -5.019408,
            id="tone",
        ),
        pytest.param(
            0.3 * np.sin(2 * np.pi * (200 * TIME + 1435.897 * TIME**2)),
            {(0, 0): 0.92392, (0, 1): 2.36836, (0, 2): 3.25359, (0, 3): 3.37827, (50, 40): -6.17089},
            -5.411725,
            id="chirp",
        ),
        pytest.param(
            np.where(np.arange(15_600) % 1600 == 0, 0.9, 0.0),  # every click of frames 0 and 50 meets the window's zero
            {(frame, band): SILENCE for frame in (0, 50) for band in range(64)},
            -5.539061,
            id="clicks",
        ),
    ],
)
def test_golden_values(log_mel, waveform, spots, mean):
    found = log_mel(float32(waveform))
    assert found.shape == (96, 64)
    assert found.dtype == np.float32
    for place, value in spots.items():
        assert found[place] == pytest.approx(value, abs=1e-4)
    assert found.mean() == pytest.approx(mean, abs=1e-4)


def test_silence_is_the_log_of_the_offset(log_mel):
    np.testing.assert_allclose(log_mel(np.zeros(4000, np.float32)), SILENCE, atol=1e-6)


def test_equals_a_slow_transform(log_mel):
    waveform = float32(np.random.default_rng(0).uniform(-1, 1, 400 + 160 * 60))
    bank = mel_bank(16_000, 512, 64, 125.0, 7500.0)
    angle = 2 * np.pi * np.outer(np.arange(400), np.arange(257)) / 512
    for frame in (0, 1, 47, 48, 60):
        part = waveform[160 * frame : 160 * frame + 400] * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400))
        magnitude = np.hypot(part @ np.cos(angle), part @ np.sin(angle))
        np.testing.assert_allclose(log_mel(waveform)[frame], np.log(magnitude @ bank + 0.001), atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(st.integers(400, 20_000))
def test_whole_frames_only(log_mel, samples):
    assert log_mel(np.zeros(samples, np.float32)).shape == (1 + (samples - 400) // 160, 64)


@settings(max_examples=25, deadline=None)
@given(start=st.integers(0, 3), frames=st.integers(1, 200))
def test_a_part_that_starts_on_a_block_has_the_bits_of_the_whole(log_mel, start, frames):
    hop = log_mel.BLOCK * log_mel.hop
    waveform = float32(np.random.default_rng(1).normal(0, 0.1, 400 + 7 * hop))
    part = log_mel(waveform[start * hop :][: 400 + 160 * (frames - 1)])
    whole = log_mel(waveform)[start * log_mel.BLOCK :][:frames]
    assert np.array_equal(part, whole)


def test_the_number_of_threads_does_not_change_a_bit(log_mel):
    waveform = float32(np.random.default_rng(1).normal(0, 0.1, 40_000))
    code = f"""
import numpy as np
from auricle.features.mel import LogMel
waveform = np.random.default_rng(1).normal(0, 0.1, 40_000).astype(np.float32)
print(LogMel(**{SETTINGS})(waveform).tobytes().hex())
"""
    for threads in ("1", "2", "4"):
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert bytes.fromhex(run.stdout) == log_mel(waveform).tobytes()


@pytest.mark.parametrize("shape", [(399,), (0,), (400, 2), (1, 400)])
def test_refuses_what_is_not_a_frame_of_mono(log_mel, shape):
    with pytest.raises(ValueError, match="shape"):
        log_mel(np.zeros(shape, np.float32))
