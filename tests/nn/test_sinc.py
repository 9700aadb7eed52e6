"""Band-pass filters against PASE's (santi-pdp/pase 2a41e63), and by what they let through."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.nn.sinc import SincConv  # noqa: E402
from tests.represent import seeded  # noqa: E402

KNOWN, _ = seeded.fixture("pase")


def noise(samples: int) -> torch.Tensor:
    return torch.from_numpy((0.3 * np.random.default_rng(0).standard_normal((2, 1, samples))).astype(np.float32))


def test_the_filters_are_those_of_pase():
    bank = SincConv(8, 251, 16_000)
    bank.low.data, bank.band.data = torch.linspace(30, 6000, 8), torch.linspace(60, 900, 8)
    with torch.inference_mode():
        np.testing.assert_allclose(bank.kernels()[:, 0], KNOWN["filters"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(bank(noise(4000))[0, :, ::40], KNOWN["first"], rtol=1e-4, atol=1e-4)


def test_they_start_as_pases_do_and_stride_as_they_do():
    bank = SincConv(8, 251, 16_000, stride=5)
    with torch.inference_mode():
        np.testing.assert_allclose(torch.stack((bank.low, bank.band), dim=1), KNOWN["initial"], rtol=1e-4)
        heard = bank(noise(4000))
    assert heard.shape == (2, 8, 800)
    np.testing.assert_allclose(heard[0, :, ::20], KNOWN["strided"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("rate", [200.0, 16_000.0])
def test_a_band_lets_its_own_frequencies_through(rate):
    bank = SincConv(1, 101, rate, edges=[0.1 * rate, 0.2 * rate], least_low=0.0, least_band=0.0)
    assert [float(edge.detach()) for edge in bank.bands()] == pytest.approx([0.1 * rate, 0.2 * rate])
    time = torch.arange(1000) / rate
    tones = torch.stack([torch.sin(2 * np.pi * f * rate * time) for f in (0.02, 0.15, 0.4)])
    with torch.inference_mode():
        levels = bank(tones[:, None])[..., 200:800].abs().amax(dim=(1, 2))  # away from the ends
    assert float(levels[1]) > 20 * float(levels[[0, 2]].max())


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="no middle"):
        SincConv(4, 10, 100)
    with pytest.raises(ValueError, match="3 edges for 4 filters"):
        SincConv(4, 11, 100, edges=[1, 2, 3])
