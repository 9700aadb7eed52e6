"""Small modules that adapt a frozen transformer: low-rank updates, prefixes, prompts and adapters.

Each wraps the frozen part it changes, so that an encoder is adapted by putting them in its parts' places. All but the
prompts and prefixes begin as no change at all.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.nn.transformer import Attention, Layer


class LoRA(nn.Module):
    """A linear layer and a low-rank update of it: ``W x + b + scale B A x``, B starting at zero.

    Hu et al., "LoRA", arXiv 2106.09685.
    """

    def __init__(self, linear: nn.Linear, rank: int, scale: float):
        super().__init__()
        self.linear, self.scale = linear, scale
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.scale * self.up(self.down(x))

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """The linear layer with the update added to its weights: the same function at no cost."""
        self.linear.weight += self.scale * self.up.weight @ self.down.weight
        return self.linear


class PrefixAttention(nn.Module):
    """Self-attention that also sees learned keys and values, placed after the first token's.

    Li and Liang, "Prefix-Tuning", arXiv 2101.00190, without its reparametrisation.

    Args:
        attention: the frozen attention.
        tokens: learned vectors, half of them keys and half values.
        bound: they start uniform in [-bound, bound].
    """

    def __init__(self, attention: Attention, tokens: int, bound: float):
        super().__init__()
        width = attention.output.in_features
        self.attention = attention
        self.keys, self.values = (
            nn.Parameter(torch.empty(1, tokens // 2, width).uniform_(-bound, bound)) for _ in "kv"
        )

    def forward(self, x: Tensor) -> Tensor:
        key = _inserted(self.attention.key(x), self.keys, 1)
        value = _inserted(self.attention.value(x), self.values, 1)
        return self.attention.attend(self.attention.query(x), key, value)


class Prompts(nn.Module):
    """Learned tokens put after the first token of [batch, n, width], in the place of ``instead`` that were there.

    Jia et al., "Visual Prompt Tuning", arXiv 2203.12119.
    """

    def __init__(self, tokens: int, width: int, bound: float, instead: int):
        super().__init__()
        self.instead = instead
        self.prompts = nn.Parameter(torch.empty(1, tokens, width).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        return _inserted(x, self.prompts, 1 + self.instead)


def _inserted(x: Tensor, tokens: Tensor, rest: int) -> Tensor:
    """The first token of ``x`` [batch, n, width], then ``tokens`` [1, m, width], then ``x`` from token ``rest``."""
    return torch.cat((x[:, :1], tokens.expand(len(x), -1, -1), x[:, rest:]), dim=1)


class Bottleneck(nn.Module):
    """Down to ``rank``, GELU, up again, on tokens [batch, n, width]; Houlsby et al., arXiv 1902.00751."""

    def __init__(self, width: int, rank: int):
        super().__init__()
        self.down, self.up = nn.Linear(width, rank), nn.Linear(rank, width)
        _silence(self.up)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(functional.gelu(self.down(x)))


class Convpass(nn.Module):
    """A bottleneck with a convolution over neighbouring tokens in it; Jie and Deng, arXiv 2207.07039.

    With ``paper_code``, the convolution's result is not used, as in the first code of PETL-AST.
    """

    def __init__(self, width: int, rank: int, kernel: int = 3, paper_code: bool = False):
        super().__init__()
        self.down, self.up = nn.Linear(width, rank), nn.Linear(rank, width)
        self.conv = None if paper_code else nn.Conv1d(rank, rank, kernel, padding="same")
        self.dropout = nn.Dropout(0.1)
        _silence(self.up)

    def forward(self, x: Tensor) -> Tensor:
        x = _quick_gelu(self.down(x))
        if self.conv is not None:
            x = self.conv(x.transpose(1, 2)).transpose(1, 2)
        return self.up(self.dropout(_quick_gelu(x)))


class Conformer(nn.Module):
    """The convolution module of the Conformer at a low rank: norm, gate, filters per channel along the tokens, up.

    Gulati et al., arXiv 2005.08100. With ``paper_code``, the norm's result is not used, as in the code of PETL-AST.
    """

    def __init__(self, width: int, rank: int, kernel: int, paper_code: bool = False):
        super().__init__()
        self.norm = None if paper_code else nn.LayerNorm(width)
        self.down = nn.Conv1d(width, 2 * rank, 1)
        self.depthwise = nn.Conv1d(rank, rank, kernel, groups=rank)
        self.batch_norm = nn.BatchNorm1d(rank)
        self.up = nn.Conv1d(rank, width, 1)
        self.pad = (kernel - 1) // 2, kernel // 2  # an even kernel looks one token further ahead
        _silence(self.up)

    def forward(self, x: Tensor) -> Tensor:
        x = (x if self.norm is None else self.norm(x)).transpose(1, 2)
        x = self.depthwise(functional.pad(functional.glu(self.down(x), dim=1), self.pad))
        return self.up(functional.silu(self.batch_norm(x))).transpose(1, 2)


def _quick_gelu(x: Tensor) -> Tensor:
    return x * torch.sigmoid(1.702 * x)


def _silence(layer: nn.Linear | nn.Conv1d) -> None:
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


Mode = Literal["sequential", "parallel"]
Side = Literal["before", "after"]


class Adapted(nn.Module):
    """A sublayer f with an adapter a. Of the normalised tokens y it gives, before the layer adds its own input:

    ==========  ======  ====================  ==================
    mode        side    with ``residual``     without
    ==========  ======  ====================  ==================
    sequential  after   f(y) + a(f(y))        a(f(y))
    sequential  before  f(y + a(y))           f(a(y)) + a(y)
    parallel    before  f(y) + a(y) + y       f(y) + a(y)
    parallel    after   f(y) + a(f(y))        f(y) + a(f(y))
    ==========  ======  ====================  ==================
    """

    def __init__(self, sublayer: nn.Module, adapter: nn.Module, mode: Mode, side: Side, residual: bool):
        super().__init__()
        self.sublayer, self.adapter = sublayer, adapter
        self.mode, self.side, self.residual = mode, side, residual

    def forward(self, y: Tensor) -> Tensor:
        if self.side == "after":
            out = self.sublayer(y)
            return self.adapter(out) + out if self.residual or self.mode == "parallel" else self.adapter(out)
        change = self.adapter(y)
        if self.mode == "parallel":
            return self.sublayer(y) + change + y if self.residual else self.sublayer(y) + change
        return self.sublayer(y + change) if self.residual else self.sublayer(change) + change


class PromptedLayer(nn.Module):
    """A layer that is given prompts of its own in the place of those the layer before was given."""

    def __init__(self, layer: Layer, prompts: Prompts):
        super().__init__()
        self.layer, self.prompts = layer, prompts

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(self.prompts(x))


ADDED = (LoRA, PrefixAttention, Prompts, Bottleneck, Convpass, Conformer)  # what is trained when the rest is frozen
