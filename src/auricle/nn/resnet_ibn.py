"""ResNet with instance and batch normalisation side by side, and the pooling that goes on top of it.

Pan, Luo, Shi, Tang, "Two at Once: Enhancing Learning and Generalization Capacities via IBN-Net", ECCV 2018, arXiv
1807.09441: instance normalisation takes away how a picture looks, here timbre and level; batch normalisation keeps what
is in it. Radenović, Tolias, Chum, "Fine-tuning CNN Image Retrieval with No Human Annotation", PAMI 2018, arXiv
1711.02512: the generalised mean, between the average (power 1) and the maximum (power infinite).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

EXPANSION = 4  # output channels of a bottleneck over its inner ones


class InstanceBatchNorm(nn.Module):
    """Normalises the first half of the channels of ``x`` [batch, channels, ...] alone, the rest over the batch."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = channels // 2
        self.instance = nn.InstanceNorm2d(self.first, affine=True)
        self.batch = nn.BatchNorm2d(channels - self.first)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.instance(x[:, : self.first]), self.batch(x[:, self.first :])], dim=1)


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut.

    Args:
        into: channels of the input.
        inner: channels between the convolutions; the output has ``EXPANSION`` times as many.
        stride: of the 3 x 3 convolution.
        ibn: whether the first norm is an ``InstanceBatchNorm``.
        rectified: convolutions have biases and the branch is rectified before the sum, as in one public code.
    """

    def __init__(self, into: int, inner: int, stride: int = 1, ibn: bool = True, rectified: bool = False):
        super().__init__()
        out = EXPANSION * inner
        self.conv1 = nn.Conv2d(into, inner, 1, bias=rectified)
        self.norm1 = InstanceBatchNorm(inner) if ibn else nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, padding=1, bias=rectified)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, out, 1, bias=rectified)
        self.norm3 = nn.BatchNorm2d(out)
        self.rectified = rectified
        self.shortcut = nn.Sequential()
        if stride != 1 or into != out:
            self.shortcut = nn.Sequential(nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        branch = self.norm1(self.conv1(x)).relu()
        branch = self.norm2(self.conv2(branch)).relu()
        branch = self.norm3(self.conv3(branch))
        return (self.shortcut(x) + (branch.relu() if self.rectified else branch)).relu()


class ResNetIBN(nn.Module):
    """Pictures [batch, 1, height, width] to maps [batch, 4 * widths[-1], about height / 16, about width / 16].

    IBN-a in all stages but the last, which keeps the resolution of the one before it.

    Args:
        stem: channels of the first convolution.
        widths: channels inside the bottlenecks of each stage.
        depths: bottlenecks of each stage.
        ibn: False for batch normalisation only.
        rectified: see ``Bottleneck``.
    """

    def __init__(
        self,
        stem: int = 64,
        widths: Sequence[int] = (64, 128, 256, 512),
        depths: Sequence[int] = (3, 4, 6, 3),
        ibn: bool = True,
        rectified: bool = False,
    ):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, stem, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        stages, into = [], stem
        for stage, (width, depth, stride) in enumerate(zip(widths, depths, (1, 2, 2, 1), strict=True)):
            blocks = []
            for block in range(depth):
                blocks.append(Bottleneck(into, width, 1 if block else stride, ibn and stage < 3, rectified))
                into = EXPANSION * width
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.Sequential(*stages)
        self.dim = into

    def forward(self, x: Tensor) -> Tensor:
        return self.stages(self.stem(x))


class GeM(nn.Module):
    """Generalised mean of maps ``x`` [batch, channels, height, width] over both axes: [batch, channels]; learned power.

    Values below ``floor`` count as ``floor``.
    """

    def __init__(self, power: float = 3.0, floor: float = 1e-6):
        super().__init__()
        self.power, self.floor = nn.Parameter(torch.tensor([power])), floor

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(min=self.floor).pow(self.power).mean(dim=(-2, -1)).pow(1 / self.power)
