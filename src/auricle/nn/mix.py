"""Regularisation of spectrograms in a batch: stripes left out (SpecAugment) and pairs of clips mixed (mixup)."""

import torch
from torch import Tensor, nn


def mix_pairs(x: Tensor, weights: Tensor | None) -> Tensor:
    """Mixes neighbours of a batch: row k of the result is ``w[k] x[2k] + (1 - w[k]) x[2k + 1]``.

    Zhang et al., "mixup: Beyond Empirical Risk Minimization", arXiv 1710.09412, in the pairing of PANNs: a batch of 2 n
    gives n, so no clip is heard twice.

    Args:
        x: [2 n, ...].
        weights: [n], in [0, 1]; None leaves ``x`` as it is.
    """
    if weights is None:
        return x
    share = weights.view(-1, *(1,) * (x.dim() - 1))
    return share * x[0::2] + (1 - share) * x[1::2]


class SpecAugment(nn.Module):
    """Leaves stripes of time and of frequency out of spectrograms [batch, ..., frames, bands], while training.

    Park et al., "SpecAugment", arXiv 1904.08779, without warping. Every clip draws stripes of its own; a stripe's width
    is uniform in 0 ... width - 1, and what it covers becomes 0. Draws from torch's generator of the CPU.

    Args:
        frames: no stripe of time is as wide, in frames.
        bands: no stripe of frequency is as wide, in bands.
        stripes: how many of each.
    """

    def __init__(self, frames: int, bands: int, stripes: int = 2):
        super().__init__()
        self.frames, self.bands, self.stripes = frames, bands, stripes

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = self._kept(x, -2, self.frames)[:, :, None] & self._kept(x, -1, self.bands)[:, None, :]
        return x * kept.view(len(x), *(1,) * (x.dim() - 3), *x.shape[-2:])

    def _kept(self, x: Tensor, axis: int, widest: int) -> Tensor:
        """Which places of ``axis`` no stripe covers [batch, length]."""
        length = x.shape[axis]
        width = torch.randint(min(widest, length), (len(x), self.stripes, 1))
        start = (torch.rand(width.shape) * (length - width)).long()
        place = torch.arange(length)
        return ~((start <= place) & (place < start + width)).any(1).to(x.device)
