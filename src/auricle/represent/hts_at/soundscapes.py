"""Training HTS-AT, and its claim in miniature: labels of clips are enough to locate events.

Soundscapes of 4 s: one to three of six kinds of sound, here and there in pink noise, labelled with what occurs and not
when. What is compared is how well 0.1 s segments are then labelled, and clips. Arms: ``semantic``, the token-semantic
module; ``pooled``, the same network with a linear layer on its mean token, whose score stands for every segment; and
``cnn``, a convolutional network of about the same size that scores segments and takes their maximum (PANNs'
DecisionLevelMax). The threshold is the best of 100 clips whose events are known; nothing else is told of time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from auricle.hub.registry import module_of
from auricle.metrics.classification import f1, mean_average_precision
from auricle.represent.hts_at.model import Config, Model
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Metrics
from auricle.train.task import Task as BaseTask


class Task(BaseTask):
    """Binary cross-entropy of the clip's scores on ``{"wave": [n, samples], "target": [n, classes] of 0 and 1}``.

    With class numbers as targets [n] it is the cross-entropy of the logits, as for ESC-50. ``mixup``: spectrograms are
    mixed with those of the other end of the batch, shares drawn from Beta(0.5, 0.5), and labels are not.
    """

    def __init__(self, model: Any, mixup: bool = False):
        super().__init__()
        self.model, self.mixup = model, mixup

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        wave, target = batch["wave"], batch["target"]
        mix = torch.distributions.Beta(0.5, 0.5).sample((len(wave),)).to(wave) if self.mixup else None
        heard = self.model(wave, mix)
        if target.dim() == 1:
            return {"loss": functional.cross_entropy(heard["logits"], target)}
        if "logits" in heard:
            return {"loss": functional.binary_cross_entropy_with_logits(heard["logits"], target)}
        return {"loss": functional.binary_cross_entropy(heard["scores"], target)}


ARMS = ("semantic", "pooled", "cnn")
SEEDS = 3
ADAMW = Optim(name="adamw", lr=1e-3, weight_decay=0.05)
EPOCH = 16_000  # steps: two million clips
PRESETS = {
    "paper": Recipe(
        steps=100 * EPOCH,
        batch=128,
        clip=1.0,
        optim=replace(ADAMW, lr=1e-4),
        schedule=Schedule("cosine", warmup=3 * EPOCH, floor=0.3),
    ),
    "mini": Recipe(steps=240, batch=32, clip=1.0, optim=ADAMW, schedule=Schedule("cosine", warmup=30)),
    "smoke": Recipe(steps=2, batch=4, clip=1.0, optim=ADAMW, schedule=Schedule("cosine")),
}
CLIPS = {"paper": (1500, 100, 300), "mini": (1500, 100, 300), "smoke": (8, 12, 12)}  # to train, to validate, to test

MINI = Config(
    width=24,
    depths=(2, 2, 2),
    heads=(2, 4, 8),
    size=128,
    bands=32,
    seconds=4.0,
    sample_rate=16_000,
    fft=512,
    hop=128,  # 501 frames, stretched to 512
    high=8000.0,
    spec_augment=False,  # two stripes of up to 0.5 s and of 8 bands are too much of 4 s and 32
)
SEGMENT = 0.1  # seconds
KINDS = ("chirp", "clicks", "harmonics", "hiss", "vibrato", "tremolo")


def synthesise(kind: str, samples: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """A sound of one kind [samples] at 16 kHz, of standard deviation 1, fading in and out over 20 ms."""
    time = np.arange(samples) / MINI.sample_rate
    pitch, speed = 400 * 2 ** rng.uniform(0, 2.5), rng.uniform(5, 10)
    phase = 2 * np.pi * pitch * time
    match kind:
        case "chirp":
            sound = np.sin(2 * np.pi * np.cumsum(pitch * 4 ** (time * rng.uniform(1, 2) % 1)) / MINI.sample_rate)
        case "clicks":
            sound = np.sin(5 * phase) * np.exp(-80 * (time % (1 / speed)))
        case "harmonics":
            sound = sum(np.sin(k * phase / 2) / k for k in range(1, 7))
        case "hiss":
            spectrum = np.fft.rfft(rng.standard_normal(samples))
            octaves = np.log2(np.maximum(np.fft.rfftfreq(samples, 1 / MINI.sample_rate), 1) / (2 * pitch))
            sound = np.fft.irfft(spectrum * np.exp(-((octaves / 0.5) ** 2)), samples)
        case "vibrato":
            sound = np.sin(phase + pitch / speed * 0.2 * np.sin(2 * np.pi * speed * time))
        case _:  # tremolo
            sound = np.sin(phase) * (1 + np.sin(2 * np.pi * speed * time))
    fade = np.minimum(1, np.minimum(time, time[::-1]) / 0.02)
    return sound * fade / (np.std(sound) + 1e-9)


def soundscape(rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """``wave`` [samples], ``target`` [kinds] and, for the judges only, ``activity`` [segments, kinds] of 0 and 1."""
    samples, segments = round(MINI.seconds * MINI.sample_rate), round(MINI.seconds / SEGMENT)
    bins = np.arange(1, samples // 2 + 2)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(samples)) / np.sqrt(bins), samples)
    wave, activity = noise / noise.std(), np.zeros((segments, len(KINDS)), np.float32)
    middles = (np.arange(segments) + 0.5) * SEGMENT
    for kind in rng.integers(len(KINDS), size=rng.integers(1, 4)):
        length = rng.uniform(0.3, 1.5)
        start = rng.uniform(0, MINI.seconds - length)
        first, count = (round(value * MINI.sample_rate) for value in (start, length))
        wave[first : first + count] += 10 ** (rng.uniform(0, 10) / 20) * synthesise(KINDS[kind], count, rng)
        activity[(start <= middles) & (middles < start + length), kind] = 1
    wave = (0.5 * wave / np.abs(wave).max()).astype(np.float32)
    return {"wave": wave, "target": activity.max(axis=0), "activity": activity}


@cache
def soundscapes(count: int, seed: int) -> list[dict[str, NDArray[np.float32]]]:
    """``count`` soundscapes."""
    rng = np.random.default_rng(seed)
    return [soundscape(rng) for _ in range(count)]


def network(arm: str) -> Any:
    """What ``arm`` trains: 0.3 million parameters, a waveform to ``scores`` and ``frames``."""
    if arm != "cnn":
        return Model(replace(MINI, semantic=arm == "semantic"), KINDS)
    panns = module_of("panns")
    front_end = {name: getattr(MINI, name) for name in ("sample_rate", "fft", "hop", "bands", "low", "high")}
    plain = {"body_dropout": 0.0, "feature_dropout": 0.0, "embedding_dropout": 0.0, "spec_augment": False}
    channels = (8, 16, 32, 48, 80, 96)
    return panns.Model(panns.Config(channels=channels, embedding=96, pooling="max", **front_end, **plain), KINDS)


@torch.no_grad()
def judged(model: Any, clips: Sequence[Mapping[str, NDArray]]) -> tuple[NDArray, NDArray]:
    """Scores of ``clips`` [clips, kinds] and of their segments [clips, segments, kinds]."""
    model.eval()
    heard = [model(part) for part in torch.from_numpy(np.stack([clip["wave"] for clip in clips])).split(50)]
    frames = np.concatenate([part["frames"].numpy() for part in heard])
    segments = clips[0]["activity"].shape[0]
    middles = ((np.arange(segments) + 0.5) / segments * frames.shape[1]).astype(int)
    return np.concatenate([part["scores"].numpy() for part in heard]), frames[:, middles]


def evaluate(model: Any, valid: Sequence[Mapping[str, NDArray]], test: Sequence[Mapping[str, NDArray]]) -> Metrics:
    """On ``test``: mAP of clips, and macro F1 of segments at the threshold that is best on ``valid``."""

    def segments_f1(scores: NDArray, clips: Sequence[Mapping[str, NDArray]], threshold: float) -> float:
        truth = np.concatenate([clip["activity"] for clip in clips])
        return float(np.nanmean(f1(scores.reshape(truth.shape), truth, threshold)))

    _, tuning = judged(model, valid)
    best = max(np.arange(0.05, 1.0, 0.05), key=lambda threshold: segments_f1(tuning, valid, threshold))
    scores, frames = judged(model, test)
    truth = np.stack([clip["target"] for clip in test])
    return {"map": mean_average_precision(scores, truth), "f1": segments_f1(frames, test, best)}


def multiply_adds(config: Config) -> int:
    """Multiplications of the stages for one clip: linear layers and attention, without norms, patches and head."""
    total, width, tokens = 0, config.width, (config.size // config.patch) ** 2
    for stage, depth in enumerate(config.depths):
        seen = min(config.window**2, tokens)  # by one token
        total += depth * tokens * (12 * width**2 + 2 * seen * width)
        if stage + 1 < len(config.depths):
            total, width, tokens = total + 2 * tokens * width**2, 2 * width, tokens // 4
    return total


def flat_multiply_adds(config: Config) -> int:
    """The same of a plain transformer of as many blocks and weights, in which every token attends to all."""
    weights = sum(depth * 12 * (config.width << stage) ** 2 for stage, depth in enumerate(config.depths))
    tokens, blocks = (config.size // config.patch) ** 2, sum(config.depths)
    width = (weights / (12 * blocks)) ** 0.5
    return round(blocks * tokens * (12 * width**2 + 2 * tokens * width))


def experiment(preset: str = "mini") -> Experiment:
    """The token-semantic network on soundscapes, as ``auricle train hts_at`` trains it."""
    train, valid, test = (soundscapes(count, part) for part, count in enumerate(CLIPS[preset]))
    return Experiment(
        Task(network("semantic"), mixup=preset == "paper"),
        train,
        PRESETS[preset],
        lambda task: evaluate(task.model, valid, valid),
        lambda task: evaluate(task.model, valid, test),
        monitor="f1",
        data=data(),
    )


def replicate(seed: int, arm: str, preset: str = "mini") -> Metrics:
    """Trains one arm on the clips' labels; mAP of clips and F1 of segments on others."""
    train, valid, test = (soundscapes(count, 1000 * seed + part) for part, count in enumerate(CLIPS[preset]))
    torch.manual_seed(seed)
    task = Task(network(arm))
    fit(task, train, replace(PRESETS[preset], seed=seed), progress=False)
    return evaluate(task.model, valid, test)


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    mean = {arm: {name: values[arm][name].mean() for name in ("map", "f1")} for arm in ARMS}
    return {
        "labels of clips teach the token-semantic module 0.15 more F1 of segments than the clip's score has": bool(
            mean["semantic"]["f1"] >= mean["pooled"]["f1"] + 0.15
        ),
        "it tags clips within 0.03 mAP of the linear layer on the mean token, or better": bool(
            mean["semantic"]["map"] >= mean["pooled"]["map"] - 0.03
        ),
        "it locates better than a convolutional network of its size that takes the maximum of segments": bool(
            mean["semantic"]["f1"] > mean["cnn"]["f1"]
        ),
        "the published hierarchy takes less than a third of a flat transformer's multiplications": bool(
            3 * multiply_adds(Config()) < flat_multiply_adds(Config())
        ),
    }


def data() -> str:
    """What the sounds are; they are made from the seed."""
    return "synthetic: soundscapes of 6 kinds of sound in pink noise"
