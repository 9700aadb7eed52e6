"""The chunked scan against its definition, step by step."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.nn import mamba  # noqa: E402

CHANNELS, STATES = 3, 4


def inputs(length: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    step = torch.nn.functional.softplus(draw(2, length, CHANNELS))
    return draw(2, length, CHANNELS), step, -torch.exp(draw(CHANNELS, STATES)), *(draw(2, length, STATES) for _ in "bc")


def slow(x, step, decay, enter, leave):
    h, heard = np.zeros((len(x), CHANNELS, STATES)), []
    x, step, decay, enter, leave = (part.double().numpy() for part in (x, step, decay, enter, leave))
    for t in range(x.shape[1]):
        h = np.exp(step[:, t, :, None] * decay) * h + (step[:, t] * x[:, t])[..., None] * enter[:, t, None]
        heard.append((h * leave[:, t, None]).sum(axis=-1))
    return np.stack(heard, axis=1)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 100, mamba.SEGMENT, mamba.SEGMENT + 33])
def test_the_scan_is_the_recurrence(length):
    np.testing.assert_allclose(mamba.selective_scan(*inputs(length)), slow(*inputs(length)), rtol=1e-4, atol=1e-4)


def test_large_steps_neither_overflow_nor_vanish():
    x, step, decay, enter, leave = inputs(200)
    np.testing.assert_allclose(
        mamba.selective_scan(x, 50 * step, decay, enter, leave), slow(x, 50 * step, decay, enter, leave), rtol=1e-4
    )


def test_its_gradient():
    parts = tuple(part[:1, :20].double() if part.dim() == 3 else part.double() for part in inputs(20))
    x, step, decay, enter, leave = (part.float().requires_grad_() for part in parts)
    mamba.selective_scan(x, step, decay, enter, leave)[0, 19].sum().backward()
    nudge = 1e-2
    for part, place in ((x, (0, 2, 1)), (step, (0, 17, 0)), (decay, (1, 2)), (enter, (0, 3, 1)), (leave, (0, 19, 2))):
        values = []
        for sign in (-1, 1):
            nudged = part.detach().clone()
            nudged[place] += sign * nudge
            given = (nudged if each is part else each.detach() for each in (x, step, decay, enter, leave))
            values.append(slow(*given)[0, 19].sum())
        assert float(part.grad[place]) == pytest.approx((values[1] - values[0]) / (2 * nudge), rel=1e-2, abs=1e-4)


def test_a_branch_is_causal_and_a_mixer_is_not():
    torch.manual_seed(0)
    x = torch.randn(1, 40, 8, requires_grad=True)
    mamba.Branch(8, 4, 4, 1)(x)[0, 20].sum().backward()
    assert x.grad is not None
    assert not x.grad[0, 21:].any()
    assert x.grad[0, :21].abs().sum(dim=-1).min() > 0
    x.grad = None
    mamba.BidirectionalMamba(8, 4)(x)[0, 20].sum().backward()
    assert x.grad[0].abs().sum(dim=-1).min() > 0


def test_it_begins_as_mamba_does():
    torch.manual_seed(0)
    branch = mamba.Branch(16, 4, 4, 2)
    assert torch.allclose(torch.exp(branch.log_decay[3]), torch.arange(1.0, 5.0))
    steps = torch.nn.functional.softplus(branch.step.bias)
    assert 0.001 <= steps.min() < steps.max() <= 0.1
