"""Mamba's selective state spaces in plain torch, in one direction or both.

Gu and Dao, "Mamba", arXiv 2312.00752; Zhu et al., "Vision Mamba", arXiv 2401.09417, for both directions.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

CHUNK = 16  # steps taken one after the other, in all chunks at once
SEGMENT = 64 * CHUNK  # steps whose states are in memory at once, when nothing is to be learned


def selective_scan(x: Tensor, step: Tensor, decay: Tensor, enter: Tensor, leave: Tensor) -> Tensor:
    """The recurrence ``h[t] = exp(step[t] decay) h[t-1] + step[t] x[t] enter[t]``, ``y[t] = leave[t] . h[t]``, from 0.

    Chunks of the sequence are run side by side from a state of zero; what each should have begun with is then carried
    through them, one step a chunk, and added. All exponents are negative, so nothing overflows, and time and memory
    grow linearly with the length: for n steps, ``CHUNK + n / CHUNK`` operations after each other instead of n.

    Args:
        x: [batch, n, channels].
        step: of the same shape, positive.
        decay: [channels, states], negative.
        enter, leave: [batch, n, states].

    Returns:
        y [batch, n, channels], computed in float32.
    """
    kind, length = x.dtype, x.shape[1]
    x, step, decay, enter, leave = (part.float() for part in (x, step, decay, enter, leave))
    state = x.new_zeros(x.shape[0], *decay.shape)
    heard = []
    for first in range(0, length, SEGMENT):
        part = slice(first, min(first + SEGMENT, length))
        y, state = _segment(x[:, part], step[:, part], decay, enter[:, part], leave[:, part], state)
        heard.append(y)
    return torch.cat(heard, dim=1).to(kind)


def _segment(
    x: Tensor, step: Tensor, decay: Tensor, enter: Tensor, leave: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """``selective_scan`` of some steps, from ``state`` [batch, channels, states]; also the state after them."""
    length = x.shape[1]
    fill = -length % CHUNK  # steps of 0 leave the state as it is
    x, step, enter, leave = (
        functional.pad(part, (0, 0, 0, fill)).unflatten(1, (-1, CHUNK)) for part in (x, step, enter, leave)
    )  # [batch, chunks, CHUNK, ...]
    pushed = (step * x)[..., None] * enter[..., None, :]  # [batch, chunks, CHUNK, channels, states]
    kept = torch.exp(step[..., None] * decay)
    alone = []  # states of every chunk begun at zero
    h = torch.zeros_like(pushed[:, :, 0])
    for t in range(CHUNK):
        h = torch.addcmul(pushed[:, :, t], kept[:, :, t], h)
        alone.append(h)
    y = torch.einsum("bktcs,bkts->bktc", torch.stack(alone, dim=2), leave)
    through = torch.exp(step.sum(dim=2)[..., None] * decay)  # what is kept over a whole chunk
    begun = []  # states that the chunks should have begun with
    for chunk in range(x.shape[1]):
        begun.append(state)
        state = torch.addcmul(alone[-1][:, chunk], through[:, chunk], state)
    since = torch.exp(step.cumsum(dim=2)[..., None] * decay)
    y = y + torch.einsum("bktcs,bkcs,bkts->bktc", since, torch.stack(begun, dim=1), leave)
    return y.flatten(1, 2)[:, :length], state


class Branch(nn.Module):
    """One direction of a mixer: a short causal filter, what it makes of the step and the two maps, the scan."""

    def __init__(self, channels: int, states: int, kernel: int, rank: int):
        super().__init__()
        self.rank, self.states = rank, states
        self.convolution = nn.Conv1d(channels, channels, kernel, groups=channels, padding=kernel - 1)
        self.select = nn.Linear(channels, rank + 2 * states, bias=False)
        self.step = nn.Linear(rank, channels)
        self.log_decay = nn.Parameter(torch.log(torch.arange(1.0, states + 1)).repeat(channels, 1))
        self.skip = nn.Parameter(torch.ones(channels))
        nn.init.uniform_(self.step.weight, -(rank**-0.5), rank**-0.5)
        slow, fast = 0.001, 0.1  # steps at the start, log-uniform between
        start = slow * (fast / slow) ** torch.rand(channels)
        with torch.no_grad():
            self.step.bias.copy_(start + torch.log(-torch.expm1(-start)))  # the inverse of softplus

    def forward(self, x: Tensor) -> Tensor:
        """``x`` [batch, n, channels]; the output at a step depends on this and earlier ones."""
        filtered = self.convolution(x.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        x = functional.silu(filtered)
        step, enter, leave = self.select(x).split((self.rank, self.states, self.states), dim=-1)
        step = functional.softplus(self.step(step))
        return selective_scan(x, step, -torch.exp(self.log_decay), enter, leave) + self.skip * x


class BidirectionalMamba(nn.Module):
    """Tokens [batch, n, width] mixed by two branches, one of them backwards: "v2" of Vision Mamba, the sum halved.

    Args:
        width: of a token; inside it is ``expand`` times that.
        states: of each channel.
        kernel: steps that the filter sees.
    """

    def __init__(self, width: int, states: int = 16, kernel: int = 4, expand: int = 2):
        super().__init__()
        channels, rank = expand * width, math.ceil(width / 16)
        self.enter = nn.Linear(width, 2 * channels, bias=False)
        self.forwards, self.backwards = (Branch(channels, states, kernel, rank) for _ in range(2))
        self.leave = nn.Linear(channels, width, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x, gate = self.enter(tokens).chunk(2, dim=-1)
        y = self.forwards(x) + self.backwards(x.flip(1)).flip(1)
        return self.leave(y * functional.silu(gate) / 2)
