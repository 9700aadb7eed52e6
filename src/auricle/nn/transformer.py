"""Transformer layers that normalise first, written so that adaptation can reach every part of them."""

from torch import Tensor, nn


class Attention(nn.Module):
    """Self-attention of several heads over tokens [batch, tokens, width], without mask or dropout.

    Args:
        width: of a token, a multiple of ``heads``.
        heads: how many.
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(self.query(x), self.key(x), self.value(x))

    def attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """What tokens [batch, queries, width] gather from ``key`` and ``value`` [batch, tokens, width]."""
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in (query, key, value))
        heads = nn.functional.scaled_dot_product_attention(query, key, value)
        return self.output(heads.transpose(1, 2).flatten(2))


class FeedForward(nn.Sequential):
    """Two linear layers with GELU between, each token by itself [..., width]."""

    def __init__(self, width: int, hidden: int):
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))


class Layer(nn.Module):
    """``x + attention(norm(x))``, then ``x + feed_forward(norm(x))``, on tokens [batch, tokens, width]."""

    def __init__(self, width: int, heads: int, hidden: int, epsilon: float):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=epsilon)
        self.attention = Attention(width, heads)
        self.feed_forward_norm = nn.LayerNorm(width, eps=epsilon)
        self.feed_forward = FeedForward(width, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.feed_forward(self.feed_forward_norm(x))
