"""AdamP and SGDP against the public package, against their algorithm written slowly, and in what they promise."""

import numpy as np
import pytest
import torch
from torch import nn

from auricle.train.optim import adamp
from auricle.train.optim.adamp import SGDP, AdamP, project
from tests.train.optim.scripted import CASES, FIXTURE, flat, trained


@pytest.mark.parametrize("case", CASES)
def test_twenty_steps_are_those_of_the_public_package(case):
    name, options = CASES[case]
    module, optimiser = trained(getattr(adamp, name), **options)
    with np.load(FIXTURE) as saved:
        assert np.abs(flat(module) - saved[case]).max() < 1e-12
    fired = optimiser.projected()
    assert fired[0] == 1.0  # before batch norm
    assert 0 < max(fired[1:]) < 1 or min(fired[1:]) == 0.0  # elsewhere by accident, if at all


def slow_projection(w: np.ndarray, g: np.ndarray, u: np.ndarray, delta: float, eps: float) -> tuple[np.ndarray, bool]:
    """Algorithm 1 of the paper and the two views of the package, one row after the other."""
    for rows in (len(w), 1):
        views = [tensor.reshape(rows, -1) for tensor in (w, g, u)]
        cosines = [
            abs(float(a @ b)) / max(np.linalg.norm(a), eps) / max(np.linalg.norm(b), eps)
            for a, b in zip(*views[:2], strict=True)
        ]
        if max(cosines) < delta / np.sqrt(views[0].shape[1]):
            unit = [row / (np.linalg.norm(row) + eps) for row in views[0]]
            taken = [row - n * float(n @ row) for n, row in zip(unit, views[2], strict=True)]
            return np.array(taken).reshape(w.shape), True
    return u, False


@pytest.mark.parametrize("shape", [(5, 7), (4, 3, 3, 3), (1, 9), (6, 1)])
@pytest.mark.parametrize("invariant", ["channels", "whole", "not"])
def test_projection_follows_the_slow_algorithm(shape, invariant):
    generator = np.random.default_rng(2)
    w, g, u = generator.standard_normal((3, *shape))
    rows = {"channels": len(w), "whole": 1, "not": 0}[invariant]
    if rows:
        flat_w, flat_g = w.reshape(rows, -1), g.reshape(rows, -1)
        flat_g -= flat_w * (flat_w * flat_g).sum(1, keepdims=True) / (flat_w**2).sum(1, keepdims=True)
    update = torch.from_numpy(u.copy())
    fired = project(torch.from_numpy(w), torch.from_numpy(g), update, 0.1, 1e-8)
    expected, expected_fired = slow_projection(w, g, u, 0.1, 1e-8)
    assert bool(fired) == expected_fired
    assert np.abs(update.numpy() - expected).max() < 1e-12


def test_sgdp_without_nesterov_keeps_its_momentum():
    """Where nothing is projected and nothing decays, the direction is torch's own."""
    ours, theirs = (nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(2))
    for make, weight in ((SGDP, ours), (torch.optim.SGD, theirs)):
        optimiser = make([weight], lr=0.1, momentum=0.9)
        for _ in range(10):
            weight.grad = weight.detach() ** 2
            optimiser.step()
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-15)


def test_any_memory_layout():
    weight = nn.Parameter(torch.randn(4, 3, 5, 5).to(memory_format=torch.channels_last))
    weight.grad = torch.randn_like(weight)
    AdamP([weight], weight_decay=0.1).step()
    assert weight.isfinite().all()


def test_weights_of_zeros_and_half_precision_stay_finite():
    for weight in (nn.Parameter(torch.zeros(3, 4)), nn.Parameter(torch.randn(3, 4, dtype=torch.bfloat16))):
        weight.grad = torch.ones_like(weight)
        AdamP([weight], weight_decay=0.1).step()
        assert weight.isfinite().all()


def test_sparse_gradients_are_refused():
    table = nn.Embedding(4, 2, sparse=True)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(RuntimeError, match="AdamP does not take sparse gradients"):
        AdamP(table.parameters()).step()


def test_state_survives_saving(tmp_path):
    module, optimiser = trained(AdamP, lr=1e-2)
    torch.save(optimiser.state_dict(), tmp_path / "state.pt")
    again = AdamP(module.parameters())
    again.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert again.projected() == optimiser.projected()


def test_the_toy_gives_the_norms_of_an_independent_simulation():
    found = adamp.replicate(0, "toy")
    for name, norms in adamp.TOY_NORMS.items():
        assert [found[f"{name}_norm_{row}"] for row in range(4)] == pytest.approx(norms, rel=0.01)
        assert all(found[f"sgdp_steps_{row}"] < found[f"sgd_steps_{row}"] for row in range(4))


@pytest.mark.parametrize("arm", ["adamw", "adamp_without_norm"])
def test_smoke(arm):
    found = adamp.replicate(0, arm, "smoke")
    assert all(np.isfinite(value) for value in found.values())
    assert 0 <= found["projected"] <= 1


def test_claims_read_every_arm():
    toy = {f"{name}_norm_{row}": [norm] for name, norms in adamp.TOY_NORMS.items() for row, norm in enumerate(norms)}
    toy |= {f"{name}_steps_{row}": [steps] for name, steps in (("sgd", 9), ("sgdp", 5)) for row in range(4)}
    rest = {"error": [0.1, 0.2], "growth": [1.0, 1.0], "projected": [0.0, 0.04]}
    values = dict.fromkeys(adamp.ARMS, rest) | {"toy": toy, "adamw": rest | {"growth": [1.2, 1.4]}}
    arrays = {arm: {name: np.array(some) for name, some in metrics.items()} for arm, metrics in values.items()}
    assert list(adamp.claims(arrays).values()) == [True, True, False, True, True, True]
