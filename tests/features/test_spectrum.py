"""Spectra and banks against sums written out."""

import numpy as np
import pytest

from auricle.features.mel import htk_bank, periodic_hann, slaney_bank
from auricle.features.spectrum import power_spectrum


def test_a_power_spectrum_is_the_squared_transform_of_each_frame():
    wave = np.random.default_rng(0).normal(0, 0.1, 50).astype(np.float32)
    found = power_spectrum(wave, 16, 10)
    assert found.shape == (4, 9)
    for frame, row in enumerate(found):
        part = wave[frame * 10 : frame * 10 + 16] * periodic_hann(16)
        for k, power in enumerate(row):
            assert power == pytest.approx(abs((part * np.exp(-2j * np.pi * k * np.arange(16) / 16)).sum()) ** 2)


@pytest.mark.parametrize("shape", [(0,), (15,), (16, 2)])
def test_what_is_no_frame_is_refused(shape):
    with pytest.raises(ValueError, match="shape"):
        power_spectrum(np.zeros(shape, np.float32), 16, 8)


def test_htk_triangles_add_up_to_one_and_peak_where_they_should():
    bank = htk_bank(44_100, 2048, 96, 0.0, 22_050.0)
    assert bank.shape == (1025, 96)
    assert bank.sum(axis=0) == pytest.approx(1.0)
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 22_050 / 700), 98) / 2595) - 1)
    wide = slice(60, 96)  # bands of several bins
    assert np.abs(bank[:, wide].argmax(axis=0) * 44_100 / 2048 - edges[1:-1][wide]).max() <= 44_100 / 2048
    bins = np.fft.rfftfreq(2048, 1 / 44_100)[:, None]
    assert np.array_equal(bank > 1e-9, (bins > edges[:-2] + 1e-6) & (bins < edges[2:] - 1e-6))


def test_slaney_bands_have_area_one_per_hertz():
    bank = slaney_bank(16_000, 4096, 40, 0.0, 8000.0)
    assert bank.sum(axis=0) * 16_000 / 4096 == pytest.approx(1.0, rel=0.02)
