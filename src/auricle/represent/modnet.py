"""ModNet and SincModNet: learned filters that part sound into bands, and each band's loudness by how fast it changes.

Vahidi, Saitis, Fazekas, "A Modulation Front-End for Music Audio Tagging", IJCNN 2021, arXiv 2105.11836. Rhythm,
tremolo and roughness are in how envelopes move; so after a learned filter bank comes a second one, along time, on every
band's envelope. ModNet learns all taps of its filters, SincModNet only where each band starts and ends, in Hz.

    waveform [batch, samples] at 16 kHz
      | 96 filters of 251 taps; magnitude; smoothed and subsampled to 200 Hz by a Hann window; logarithm
    envelopes [batch, 96, n], each without its mean
      | 16 filters of 101 taps, the same on every band, from 0.5 to 80 Hz; magnitude
    modulations [batch, 96, 16, n]
      | batch norm, four blocks of 3 x 3 convolution, batch norm, ReLU, halving; mean and maximum; 200 units
    embedding [batch, 200]
      | dropout, linear, sigmoid
    scores [batch, 50]

Of the paper only the abstract's parts are known and no code was published: counts, lengths and the layers behind the
front-end are this reconstruction's. Kept to 1e-4: the sinc filters, of the SincNet authors' layer in PASE
(``auricle.nn.sinc``). ``passbands`` says what each learned filter lets through, in Hz.

Good to know: a kernel of half a second at 200 Hz cannot tell rates below 2 Hz apart. The mean of an envelope must go
first, and magnitudes come before any averaging: the mean over time of what a band lets through is nothing. Published
protocols tag 29 s clips by the mean of 16 windows (``tag_clip``), MagnaTagATune's 50 tags by macro ROC-AUC and PR-AUC.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.features.mel import periodic_hann
from auricle.hub import Card
from auricle.metrics.classification import roc_auc
from auricle.nn.sinc import SincConv, same
from auricle.represent._mini import in_parts
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Task as BaseTask

CARD = Card(
    name="modnet",
    title="A Modulation Front-End for Music Audio Tagging",
    room="represent",
    kind="model",
    authors=("Cyrus Vahidi", "Charalampos Saitis", "György Fazekas"),
    year=2021,
    arxiv="2105.11836",
    task="music tagging",
    summary="Learns which bands of sound to hear and which rates of change in each, and tags music by both.",
    claim="promising against the state of the art on MagnaTagATune, with learned filters that can be read in Hz",
    code_licence="none published",
    data_licence="MagnaTagATune: CC-BY-NC-SA-3.0",
    extras=("train",),
)


@dataclass(frozen=True)
class Config:
    """Architecture."""

    kernels: Literal["sinc", "free"] = "sinc"  # SincModNet or ModNet
    sample_rate: int = 16_000
    filters: int = 96
    length: int = 251  # taps of a filter
    stride: int = 1  # samples between a filter's outputs
    pool: int = 80  # outputs between values of an envelope
    modulations: int = 16  # filters on each envelope; 0 for the envelopes themselves
    modulation_length: int = 101
    modulation_stride: int = 1
    slowest: float = 0.5  # Hz, where the modulation filters start
    fastest: float = 80.0  # and where they end, at most at half the envelopes' rate
    blocks: tuple[int, ...] = (64, 64, 128, 128)  # channels; none for the means over time alone
    hidden: int = 200
    dropout: float = 0.5

    @property
    def rate(self) -> float:
        """Values of an envelope in a second."""
        return self.sample_rate / self.stride / self.pool

    @property
    def least(self) -> int:
        """Samples that fill every filter, and every block once."""
        values = max(self.modulation_length, self.modulation_stride << len(self.blocks))
        return max(self.length, values * self.pool * self.stride)


class FrontEnd(nn.Module):
    """Waveform [batch, samples] to modulations [batch, filters, modulations, n]; envelopes if there are none."""

    smooth: Tensor

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        sinc = config.kernels == "sinc"
        self.filters = (
            SincConv(config.filters, config.length, config.sample_rate, stride=config.stride)
            if sinc
            else Free(config.filters, config.length, config.stride)
        )
        smooth = periodic_hann(2 * config.pool) / config.pool
        self.register_buffer("smooth", torch.from_numpy(smooth.astype(np.float32))[None, None], persistent=False)
        if config.modulations:
            count, stride = config.modulations, config.modulation_stride
            edges = np.geomspace(config.slowest, min(config.fastest, 0.48 * config.rate), count + 1).tolist()
            self.modulations = (
                SincConv(
                    count,
                    config.modulation_length,
                    config.rate,
                    stride=stride,
                    edges=edges,
                    least_low=0.0,
                    least_band=0.25,
                )
                if sinc
                else Free(count, config.modulation_length, stride)
            )

    def envelopes(self, wave: Tensor) -> Tensor:
        """Log envelopes [batch, filters, n] of ``wave`` [batch, samples]; what is too short is filled with silence."""
        config = self.config
        wave = functional.pad(wave, (0, max(0, config.least - wave.shape[-1])))
        x = self.filters(wave[:, None]).abs()
        x = functional.pad(x, (config.pool // 2, 2 * config.pool - config.pool // 2)).flatten(0, 1)[:, None]
        count = wave.shape[-1] // (config.stride * config.pool)
        x = functional.conv1d(x, self.smooth, stride=config.pool)[..., :count]
        return (x + 1e-4).log().unflatten(0, (-1, self.config.filters))[:, :, 0]

    def forward(self, wave: Tensor) -> Tensor:
        x = self.envelopes(wave)
        if not self.config.modulations:
            return x[:, :, None]
        x = (x - x.mean(dim=2, keepdim=True)).flatten(0, 1)[:, None]
        return self.modulations(x).abs().unflatten(0, (-1, self.config.filters))


class Free(nn.Module):
    """Signals [batch, 1, samples] through filters of which every tap is learned, as ``SincConv`` gives them."""

    def __init__(self, filters: int, length: int, stride: int):
        super().__init__()
        self.length, self.stride = length, stride
        self.weight = nn.Parameter(torch.randn(filters, 1, length) / length**0.5)

    def kernels(self) -> Tensor:
        """The filters [filters, 1, length]."""
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv1d(same(x, self.length, self.stride), self.weight, stride=self.stride)


class Model(nn.Module):
    """The front-end and the layers behind it; randomly initialised until a training fills it.

    Sounds are heard whole, as long as they are.

    Args:
        config: the architecture.
        classes: names of the scores' columns; without them the model only embeds.
    """

    window = 59_049 / 16_000  # seconds; what models of MagnaTagATune commonly hear at once

    def __init__(self, config: Config | None = None, classes: Sequence[str] = ()):
        super().__init__()
        self.config = config = config or Config()
        self.classes = tuple(classes)
        self.front_end = FrontEnd(config)
        channels = max(1, config.modulations)
        if config.blocks:
            layers: list[nn.Module] = [nn.BatchNorm2d(channels)]
            for before, after in zip((channels, *config.blocks), config.blocks, strict=False):
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
            self.body = nn.Sequential(*layers)
            values = 2 * config.blocks[-1]
        else:
            values = config.filters * channels
            self.body = nn.BatchNorm1d(values)
        self.project = nn.Sequential(nn.Linear(values, config.hidden), nn.ReLU())
        if self.classes:
            self.classifier = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.hidden, len(self.classes)))

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.config.sample_rate

    @property
    def dim(self) -> int:
        """Length of an embedding."""
        return self.config.hidden

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at ``sample_rate``, in [-1, 1].

        Returns:
            ``modulations`` [batch, filters, modulations, n], every ``modulation_stride / rate`` seconds; ``embedding``
            [batch, hidden]; of a model with classes also ``logits`` and ``scores`` [batch, classes].
        """
        modulations = self.front_end(wave)
        if self.config.blocks:
            x = self.body(modulations.transpose(1, 2)).flatten(2)
            x = torch.cat((x.mean(dim=2), x.amax(dim=2)), dim=1)
        else:
            x = modulations.mean(dim=3).flatten(1)
            x = self.body((x + 1e-4).log() if self.config.modulations else x)
        heard = {"modulations": modulations, "embedding": self.project(x)}
        if self.classes:
            heard["logits"] = self.classifier(heard["embedding"])
            heard["scores"] = heard["logits"].sigmoid()
        return heard

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]; for a model with classes."""
        return self(wave)["scores"]


class Task(BaseTask):
    """Binary cross-entropy of every tag on ``{"wave": [n, samples], "target": [n, classes]}``."""

    def __init__(self, model: Model):
        super().__init__()
        self.model = model

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logits = self.model(batch["wave"])["logits"]
        return {"loss": functional.binary_cross_entropy_with_logits(logits, batch["target"])}


def tag_clip(model: Model, wave: Tensor, windows: int = 16) -> Tensor:
    """Scores [classes] of a clip ``wave`` [samples]: the mean over windows of the model's length, evenly spread."""
    length = round(model.window * model.sample_rate)
    hop = max(0, len(wave) - length) // windows
    wave = functional.pad(wave, (0, max(0, length - len(wave))))
    return model.tag(torch.stack([wave[k * hop : k * hop + length] for k in range(windows)])).mean(dim=0)


@torch.no_grad()
def passbands(kernels: Tensor, rate: float) -> Tensor:
    """What filters [n, 1, taps] let through, at ``rate`` samples a second [n, 3]: lower edge, peak, upper edge in Hz.

    The edges are where the response around its peak has fallen by 6 dB.
    """
    response = torch.fft.rfft(kernels[:, 0], 4096).abs()
    hertz = torch.linspace(0, rate / 2, response.shape[1])
    found = []
    for each in response:
        peak = int(each.argmax())
        below = (each < each[peak] / 2).nonzero()[:, 0]
        low = int(below[below < peak].max()) if bool((below < peak).any()) else 0
        high = int(below[below > peak].min()) if bool((below > peak).any()) else len(each) - 1
        found.append(hertz[[low, peak, high]])
    return torch.stack(found)


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a model saved by ``auricle.hub.pretrained.save_pretrained``.

    Args:
        tag: nothing, no weights were published.
        path: the folder.

    Raises:
        WeightsError: there is none, or it holds another model.
    """
    from auricle.hub.pretrained import saved

    return saved(Model, "ModNet", tag, path)


# --- the claim in miniature -------------------------------------------------------------------------------------------
#
# One or two tones whose loudness swings, in noise: which of three ranges they are in, and at which of four rates they
# swing. Arms: ``none``, no modulation filters; ``free``, ModNet; ``sinc``, SincModNet; and that one with envelopes of
# fewer values a second, ``sinc_25`` and ``sinc_6`` instead of 100.

RANGES = ((200.0, 500.0), (500.0, 1200.0), (1200.0, 3000.0))  # Hz
RATES = (3.0, 6.0, 12.0, 24.0)  # Hz
TAGS = ("low", "middle", "high", *(f"{rate:g} Hz" for rate in RATES))
ARMS = ("none", "free", "sinc", "sinc_25", "sinc_6")
SEEDS = 3
SWINGS = {"paper": 1200, "mini": 1200, "smoke": 64}  # clips to train on, and a third as many to test on
MINI = Config(
    sample_rate=8000,
    filters=24,
    length=65,
    stride=2,
    pool=40,
    modulations=8,
    modulation_length=81,
    fastest=50.0,
    blocks=(),
    hidden=64,
    dropout=0.0,
)
CONFIGS = {
    "none": replace(MINI, modulations=0),
    "free": replace(MINI, kernels="free"),
    "sinc": MINI,
    "sinc_25": replace(MINI, pool=160, modulation_length=21),
    "sinc_6": replace(MINI, pool=640, modulation_length=5),
}

PRESETS = {
    # MagnaTagATune, 200 epochs of 15,000 clips; the protocol then goes on from the best with SGD at 1e-3 and below
    "paper": Recipe(steps=190_000, batch=16, optim=Optim(name="adam", lr=1e-4, weight_decay=1e-4)),
    "mini": Recipe(steps=300, batch=32, optim=Optim(name="adam", lr=2e-3), schedule=Schedule("cosine", warmup=30)),
    "smoke": Recipe(steps=2, batch=8, optim=Optim(name="adam", lr=2e-3)),
}


def swings(count: int, seed: int, seconds: float = 1.5) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Clips [count, samples] at 8 kHz and their tags [count, 7], the same for the same seed."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * MINI.sample_rate)) / MINI.sample_rate
    waves = 0.05 * rng.standard_normal((count, len(time)))
    tags = np.zeros((count, len(TAGS)), np.float32)
    for wave, tag in zip(waves, tags, strict=True):
        for _ in range(rng.integers(1, 3)):
            where, rate = rng.integers(len(RANGES)), rng.integers(len(RATES))
            tone = np.sin(2 * np.pi * rng.uniform(*RANGES[where]) * time + rng.uniform(0, 2 * np.pi))
            swing = np.sin(2 * np.pi * RATES[rate] * rng.uniform(0.9, 1.1) * time + rng.uniform(0, 2 * np.pi))
            wave += rng.uniform(0.1, 0.3) * tone * (1 + 0.9 * swing)
            tag[where] = tag[len(RANGES) + rate] = 1.0
    return waves.astype(np.float32), tags


def mini_model(arm: str, seed: int) -> Model:
    """The small model of an arm."""
    torch.manual_seed(seed)
    return Model(CONFIGS[arm], TAGS)


def items(seed: int, preset: str) -> list[dict[str, Any]]:
    """Clips to train on."""
    waves, tags = swings(SWINGS[preset], seed)
    return [{"wave": wave, "target": tag} for wave, tag in zip(waves, tags, strict=True)]


def experiment(preset: str = "mini") -> Experiment:
    """SincModNet on the swinging tones, as ``auricle train modnet`` does it."""
    recipe = PRESETS[preset]
    return Experiment(
        Task(mini_model("sinc", recipe.seed)),
        items(recipe.seed, preset),
        recipe,
        lambda task: measured(task.model, SWINGS[preset] // 3, 2001),
        lambda task: measured(task.model, SWINGS[preset] // 3, 2002),
        monitor="tags",
        data=data(),
    )


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Trains an arm: macro ROC-AUC of all tags, of the rates and of each, and how many rates have a filter."""
    model = mini_model(arm, seed)
    fit(Task(model), items(seed, preset), replace(PRESETS[preset], seed=seed), progress=False)
    return measured(model, SWINGS[preset] // 3, 2002)


def measured(model: Model, count: int, seed: int) -> dict[str, float]:
    """ROC-AUC on ``count`` new clips, and ``filters``: how many of the rates lie in some modulation filter's band."""
    waves, tags = swings(count, seed)
    each = roc_auc(in_parts(model.eval().tag, waves), tags)
    rates = each[len(RANGES) :]
    found = {"tags": float(each.mean()), "rates": float(rates.mean())}
    found |= {f"rate_{rate:g}": float(value) for rate, value in zip(RATES, rates, strict=True)}
    found["filters"] = 0.0
    if model.config.modulations:
        low, _, high = passbands(model.front_end.modulations.kernels(), model.config.rate).numpy().T
        found["filters"] = float(sum(bool(np.any((low <= rate) & (rate <= high))) for rate in RATES))
    return found


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    rates = {arm: values[arm]["rates"].mean() for arm in ARMS}
    lost = {
        arm: {rate: (values["sinc"][f"rate_{rate:g}"] - values[arm][f"rate_{rate:g}"]).mean() for rate in RATES}
        for arm in ("sinc_25", "sinc_6")
    }
    return {
        "modulation filters, free or sinc, raise the ROC-AUC of the rates by 0.2 over none, in the mean": bool(
            min(rates["free"], rates["sinc"]) - rates["none"] >= 0.2
        ),
        "at least 3 of the 4 rates lie inside the band of some learned filter of SincModNet, with every seed": bool(
            np.all(values["sinc"]["filters"] >= 3)
        ),
        "envelopes at 25 Hz cost the tag of 24 Hz a ROC-AUC of 0.1, and that of 3 Hz less than 0.05": bool(
            lost["sinc_25"][24.0] >= 0.1 and lost["sinc_25"][3.0] < 0.05
        ),
        "envelopes at 6.25 Hz cost the tag of 12 Hz a ROC-AUC of 0.1 as well": bool(lost["sinc_6"][12.0] >= 0.1),
    }


def data() -> str:
    """What the tones are made by."""
    return "swings-1"
