"""The Swin transformer: attention within small windows that shift from block to block, on maps that halve in steps.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021, arXiv 2103.14030. A
token attends to the tokens of its window only, so the cost grows with the size of the map and not with its square; odd
blocks cut the windows half a window further, so that what is near meets across the borders; between stages four
neighbours become one token of twice the width.

    map [batch, rows, columns, width]
      | depth[0] blocks; 2 x 2 tokens into one
    [batch, rows / 2, columns / 2, 2 width]
      | depth[1] blocks; ...
    [batch, rows / 2^(n - 1), columns / 2^(n - 1), 2^(n - 1) width]

The order in which four neighbours are joined, and the numbering of relative positions, are those of the authors' code.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.nn.transformer import FeedForward

APART = -100.0  # added to the attention of tokens that the shift has brought into one window


def partition(x: Tensor, window: int) -> Tensor:
    """Cuts maps [batch, rows, columns, width] into windows [batch, windows, window * window, width], row by row."""
    batch, rows, columns, width = x.shape
    x = x.view(batch, rows // window, window, columns // window, window, width)
    return x.transpose(2, 3).reshape(batch, -1, window * window, width)


def assemble(x: Tensor, rows: int, columns: int) -> Tensor:
    """The maps [batch, rows, columns, width] that ``partition`` cut into windows [batch, windows, tokens, width]."""
    batch, _, tokens, width = x.shape
    window = round(tokens**0.5)
    x = x.view(batch, rows // window, columns // window, window, window, width)
    return x.transpose(2, 3).reshape(batch, rows, columns, width)


def relative_positions(window: int) -> Tensor:
    """The number of the offset of every pair of a window's tokens [window², window²], below (2 window - 1)²."""
    place = torch.arange(window, device="cpu")  # kept real when a model is made of shapes only
    row, column = place.repeat_interleave(window), place.repeat(window)
    down, right = (axis[:, None] - axis[None, :] + window - 1 for axis in (row, column))
    return down * (2 * window - 1) + right


def shift_mask(rows: int, columns: int, window: int, shift: int) -> Tensor:
    """What is added to the attention within windows of a shifted map: [windows, tokens, tokens] of 0 and ``APART``."""

    def region(length: int) -> Tensor:  # 0 where windows are whole, 1 and 2 on the sides of the seam in the last one
        place = torch.arange(length, device="cpu")
        return (place >= length - window).int() + (place >= length - shift).int()

    regions = 3 * region(rows)[:, None] + region(columns)
    of_token = partition(regions[None, :, :, None], window)[0, :, :, 0]
    return APART * (of_token[:, :, None] != of_token[:, None, :]).float()


class WindowAttention(nn.Module):
    """Self-attention within windows [batch, windows, tokens, width], with a learned bias for every relative position.

    Args:
        width: of a token, a multiple of ``heads``.
        heads: how many.
        window: rows and columns of a window; it has ``window * window`` tokens.
    """

    positions: Tensor

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        self.heads = heads
        self.qkv, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("positions", relative_positions(window).flatten(), persistent=False)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Tokens after attention, as many; ``mask`` [windows, tokens, tokens] is added to the attention."""
        batch, windows, tokens, width = x.shape
        bias = self.bias[self.positions].view(tokens, tokens, self.heads).permute(2, 0, 1)
        bias = bias[None] if mask is None else (mask[:, None] + bias).repeat(batch, 1, 1, 1)
        query, key, value = self.qkv(x.flatten(0, 1)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        heads = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        heads = heads.transpose(1, 2).clone(memory_format=torch.contiguous_format)  # exporters see other strides
        return self.output(heads.flatten(2)).view(batch, windows, tokens, width)


class DropPath(nn.Module):
    """While training, leaves an item's branch [batch, ...] out with probability ``rate`` and scales the others up."""

    def __init__(self, rate: float):
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or not self.rate:
            return x
        kept = x.new_empty(len(x), *(1,) * (x.dim() - 1)).bernoulli_(1 - self.rate)
        return x * kept / (1 - self.rate)


class Block(nn.Module):
    """Attention within windows, then a feed-forward network, on maps [batch, rows, columns, width]; both add.

    Args:
        grid: rows and columns of the map; where it is no larger than a window, it is one window and does not shift.
        width, heads: of the attention.
        window: rows and columns of a window.
        shifted: windows are cut half a window further.
        drop_path: see ``DropPath``.
    """

    mask: Tensor | None

    def __init__(self, grid: tuple[int, int], width: int, heads: int, window: int, shifted: bool, drop_path: float):
        super().__init__()
        whole = min(grid) <= window
        self.window = min(grid) if whole else window
        self.shift = window // 2 if shifted and not whole else 0
        self.attention_norm, self.attention = nn.LayerNorm(width), WindowAttention(width, heads, self.window)
        self.feed_forward_norm, self.feed_forward = nn.LayerNorm(width), FeedForward(width, 4 * width)
        self.drop_path = DropPath(drop_path)
        mask = shift_mask(*grid, self.window, self.shift) if self.shift else None
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self._attended(self.attention_norm(x)))
        return x + self.drop_path(self.feed_forward(self.feed_forward_norm(x)))

    def _attended(self, x: Tensor) -> Tensor:
        _, rows, columns, _ = x.shape
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
        x = assemble(self.attention(partition(x, self.window), self.mask), rows, columns)
        return x.roll((self.shift, self.shift), (1, 2)) if self.shift else x


class Merge(nn.Module):
    """Joins 2 x 2 tokens into one of twice the width: [batch, rows, columns, width] to half as many of each."""

    def __init__(self, width: int):
        super().__init__()
        self.norm, self.reduction = nn.LayerNorm(4 * width), nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, rows, columns, width = x.shape
        x = x.view(batch, rows // 2, 2, columns // 2, 2, width).permute(0, 1, 3, 4, 2, 5)  # down first, then right
        return self.reduction(self.norm(x.reshape(batch, rows // 2, columns // 2, 4 * width)))


class Stage(nn.Module):
    """Blocks at one resolution, every other one shifted, and what halves the map after them."""

    def __init__(
        self, grid: tuple[int, int], width: int, heads: int, window: int, drop_path: Sequence[float], last: bool
    ):
        super().__init__()
        self.blocks = nn.Sequential(
            *(Block(grid, width, heads, window, index % 2 == 1, rate) for index, rate in enumerate(drop_path))
        )
        self.merge = nn.Identity() if last else Merge(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.merge(self.blocks(x))


class Swin(nn.Sequential):
    """All n stages: [batch, rows, columns, width] to [batch, rows / 2^(n - 1), columns / 2^(n - 1), 2^(n - 1) width].

    Args:
        grid: rows and columns, multiples of ``window * 2^(n - 1)`` or, in late stages, smaller than a window.
        width: of the first stage's tokens.
        depths: blocks of each of the n stages.
        heads: of each stage.
        window: rows and columns of a window.
        drop_path: of the last block; it rises to that linearly from 0 in the first.
    """

    def __init__(
        self,
        grid: tuple[int, int],
        width: int,
        depths: Sequence[int],
        heads: Sequence[int],
        window: int,
        drop_path: float,
    ):
        rates = iter(torch.linspace(0, drop_path, sum(depths), device="cpu").tolist())
        super().__init__(
            *(
                Stage(
                    (grid[0] >> index, grid[1] >> index),
                    width << index,
                    heads[index],
                    window,
                    [next(rates) for _ in range(depth)],
                    index == len(depths) - 1,
                )
                for index, depth in enumerate(depths)
            )
        )
