"""The constant-Q transform against nnAudio 0.3.4, and on tones."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.features.cqt import ConstantQ  # noqa: E402


def test_it_is_that_of_nnaudio():
    noise = np.random.default_rng(0).standard_normal((1, 8000)).astype(np.float32)
    with np.load(Path(__file__).parent / "cqt.npz") as known:
        found = ConstantQ(8000, 320, 110.0, 4, 12)(torch.from_numpy(noise))
        np.testing.assert_allclose(found, known["magnitude"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("semitones", [0, 7, 24, 47])
def test_a_tone_is_loudest_in_its_bin(semitones):
    frequency = 110 * 2 ** (semitones / 12)
    tone = torch.sin(2 * torch.pi * frequency * torch.arange(8000) / 8000)[None]
    found = ConstantQ(8000, 160, 110.0, 4, 12)(tone)
    assert found.shape == (1, 51, 48)
    assert int(found[0, 25].argmax()) == semitones


def test_bins_beyond_half_the_rate_are_refused():
    with pytest.raises(ValueError, match="7040 Hz in sound of 8000"):
        ConstantQ(8000, 160, 110.0, 7, 1)
