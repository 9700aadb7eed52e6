"""ResNet-IBN: sizes of ResNet-50, what its norms do, and the generalised mean against its definition."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.nn.resnet_ibn import GeM, InstanceBatchNorm, ResNetIBN  # noqa: E402


def test_it_is_as_large_as_resnet_50():
    parameters = sum(parameter.numel() for parameter in ResNetIBN().parameters())
    assert parameters == 25_557_032 - 2048 * 1000 - 1000 - 2 * 64 * 49  # without classifier, one channel instead of 3


def test_a_picture_becomes_a_sixteenth_of_its_size():
    net = ResNetIBN(8, (4, 4, 8, 8), (1, 2, 1, 1)).eval()
    with torch.inference_mode():
        assert net(torch.rand(2, 1, 84, 64)).shape == (2, 32, 6, 4)


def test_half_of_the_channels_forget_level_and_offset():
    norm = InstanceBatchNorm(4).eval()
    x = torch.rand(2, 4, 5, 6)
    with torch.inference_mode():
        plain, changed = norm(x), norm(3 * x + 1)
    torch.testing.assert_close(plain[:, :2], changed[:, :2], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(plain[:, 2:], changed[:, 2:])


@pytest.mark.parametrize("power", [1.0, 3.0, 7.5])
def test_the_generalised_mean(power):
    x = np.random.default_rng(0).uniform(-0.5, 2, (2, 3, 4, 5)).astype(np.float32)
    slow = [[np.mean([max(value, 1e-6) ** power for value in one.ravel()]) ** (1 / power) for one in row] for row in x]
    np.testing.assert_allclose(GeM(power)(torch.from_numpy(x)).detach(), slow, rtol=1e-5)
