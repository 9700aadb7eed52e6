"""The hardest triplets of a batch against loops over all of them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.nn.triplets import batch_hard, euclidean  # noqa: E402


def slow(distances, targets, margin, sources) -> float:
    losses = []
    for a in range(len(targets)):
        positives = [p for p in range(len(targets)) if targets[p] == targets[a] and sources[p] != sources[a]]
        negatives = [n for n in range(len(targets)) if targets[n] != targets[a]]
        if positives and negatives:
            worst = max(distances[a][p] for p in positives) - min(distances[a][n] for n in negatives)
            losses.append(max(0.0, worst + margin))
    return float(np.mean(losses)) if losses else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_mean_of_the_hardest(seed):
    rng = np.random.default_rng(seed)
    x, targets = rng.standard_normal((9, 4)).astype(np.float32), rng.integers(4, size=9)
    sources = rng.integers(7, size=9)
    distances = np.linalg.norm(x[:, None] - x[None], axis=-1)
    np.testing.assert_allclose(euclidean(torch.from_numpy(x)), distances, atol=1e-3)
    found = batch_hard(torch.from_numpy(distances), torch.from_numpy(targets), 0.3, torch.from_numpy(sources))
    assert float(found) == pytest.approx(slow(distances, targets, 0.3, sources), abs=1e-5)


def test_nothing_to_compare_costs_nothing():
    x = torch.rand(3, 2, requires_grad=True)
    for targets in ([0, 0, 0], [0, 1, 2]):
        loss = batch_hard(euclidean(x), torch.tensor(targets), 0.3)
        loss.backward()
        assert loss.item() == 0
        assert bool(x.grad.isfinite().all())


def test_equal_rows_have_a_finite_gradient():
    x = torch.ones(4, 3, requires_grad=True)
    batch_hard(euclidean(x), torch.tensor([0, 0, 1, 1]), 0.3).backward()
    assert bool(x.grad.isfinite().all())
