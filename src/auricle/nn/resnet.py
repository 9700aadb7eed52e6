"""Residual networks of basic blocks, and attentive statistics: from pictures or spectrograms to vectors.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv 1512.03385. Okabe, Koshinaka,
Shinoda, "Attentive Statistics Pooling for Deep Speaker Embedding", Interspeech 2018, arXiv 1803.10963.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, [batch, into, h, w] to [batch, out, h / stride, w / stride]."""

    def __init__(self, into: int, out: int, stride: int = 1):
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(into, out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or into != out:
            self.shortcut = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return (self.shortcut(x) + self.branch(x)).relu()


class ResNet(nn.Module):
    """Maps [batch, into, h, w] to [batch, channels[-1], ceil(h / 8), ceil(w / 8)] (four stages, a 3 x 3 stem).

    Args:
        into: channels of the input.
        channels: of each stage; every stage but the first halves the resolution.
        depths: blocks of each stage: (3, 4, 6, 3) in ResNet-34, (2, 2, 2, 2) in ResNet-18.
    """

    def __init__(self, into: int, channels: Sequence[int], depths: Sequence[int]):
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(into, channels[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(),
        ]
        before = channels[0]
        for stage, (width, depth) in enumerate(zip(channels, depths, strict=True)):
            for block in range(depth):
                layers.append(BasicBlock(before, width, 2 if stage and not block else 1))
                before = width
        self.layers = nn.Sequential(*layers)
        self.dim = before

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class AttentiveStatistics(nn.Module):
    """Mean and standard deviation over time of ``x`` [batch, channels, frames], weighted by attention.

    Gives [batch, 2 * channels]; each channel has weights of its own.
    """

    def __init__(self, channels: int, hidden: int = 128):
        super().__init__()
        self.attention = nn.Sequential(
            nn.Conv1d(channels, hidden, 1), nn.Tanh(), nn.Conv1d(hidden, channels, 1), nn.Softmax(dim=-1)
        )

    def forward(self, x: Tensor) -> Tensor:
        weights = self.attention(x)
        mean = (weights * x).sum(dim=-1)
        variance = (weights * x.square()).sum(dim=-1) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-6).sqrt()], dim=1)
