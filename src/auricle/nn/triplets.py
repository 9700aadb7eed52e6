"""Losses over the pairs of a batch, in which every class has several items (see ``auricle.data.samplers.grouped``)."""

import torch
from torch import Tensor


def batch_hard(distances: Tensor, targets: Tensor, margin: float, sources: Tensor | None = None) -> Tensor:
    """Mean over anchors of max(0, farthest of its class - nearest of another + ``margin``).

    Hermans, Beyer, Leibe, "In Defense of the Triplet Loss for Person Re-Identification", arXiv 1703.07737, equation 5.
    Similarities may be given negated. Anchors without a positive or a negative do not count.

    Args:
        distances: [n, n], of anchor (row) to item.
        targets: [n], classes.
        margin: how much farther another class should be.
        sources: [n], recordings; another item of the anchor's own recording is no positive. None: all differ.
    """
    same = targets[:, None] == targets[None]
    recordings = torch.arange(len(targets), device=targets.device) if sources is None else sources
    positive = same & (recordings[:, None] != recordings[None])
    farthest = distances.masked_fill(~positive, -torch.inf).amax(dim=1)
    nearest = distances.masked_fill(same, torch.inf).amin(dim=1)
    counted = positive.any(dim=1) & ~same.all(dim=1)
    losses = (farthest - nearest + margin)[counted].relu()
    return losses.sum() / max(1, len(losses))


def euclidean(x: Tensor) -> Tensor:
    """Distances [n, n] between the rows of ``x`` [n, dim], with a gradient of zero where rows are equal."""
    norms = x.square().sum(dim=1)
    squared = norms[:, None] + norms[None] - 2 * x @ x.T
    apart = squared > 1e-8
    return torch.where(apart, squared, 1.0).sqrt() * apart
