"""The PANNs as torch modules: configurations under the authors' names, heads, and the map of their checkpoints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.data.audioset import evaluation_classes
from auricle.errors import WeightsError
from auricle.features.logmel import LogMel
from auricle.nn.mix import SpecAugment, mix_pairs
from auricle.represent.panns import bodies


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are Cnn14's (paper, table II)."""

    body: Literal["cnn", "wavegram", "resnet", "mobilenet", "leenet", "dainet", "res1dnet"] = "cnn"
    channels: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048)  # of the blocks
    kernel: int = 3  # of a Cnn; 5 has one convolution a block, 3 two
    depths: tuple[int, ...] = ()  # blocks of each stage of a ResNet or Res1dNet; convolutions a block of a LeeNet
    bottleneck: bool = False  # of a ResNet's blocks
    version: int = 1  # of a MobileNet
    logmel: bool = True  # a Wavegram hears the log-mel spectrogram too
    embedding: int = 2048  # length of a vector
    pooling: Literal["clip", "max", "mean", "attention"] = "clip"  # over time: of features, or of the frames' scores
    sample_rate: int = 32_000  # Hz
    fft: int = 1024  # samples
    hop: int = 320  # samples, 10 ms
    bands: int = 64
    low: float = 50.0  # Hz
    high: float = 14_000.0  # Hz
    body_dropout: float = 0.2
    feature_dropout: float = 0.5  # before the embedding
    embedding_dropout: float = 0.5  # after it
    spec_augment: bool = True
    mixup: Literal["spectrogram", "waveform"] = "spectrogram"  # what is mixed when pairs are


_CNN14 = Config()
_LEENET11 = Config(body="leenet", channels=(64, 64, 64, *(128,) * 5, 256), depths=(1,), embedding=512, body_dropout=0.0)
_LEENET24 = Config(
    body="leenet",
    channels=(64, 96, 128, 128, 256, 256, 512, 512, 1024),
    depths=(2,),
    embedding=1024,
    body_dropout=0.1,
)
_RES1D = Config(body="res1dnet", channels=(64, 128, 256, 512, 1024, 1024, 2048), depths=(2,) * 7)

VARIANTS: dict[str, Config] = {  # the classes of the authors' pytorch/models.py
    "Cnn14": _CNN14,
    "Cnn14_no_specaug": replace(_CNN14, spec_augment=False),
    "Cnn14_no_dropout": replace(_CNN14, body_dropout=0.0),
    "Cnn14_emb512": replace(_CNN14, embedding=512),
    "Cnn14_emb128": replace(_CNN14, embedding=128),
    "Cnn14_emb32": replace(_CNN14, embedding=32),
    "Cnn14_16k": replace(_CNN14, sample_rate=16_000, fft=512, hop=160, high=8000.0),
    "Cnn14_8k": replace(_CNN14, sample_rate=8000, fft=256, hop=80, high=4000.0),
    "Cnn14_mel32": replace(_CNN14, bands=32),
    "Cnn14_mel128": replace(_CNN14, bands=128),
    "Cnn14_mixup_time_domain": replace(_CNN14, mixup="waveform"),
    "Cnn14_DecisionLevelMax": replace(_CNN14, pooling="max"),
    "Cnn14_DecisionLevelAvg": replace(_CNN14, pooling="mean"),
    "Cnn14_DecisionLevelAtt": replace(_CNN14, pooling="attention"),
    "Cnn6": Config(channels=(64, 128, 256, 512), kernel=5, embedding=512),
    "Cnn10": Config(channels=(64, 128, 256, 512), embedding=512),
    "ResNet22": Config(body="resnet", depths=(2, 2, 2, 2)),
    "ResNet38": Config(body="resnet", depths=(3, 4, 6, 3)),
    "ResNet54": Config(body="resnet", depths=(3, 4, 6, 3), bottleneck=True),
    "MobileNetV1": Config(body="mobilenet", version=1, embedding=1024),
    "MobileNetV2": Config(body="mobilenet", version=2, embedding=1024, feature_dropout=0.0),
    "LeeNet11": _LEENET11,
    "LeeNet24": _LEENET24,
    "DaiNet19": Config(body="dainet", channels=(64, 128, 256, 512), embedding=512),
    "Res1dNet31": _RES1D,
    "Res1dNet51": replace(_RES1D, depths=(2, 3, 4, 6, 4, 3, 2)),
    "Wavegram_Cnn14": Config(body="wavegram", logmel=False),
    "Wavegram_Logmel_Cnn14": Config(body="wavegram"),
    "Wavegram_Logmel128_Cnn14": Config(body="wavegram", bands=128),
}

LEAST = {  # samples that give a body one feature; shorter waveforms are filled with zeros. Spectrograms: 32 frames
    "wavegram": 32 * 320,
    "leenet": 1,
    "dainet": 80 + 4 * (4**3 - 1),
    "res1dnet": 5 * (4**6 - 1) + 1,
}


def make_body(config: Config) -> bodies.Body:
    """The body that ``config`` describes."""
    match config.body:
        case "cnn":
            return bodies.Cnn(config.channels, config.kernel, config.body_dropout)
        case "wavegram":
            return bodies.Wavegram(config.channels, config.bands, config.logmel, config.body_dropout)
        case "resnet":
            return bodies.ResNet(config.depths, config.bottleneck, config.body_dropout)
        case "mobilenet":
            return bodies.MobileNet(config.version)
        case "leenet":
            return bodies.LeeNet(config.channels, config.depths[0], config.body_dropout)
        case "dainet":
            return bodies.DaiNet(config.channels)
        case "res1dnet":
            return bodies.Res1dNet(config.channels, config.depths)


class Attention(nn.Module):
    """Scores of frames, and their mean weighted by a softmax over time of each class's own attention."""

    def __init__(self, inputs: int, classes: int):
        super().__init__()
        self.att, self.cla = nn.Conv1d(inputs, classes, 1), nn.Conv1d(inputs, classes, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, inputs, time] to scores of the clip [batch, classes] and of its segments [batch, time, classes]."""
        segments = self.cla(x).sigmoid()
        weights = self.att(x).clamp(-10, 10).softmax(dim=-1)
        return (weights * segments).sum(dim=-1), segments.transpose(1, 2)


class Model(nn.Module):
    """One of the PANNs with its front-end; randomly initialised until ``load_official`` or a training fills it.

    Args:
        config: the architecture, one of ``VARIANTS`` or another; None is Cnn14.
        classes: names of the scores' columns; None for AudioSet's 527.
    """

    window = 10.0  # seconds heard at once, in training and as an ear

    def __init__(self, config: Config | None = None, classes: Sequence[str] | None = None):
        super().__init__()
        self.config = config = config or Config()
        self.classes = tuple(evaluation_classes() if classes is None else classes)
        self.sample_rate, self.dim = config.sample_rate, config.embedding
        self.least = LEAST.get(config.body, 31 * config.hop)
        heard = config.body in ("cnn", "resnet", "mobilenet") or (config.body == "wavegram" and config.logmel)
        self.front_end = (
            LogMel(config.sample_rate, config.fft, config.hop, config.bands, config.low, config.high) if heard else None
        )
        self.bn0 = nn.BatchNorm2d(config.bands) if heard else None
        self.augment = SpecAugment(64, config.bands // 8) if config.spec_augment else nn.Identity()
        self.body = body = make_body(config)
        self.fc1 = nn.Linear(body.dim, config.embedding)
        if config.pooling == "attention":
            self.att_block = Attention(config.embedding, len(self.classes))
        else:
            self.fc_audioset = nn.Linear(config.embedding, len(self.classes))
        self.apply(initialise)

    def forward(self, wave: Tensor, mix: Tensor | None = None) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at the model's sample rate, in [-1, 1], of any length.

        Args:
            wave: a waveform shorter than ``least`` samples is filled up with zeros.
            mix: weights [batch / 2] that pairs are mixed with (see ``auricle.nn.mix``); the results are then half as
                many.

        Returns:
            ``scores`` [batch, classes] in [0, 1] and ``embedding`` [batch, dim]; with pooling over time of features
            also ``logits`` [batch, classes], and with pooling of scores ``frames`` [batch, frames, classes] in [0, 1],
            one every 10 ms but of 320 ms each.
        """
        features, frames = self.features(wave, mix)
        if self.config.pooling == "clip":
            return self._of_clip(features)
        return self._of_segments(features, frames)

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]."""
        return self(wave)["scores"]

    def features(self, wave: Tensor, mix: Tensor | None = None) -> tuple[Tensor, int]:
        """What the body makes of ``wave`` [batch, channels, time], and of how many frames."""
        if wave.shape[-1] < self.least:
            wave = functional.pad(wave, (0, self.least - wave.shape[-1]))
        if self.config.mixup == "waveform":
            wave, mix = mix_pairs(wave, mix), None
        mel = None
        if self.front_end is not None and self.bn0 is not None:
            mel = self.front_end(wave)[:, None]
            mel = self.augment(self.bn0(mel.transpose(1, 3)).transpose(1, 3))
        return self.body(wave, mel, mix), 1 + wave.shape[-1] // self.config.hop

    def _of_clip(self, features: Tensor) -> dict[str, Tensor]:
        hidden = self._embedding(features.amax(dim=2) + features.mean(dim=2))
        logits = self.fc_audioset(hidden)
        return {"scores": logits.sigmoid(), "embedding": self._dropped(hidden), "logits": logits}

    def _of_segments(self, features: Tensor, frames: int) -> dict[str, Tensor]:
        smooth = functional.max_pool1d(features, 3, 1, 1) + functional.avg_pool1d(features, 3, 1, 1)
        hidden = self._dropped(self._embedding(smooth.transpose(1, 2)))
        if self.config.pooling == "attention":
            scores, segments = self.att_block(hidden.transpose(1, 2))
        else:
            segments = self.fc_audioset(hidden).sigmoid()
            scores = segments.amax(dim=1) if self.config.pooling == "max" else segments.mean(dim=1)
        # 32 frames to a segment, and the last one for the frames left over: 31 segments are 992 of 1001 frames
        place = (torch.arange(frames, device=segments.device) // 32).clamp(max=segments.shape[1] - 1)
        return {"scores": scores, "embedding": hidden.mean(dim=1), "frames": segments[:, place]}

    def _embedding(self, x: Tensor) -> Tensor:
        return functional.relu(self.fc1(functional.dropout(x, self.config.feature_dropout, self.training)))

    def _dropped(self, hidden: Tensor) -> Tensor:
        return functional.dropout(hidden, self.config.embedding_dropout, self.training)


def initialise(module: nn.Module) -> None:
    """The authors' start: Xavier-uniform weights, biases of 0, residual blocks that are their shortcuts."""
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, bodies.Residual):
        nn.init.zeros_(module.get_parameter(f"bn{module.depth}.weight"))


FRONT_END = ("spectrogram_extractor.", "logmel_extractor.")  # computed here, not stored
HEAD = ("fc1.", "fc_audioset.", "att_block.")


def load_official(variant: str, state: Mapping[str, Any], classes: Sequence[str] | None = None) -> Model:
    """A model with the weights of the authors' state dict.

    Args:
        variant: one of ``VARIANTS``.
        state: by the names of the authors' code.
        classes: names of the columns if they are not AudioSet's 527.

    Raises:
        WeightsError: tensors are missing, left over or of other shapes.
    """
    config = VARIANTS[variant]
    ours = {}
    for name, tensor in state.items():
        if name.startswith((*FRONT_END, "att_block.bn_att.")):  # the last is never used
            continue
        if config.body == "wavegram" and not config.logmel and name.startswith(("bn0.", "conv_block1.")):
            continue  # as are these
        if config.body == "dainet":
            if name.startswith(("conv_block1.downsample.", "conv_block1.bn_downsample.")):
                continue
            name = name.replace(".bn_downsample.", ".downsample.1.").replace(
                ".downsample.weight", ".downsample.0.weight"
            )
        of_head = name.startswith(HEAD) or (name.startswith("bn0.") and config.body not in ("dainet", "res1dnet"))
        ours[name if of_head else f"body.{name}"] = torch.as_tensor(tensor)
    with torch.device("meta"):  # nothing to initialise: every tensor is taken over
        model = Model(config, classes)
    try:
        model.load_state_dict(ours, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"these are not the weights of {variant}: {error}") from error
    return model.eval()
