"""Weighting of losses: each scheme by its formula."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.nn.weighting import Weighting  # noqa: E402

LOSSES = torch.tensor([4.0, 1.0, 0.5])


def test_equal_is_the_sum():
    assert float(Weighting("equal", 3)(LOSSES)) == pytest.approx(5.5)


def test_uncertainty_starts_balanced_and_finds_the_size_of_each_loss():
    weighting = Weighting("uncertainty", 3)
    assert float(weighting(LOSSES).detach()) == pytest.approx(3 + float(LOSSES.log().sum()), rel=1e-5)
    optimiser = torch.optim.Adam(weighting.parameters(), 0.1)
    for _ in range(200):
        optimiser.zero_grad()
        weighting(0.1 * LOSSES).backward()
        optimiser.step()
    np.testing.assert_allclose(weighting.logits.detach().exp(), 0.1 * LOSSES, rtol=0.01)


def test_average_gives_more_to_what_falls_slowly():
    weighting = Weighting("average", 3, period=2, temperature=2.0)
    for _ in range(2):
        assert float(weighting(LOSSES)) == pytest.approx(5.5)
    slower = LOSSES * torch.tensor([1.0, 0.5, 0.5])
    for _ in range(2):
        weighting(slower)
    known = 3 * torch.softmax(torch.tensor([1.0, 0.5, 0.5]) / 2, dim=0)
    assert float(weighting(LOSSES)) == pytest.approx(float((known * LOSSES).sum()), rel=1e-5)


def test_volume_and_softmax_give_more_to_the_large():
    inverse = 1 / (1.1 * 4 - LOSSES)
    known = 3 * inverse / inverse.sum()
    assert float(Weighting("volume", 3)(LOSSES)) == pytest.approx(float((known * LOSSES).sum()), rel=1e-5)
    known = 3 * torch.softmax(LOSSES / 2, dim=0)
    assert float(Weighting("softmax", 3)(LOSSES)) == pytest.approx(float((known * LOSSES).sum()), rel=1e-5)


def test_gradient_makes_gradients_alike():
    torch.manual_seed(0)
    weighting = Weighting("gradient", 2, strength=0.0)
    optimiser = torch.optim.Adam(weighting.parameters(), 0.05)
    shared = torch.ones(3, requires_grad=True)
    for _ in range(200):
        losses = torch.stack((8 * shared.sum(), 2 * shared.sum()))
        optimiser.zero_grad()
        weighting(losses, shared).backward()
        optimiser.step()
    weights = 2 * weighting.logits.detach().softmax(dim=0)
    assert float(8 * weights[0]) == pytest.approx(float(2 * weights[1]), rel=0.1)
    with pytest.raises(ValueError, match="what the tasks share"):
        weighting(losses)


def test_an_unknown_scheme_is_refused():
    with pytest.raises(ValueError, match="no weighting 'best'"):
        Weighting("best", 2)
