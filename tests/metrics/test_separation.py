"""Ratios of separated sources: closed forms, invariances, and BSS Eval as ``mir_eval`` 0.8.2 computes it."""

import numpy as np
import pytest

from auricle.metrics import separation


@pytest.fixture
def sources() -> np.ndarray:
    rng = np.random.default_rng(3)
    return np.cumsum(rng.standard_normal((2, 4000)), 1) * 0.05 + rng.standard_normal((2, 4000))


def test_noise_at_a_right_angle_has_its_own_level(sources):
    signal, noise = sources
    noise = noise - (noise @ signal) / (signal @ signal) * signal
    noise *= np.linalg.norm(signal) / np.linalg.norm(noise) / 10  # -20 dB
    for metric in (separation.si_sdr, separation.snr):
        assert metric(signal, signal + noise) == pytest.approx(20.0)
    assert separation.si_sdr(signal, 0.3 * (signal + noise)) == pytest.approx(20.0)
    assert separation.si_sdr(signal, -0.3 * signal + noise) == pytest.approx(20 + 20 * np.log10(0.3))
    assert separation.snr(signal, signal * 0.5) == pytest.approx(20 * np.log10(2))


def test_the_published_implementation_gives_the_same_sdr():
    rng = np.random.default_rng(3)
    signal = np.cumsum(rng.standard_normal((2, 4000)), 1) * 0.05 + rng.standard_normal((2, 4000))
    filtered = np.convolve(signal[0], [1, 0.5, 0.2])[:4000] + 0.3 * signal[1]
    noisy = 0.7 * signal[1] + 0.2 * rng.standard_normal(4000)
    estimate = np.stack([filtered, noisy])
    assert separation.sdr(signal, estimate) == pytest.approx([21.75531789813845, 15.249110388067981], abs=1e-6)


def test_a_filter_costs_nothing(sources):
    filtered = np.convolve(sources[0], [0, 0, 1.0, 0.5, -0.2])[:4000]
    assert separation.sdr(sources[0], filtered, taps=8) > 30  # its tail is cut off, which costs little
    assert separation.si_sdr(sources[0], filtered) < 10
    assert separation.sdr(np.sin(np.arange(4000) * 0.1), np.sin(np.arange(4000) * 0.1 + 1)) > 20


def test_improvement_is_over_the_mixture(sources):
    mixture = sources.sum(axis=0)
    estimate = sources + 0.1 * sources[::-1]
    better = separation.improvement(separation.si_sdr, sources, estimate, mixture)
    assert better == pytest.approx(separation.si_sdr(sources, estimate) - separation.si_sdr(sources, [mixture] * 2))
    assert (better > 10).all()


def test_the_order_of_sources_is_found(sources):
    order, values = separation.best_order(separation.si_sdr, sources, sources[::-1] * 0.9 + 0.01)
    assert order.tolist() == [1, 0]
    assert (values > 20).all()


def test_silence_and_perfection():
    signal = np.stack([np.zeros(100), np.ones(100)])
    assert np.isnan(separation.si_sdr(signal, signal)).tolist() == [True, False]
    assert np.isnan(separation.sdr(signal, signal, taps=4)).tolist() == [True, False]
    assert separation.snr(signal[1], signal[1]) == np.inf
    with pytest.raises(ValueError, match="shape"):
        separation.si_sdr(np.zeros(3), np.zeros(4))
