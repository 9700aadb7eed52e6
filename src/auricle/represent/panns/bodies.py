"""The bodies of the PANNs: from spectrogram or waveform to a sequence of features.

Every body is called with ``(wave [batch, samples], mel [batch, 1, frames, bands] or None, weights)`` and gives features
[batch, channels, time]; ``weights`` mixes pairs of the batch (``auricle.nn.mix``) where the paper does it, which halves
the batch. Layers have the names of the authors' code, so that a published state dict fits.

Whatever has a stride in other networks has a stride of 1 and then a pooling here (paper, section IV).
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.nn.mix import mix_pairs


def conv2d(inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> nn.Conv2d:
    """A convolution over time and frequency that keeps the size of the map."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)


def conv1d(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, dilation: int = 1) -> nn.Conv1d:
    """A convolution over time that keeps the length, but for its stride."""
    padding = kernel // 2 * dilation
    return nn.Conv1d(inputs, outputs, kernel, stride, padding, dilation, bias=False)


def norm(conv: nn.Conv1d | nn.Conv2d) -> nn.Module:
    """Batch norm over the channels that ``conv`` gives."""
    return (nn.BatchNorm1d if isinstance(conv, nn.Conv1d) else nn.BatchNorm2d)(conv.out_channels)


class ConvBlock(nn.Module):
    """Convolutions, each followed by batch norm and ReLU; named conv1, bn1, conv2, bn2, ..."""

    def __init__(self, *convs: nn.Conv1d | nn.Conv2d):
        super().__init__()
        self.depth = len(convs)
        for number, conv in enumerate(convs, 1):
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", norm(conv))

    def forward(self, x: Tensor) -> Tensor:
        for number in range(1, self.depth + 1):
            x = functional.relu(self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(x)))
        return x


class Residual(nn.Module):
    """Convolutions with batch norm and ReLU between, beside a shortcut; named conv1, bn1, ..., downsample.

    ``pool`` comes before the first convolution and dropout before the last. The last batch norm starts at 0, so that
    the block begins as its shortcut.
    """

    def __init__(
        self,
        *convs: nn.Conv1d | nn.Conv2d,
        pool: nn.Module | None = None,
        downsample: nn.Module | None = None,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.depth, self.dropout = len(convs), dropout
        self.pool, self.downsample = pool or nn.Identity(), downsample or nn.Identity()  # an empty Sequential is false
        for number, conv in enumerate(convs, 1):
            self.add_module(f"conv{number}", conv)
            self.add_module(f"bn{number}", norm(conv))

    def forward(self, x: Tensor) -> Tensor:
        shortcut, x = self.downsample(x), self.pool(x)
        for number in range(1, self.depth + 1):
            x = self.get_submodule(f"bn{number}")(self.get_submodule(f"conv{number}")(x))
            if number < self.depth:
                x = functional.relu(x)
            if number == self.depth - 1:
                x = functional.dropout(x, self.dropout, self.training)
        return functional.relu(x + shortcut)


def residual_2d(inputs: int, width: int, stride: int, bottleneck: bool) -> Residual:
    """A block of the ResNets; a bottleneck's output is four times its width."""
    outputs = 4 * width if bottleneck else width
    shortcut = [] if stride == 1 else [nn.AvgPool2d(stride)]
    if stride != 1 or inputs != outputs:
        shortcut += [conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs)]
    if bottleneck:
        convs = conv2d(inputs, width, 1), conv2d(width, width), conv2d(width, outputs, 1)
    else:
        convs = conv2d(inputs, width), conv2d(width, width)
    return Residual(*convs, pool=nn.AvgPool2d(2) if stride == 2 else None, downsample=nn.Sequential(*shortcut))


def residual_1d(inputs: int, width: int, stride: int) -> Residual:
    """A block of the Res1dNets."""
    shortcut = [] if stride == 1 else [nn.AvgPool1d(stride)]
    if stride != 1 or inputs != width:
        shortcut += [conv1d(inputs, width, 1), nn.BatchNorm1d(width)]
    convs = conv1d(inputs, width), conv1d(width, width, dilation=2)
    return Residual(*convs, pool=nn.MaxPool1d(stride) if stride > 1 else None, downsample=nn.Sequential(*shortcut))


class Cnn(nn.Module):
    """Cnn6, Cnn10, Cnn14: blocks of convolutions on a spectrogram; the first five halve the map, all drop out."""

    HALVINGS = 5  # 32 frames become one feature

    def __init__(self, channels: Sequence[int], kernel: int = 3, dropout: float = 0.2, first: int = 1, inputs: int = 1):
        super().__init__()
        self.numbers, self.dropout, self.dim = range(first, first + len(channels)), dropout, channels[-1]
        for number, (before, after) in enumerate(pairwise((inputs, *channels)), first):
            convs = [conv2d(before, after, kernel)] if kernel == 5 else [conv2d(before, after), conv2d(after, after)]
            self.add_module(f"conv_block{number}", ConvBlock(*convs))

    def forward(self, wave: Tensor, mel: Tensor, weights: Tensor | None) -> Tensor:
        return self.trunk(mix_pairs(mel, weights))

    def trunk(self, x: Tensor) -> Tensor:
        for number in self.numbers:
            x = self.get_submodule(f"conv_block{number}")(x)
            if number <= self.HALVINGS:
                x = functional.avg_pool2d(x, 2)
            x = functional.dropout(x, self.dropout, self.training)
        return x.mean(3)


class Wavegram(Cnn):
    """Wavegram-CNN and, with ``logmel``, Wavegram-Logmel-CNN: a learned spectrogram, alone or beside the log-mel one.

    Strided convolutions turn the waveform into 4 channels x bands / 2 x frames, which a block of convolutions takes the
    place of the first one's output with. Where the two spectrograms differ by a frame, the longer one is cut; the
    authors' code takes only lengths where they agree.
    """

    def __init__(self, channels: Sequence[int], bands: int, logmel: bool, dropout: float = 0.2):
        head, *rest = channels
        super().__init__(rest, dropout=dropout, first=2, inputs=2 * head if logmel else head)
        self.bins = bands // 2
        self.pre_conv0 = conv1d(1, 64, 11, stride=5)
        self.pre_bn0 = nn.BatchNorm1d(64)
        for number, (before, after) in enumerate(pairwise((64, 64, 128, 4 * self.bins)), 1):
            self.add_module(f"pre_block{number}", ConvBlock(conv1d(before, after), conv1d(after, after, dilation=2)))
        self.pre_block4 = ConvBlock(conv2d(4, head), conv2d(head, head))
        self.conv_block1 = ConvBlock(conv2d(1, head), conv2d(head, head)) if logmel else None

    def forward(self, wave: Tensor, mel: Tensor, weights: Tensor | None) -> Tensor:
        x = mix_pairs(self.wavegram(wave), weights)
        if self.conv_block1 is not None:
            mel = functional.avg_pool2d(self.conv_block1(mix_pairs(mel, weights)), 2)
            frames = min(x.shape[2], mel.shape[2])
            x = torch.cat((mel[:, :, :frames], x[:, :, :frames]), dim=1)
        return self.trunk(functional.dropout(x, self.dropout, self.training))

    def wavegram(self, wave: Tensor) -> Tensor:
        """[batch, samples] to [batch, channels, samples // 640, bands / 2]."""
        x = functional.relu(self.pre_bn0(self.pre_conv0(wave[:, None])))
        for number in (1, 2, 3):
            x = functional.max_pool1d(self.get_submodule(f"pre_block{number}")(x), 4)
        x = x.unflatten(1, (-1, self.bins)).transpose(2, 3)
        return functional.avg_pool2d(self.pre_block4(x), (2, 1))


class ResNet(nn.Module):
    """ResNet22, 38 and 54 on a spectrogram: four stages between two blocks of convolutions."""

    def __init__(self, depths: Sequence[int], bottleneck: bool, dropout: float = 0.2):
        super().__init__()
        self.dropout, self.dim = dropout, 2048
        self.conv_block1 = ConvBlock(conv2d(1, 64), conv2d(64, 64))
        stages, inputs = OrderedDict(), 64
        for number, (depth, width) in enumerate(zip(depths, (64, 128, 256, 512), strict=True), 1):
            blocks = []
            for place in range(depth):
                blocks.append(residual_2d(inputs, width, 2 if place == 0 and number > 1 else 1, bottleneck))
                inputs = 4 * width if bottleneck else width
            stages[f"layer{number}"] = nn.Sequential(*blocks)
        self.resnet = nn.Sequential(stages)
        self.conv_block_after1 = ConvBlock(conv2d(inputs, self.dim), conv2d(self.dim, self.dim))

    def forward(self, wave: Tensor, mel: Tensor, weights: Tensor | None) -> Tensor:
        x = functional.avg_pool2d(self.conv_block1(mix_pairs(mel, weights)), 2)
        x = functional.avg_pool2d(self.resnet(functional.dropout(x, self.dropout, self.training)), 2)
        x = self.conv_block_after1(functional.dropout(x, self.dropout, self.training))
        return functional.dropout(x, self.dropout, self.training).mean(3)


def pooled(conv: nn.Conv2d, stride: int, activation: type[nn.Module]) -> list[nn.Module]:
    """Convolution, pooling by ``stride``, batch norm, activation: a strided convolution of the MobileNets."""
    return [conv, nn.AvgPool2d(stride), norm(conv), activation()]


class InvertedResidual(nn.Module):
    """MobileNetV2's block: widened ``expansion`` times, filtered by channel, narrowed; a shortcut where it fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, expansion: int):
        super().__init__()
        hidden, self.shortcut = inputs * expansion, stride == 1 and inputs == outputs
        widen = [conv2d(inputs, hidden, 1), nn.BatchNorm2d(hidden), nn.ReLU6()] if expansion > 1 else []
        depthwise = pooled(conv2d(hidden, hidden, groups=hidden), stride, nn.ReLU6)
        self.conv = nn.Sequential(*widen, *depthwise, conv2d(hidden, outputs, 1), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.shortcut else self.conv(x)


class MobileNet(nn.Module):
    """MobileNetV1 and V2 on a spectrogram."""

    V1 = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))
    V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 2), (6, 160, 3, 1), (6, 320, 1, 1))

    def __init__(self, version: int):
        super().__init__()
        inputs, self.dim = 32, 1024 if version == 1 else 1280
        blocks: list[nn.Module] = [nn.Sequential(*pooled(conv2d(1, inputs), 2, nn.ReLU if version == 1 else nn.ReLU6))]
        if version == 1:
            for outputs, stride in self.V1:
                depthwise = pooled(conv2d(inputs, inputs, groups=inputs), stride, nn.ReLU)
                pointwise = conv2d(inputs, outputs, 1), nn.BatchNorm2d(outputs), nn.ReLU()
                blocks.append(nn.Sequential(*depthwise, *pointwise))
                inputs = outputs
        else:
            for expansion, outputs, repeats, stride in self.V2:
                for place in range(repeats):
                    blocks.append(InvertedResidual(inputs, outputs, stride if place == 0 else 1, expansion))
                    inputs = outputs
            blocks.append(nn.Sequential(conv2d(inputs, self.dim, 1), nn.BatchNorm2d(self.dim), nn.ReLU6()))
        self.features = nn.Sequential(*blocks)

    def forward(self, wave: Tensor, mel: Tensor, weights: Tensor | None) -> Tensor:
        return self.features(mix_pairs(mel, weights)).mean(3)


class LeeNet(nn.Module):
    """LeeNet11 and, with two convolutions a block, LeeNet24: short filters on the waveform, pooled by 3 each time."""

    def __init__(self, channels: Sequence[int], depth: int, dropout: float):
        super().__init__()
        self.blocks, self.dropout, self.dim = len(channels), dropout, channels[-1]
        self.pools = (1, *(3,) * (self.blocks - 2), 3 if depth == 1 else 1)
        for number, (before, after) in enumerate(pairwise((1, *channels)), 1):
            first = conv1d(before, after, stride=3 if number == 1 else 1)
            self.add_module(f"conv_block{number}", ConvBlock(first, *(conv1d(after, after) for _ in range(depth - 1))))

    def forward(self, wave: Tensor, mel: None, weights: Tensor | None) -> Tensor:
        x = mix_pairs(wave, weights)[:, None]
        for number, pool in enumerate(self.pools, 1):
            x = self.get_submodule(f"conv_block{number}")(x)
            if pool > 1:
                x = functional.max_pool1d(x, pool, padding=pool // 2)
            if number < self.blocks:
                x = functional.dropout(x, self.dropout, self.training)
        return x


class DaiNet(nn.Module):
    """DaiNet19: a long first filter on the waveform, then residual blocks of four convolutions, pooled by 4 between."""

    def __init__(self, channels: Sequence[int]):
        super().__init__()
        self.blocks, self.dim = len(channels), channels[-1]
        self.conv0 = nn.Conv1d(1, channels[0], 80, stride=4, bias=False)
        self.bn0 = nn.BatchNorm1d(channels[0])
        for number, (before, after) in enumerate(pairwise((channels[0], *channels)), 1):
            convs = conv1d(before, after), conv1d(after, after), conv1d(after, after), conv1d(after, after)
            shortcut = nn.Sequential(conv1d(before, after, 1), nn.BatchNorm1d(after)) if before != after else None
            self.add_module(f"conv_block{number}", Residual(*convs, downsample=shortcut, dropout=0.0))

    def forward(self, wave: Tensor, mel: None, weights: Tensor | None) -> Tensor:
        x = self.bn0(self.conv0(mix_pairs(wave, weights)[:, None]))
        for number in range(1, self.blocks + 1):
            x = self.get_submodule(f"conv_block{number}")(x)
            if number < self.blocks:
                x = functional.max_pool1d(x, 4)
        return x


class Res1dNet(nn.Module):
    """Res1dNet31 and 51: residual stages on the waveform, each of 4 times fewer samples than the one before."""

    def __init__(self, channels: Sequence[int], depths: Sequence[int]):
        super().__init__()
        self.dim = channels[-1]
        self.conv0 = conv1d(1, channels[0], 11, stride=5)
        self.bn0 = nn.BatchNorm1d(channels[0])
        stages, inputs = OrderedDict(), channels[0]
        for number, (depth, width) in enumerate(zip(depths, channels, strict=True), 1):
            blocks = []
            for place in range(depth):
                blocks.append(residual_1d(inputs, width, 4 if place == 0 and number > 1 else 1))
                inputs = width
            stages[f"layer{number}"] = nn.Sequential(*blocks)
        self.resnet = nn.Sequential(stages)

    def forward(self, wave: Tensor, mel: None, weights: Tensor | None) -> Tensor:
        return self.resnet(self.bn0(self.conv0(mix_pairs(wave, weights)[:, None])))


Body = Cnn | ResNet | MobileNet | LeeNet | DaiNet | Res1dNet  # a Wavegram is a Cnn
