"""Ways to weigh the losses of several tasks that share one network, each a module that gives one loss from many.

``equal``         their sum
``uncertainty``   each by its learned noise: Kendall, Gal, Cipolla, arXiv 1705.07115
``average``       more for those that fall slowly (dynamic weight average): Liu, Johns, Davison, arXiv 1803.10704
``gradient``      so that gradients are alike in size where tasks part (GradNorm): Chen et al., arXiv 1711.02257
``volume``        more for the large ones (hyper-volume): Albuquerque et al., arXiv 1901.08680
``softmax``       more for the large ones, by a softmax of the losses

In the code of PASE, which compares the last two, the plain sum is what is learned from; here it is the weighted one.
"""

import torch
from torch import Tensor, nn

WEIGHTINGS = ("equal", "uncertainty", "average", "gradient", "volume", "softmax")


class Weighting(nn.Module):
    """One loss from the losses of ``tasks`` tasks.

    Args:
        scheme: one of ``WEIGHTINGS``.
        period: steps that ``average`` takes the mean of a loss over.
        temperature: of ``average``; that of ``softmax`` is its inverse.
        strength: of ``gradient``, how much faster the tasks that are behind shall learn.
        slack: of ``volume``, how far above the largest loss the reference point lies, as a factor.

    Raises:
        ValueError: there is no such scheme.
    """

    sums: Tensor
    before: Tensor
    first: Tensor
    steps: Tensor
    shares: Tensor

    def __init__(
        self,
        scheme: str,
        tasks: int,
        *,
        period: int = 50,
        temperature: float = 2.0,
        strength: float = 1.5,
        slack: float = 1.1,
    ):
        super().__init__()
        if scheme not in WEIGHTINGS:
            raise ValueError(f"there is no weighting {scheme!r}; choose from {', '.join(WEIGHTINGS)}")
        self.scheme, self.period, self.temperature = scheme, period, temperature
        self.strength, self.slack = strength, slack
        if scheme in ("uncertainty", "gradient"):
            self.logits = nn.Parameter(torch.zeros(tasks))
        self.register_buffer("first", torch.zeros(tasks))  # losses of the first step
        self.register_buffer("sums", torch.zeros(tasks))  # of the losses of this period
        self.register_buffer("before", torch.zeros(tasks))  # means of the period before
        self.register_buffer("shares", torch.ones(tasks))  # weights of this period
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, losses: Tensor, shared: Tensor | None = None) -> Tensor:
        """The loss.

        Args:
            losses: of the tasks [tasks].
            shared: what the network gave to all tasks; ``gradient`` needs it.

        Raises:
            ValueError: ``shared`` is missing.
        """
        now = losses.detach()
        if self.steps == 0:
            self.first.copy_(now)
            if self.scheme == "uncertainty":
                self.logits.data.copy_(now.clamp(min=1e-8).log())  # from zero they would not get there
        if self.training:
            self.steps += 1
        if self.scheme == "uncertainty":
            return (losses * (-self.logits).exp() + self.logits).sum()
        if self.scheme == "gradient":
            return self._balanced(losses, shared)
        return (self._weights(now) * losses).sum()

    def _weights(self, now: Tensor) -> Tensor:
        count = len(now)
        if self.scheme == "softmax":
            return count * (now / self.temperature).softmax(dim=0)
        if self.scheme == "volume":
            inverse = 1 / (self.slack * now.max() - now)
            return count * inverse / inverse.sum()
        if self.scheme == "average":
            self._follow(now)
        return self.shares

    def _follow(self, now: Tensor) -> None:
        self.sums += now
        if self.steps % self.period:
            return
        mean = self.sums / self.period
        if self.steps > self.period:
            self.shares.copy_(len(now) * (mean / self.before / self.temperature).softmax(dim=0))
        self.before.copy_(mean)
        self.sums.zero_()

    def _balanced(self, losses: Tensor, shared: Tensor | None) -> Tensor:
        if shared is None:
            raise ValueError("the weighting by gradients needs what the tasks share")
        norms = torch.stack([torch.autograd.grad(loss, shared, retain_graph=True)[0].norm() for loss in losses])
        weights = len(losses) * self.logits.softmax(dim=0)
        sizes, behind = weights * norms, losses.detach() / self.first
        wanted = sizes.detach().mean() * (behind / behind.mean()) ** self.strength
        return (weights.detach() * losses).sum() + (sizes - wanted).abs().sum()
