"""The claim in miniature: composed songs that were never trained on, to be named from 5 s of them."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import soxr
import torch
from numpy.typing import NDArray

from auricle.identify._works import compose, perform
from auricle.identify.moco_fingerprint.front_end import FFT, HOP, RATE, STEP
from auricle.identify.moco_fingerprint.landmarks import Table, hashes
from auricle.identify.moco_fingerprint.model import PAPER, Config, MoCo, Model
from auricle.identify.moco_fingerprint.views import Pairs, Views, packed
from auricle.train import Experiment, Recipe, fit
from auricle.types import Waveform

SONGS = {"paper": (80, 120), "mini": (80, 120), "smoke": (3, 4)}  # to train on, to be told apart
SECONDS, CLIP = 20.0, 5.0
SMALL = Config(channels=(16, 16, 32, 32, 64, 64, 128, 128), queue=2048, momentum=0.99)
CONFIGS = {"paper": PAPER, "mini": SMALL, "smoke": replace(SMALL, queue=64)}
ONE_SPEED = Views()
VIEWS = {"moco": replace(ONE_SPEED, speed=0.2, tempo=0.1, pitch=2.5), "same_speed": ONE_SPEED}

Naming = Callable[[Waveform], tuple[int, float]]  # a clip -> ordinal of the song, and seconds into it


@cache
def songs(seed: int, preset: str) -> tuple[list[Waveform], list[Waveform]]:
    """Songs to train on, and others to be told apart, at 8 kHz."""
    train, test = SONGS[preset]
    made = [perform(compose(1000 * seed + i), 1000 * seed + i, RATE, SECONDS) for i in range(train + test)]
    return made[:train], made[train:]


def replicate(recipe: Recipe, arm: str, preset: str) -> dict[str, float]:
    """One arm with the seed of ``recipe``; see the package."""
    train, test = songs(recipe.seed, preset)
    if arm == "landmarks":
        table = Table([hashes(song, RATE) for song in test])
        return measured(lambda clip: table.find(hashes(clip, RATE)), test, recipe.seed)
    torch.manual_seed(recipe.seed)
    task = MoCo(Model(CONFIGS[preset]), VIEWS[arm])
    fit(task, pairs(train, task.views, recipe), recipe, progress=False)
    return measured(by_prints(task.model, test), test, recipe.seed)


def experiment(recipe: Recipe, preset: str) -> Experiment:
    """Training with all views; validated on songs that are not trained on."""
    train, test = songs(recipe.seed, preset)
    torch.manual_seed(recipe.seed)
    task = MoCo(Model(CONFIGS[preset]), VIEWS["moco"])
    valid, held = test[: len(test) // 2], test[len(test) // 2 :]
    return Experiment(
        task,
        pairs(train, task.views, recipe),
        recipe,
        lambda task: measured(by_prints(task.model, valid), valid, recipe.seed),
        lambda task: measured(by_prints(task.model, held), held, recipe.seed),
        monitor="speed",
    )


def pairs(train: list[Waveform], views: Views, recipe: Recipe) -> Pairs:
    """Pairs of views of some songs, with steady noise to mix in."""
    rng = np.random.default_rng(recipe.seed)
    noises = [packed(noise(round(10 * RATE), rng)) for _ in range(4)]
    return Pairs([[packed(song)] for song in train], noises, views, recipe.batch * recipe.steps, recipe.seed)


# --- queries ----------------------------------------------------------------------------------------------------------


def measured(name: Naming, test: list[Waveform], seed: int) -> dict[str, float]:
    """How often clips are named, one of each song in each condition; ``seconds``, see the package."""
    found, errors = {}, []
    for condition, distort in CONDITIONS.items():
        rng = np.random.default_rng(seed)
        right = 0
        for number, song in enumerate(test):
            start = rng.uniform(1.0, SECONDS - 1.25 * CLIP - 1.0)
            clip = distort(song[round(start * RATE) :], rng)[: round(CLIP * RATE)]
            named, at = name(clip.astype(np.float32))
            right += named == number
            if condition == "clean" and named == number:
                errors.append(abs(at - start))
        found[condition] = right / len(test)
    return found | {"seconds": float(np.median(errors or [SECONDS]))}


def noise(samples: int, rng: np.random.Generator) -> Waveform:
    """Pink noise [samples] of deviation 0.1."""
    spectrum = np.fft.rfft(rng.standard_normal(samples)) / np.sqrt(np.maximum(np.arange(samples // 2 + 1), 20))
    pink = np.fft.irfft(spectrum, samples)
    return (0.1 * pink / pink.std()).astype(np.float32)


def noisy(sound: Waveform, rng: np.random.Generator) -> Waveform:
    level = 10 * np.std(sound) * 10 ** (-rng.uniform(0, 10) / 20)
    return (sound + level * noise(len(sound), rng)).astype(np.float32)


def sped(sound: Waveform, rng: np.random.Generator) -> Waveform:
    """Played 0.85 to 1.15 times as fast, at least 5 % off."""
    change = rng.uniform(0.05, 0.15) * rng.choice([-1, 1])
    return soxr.resample(sound, RATE * (1 + change), RATE)


def pitched(sound: Waveform, rng: np.random.Generator) -> Waveform:
    """One or two semitones higher or lower."""
    factor = 2 ** (rng.choice([-2, -1, 1, 2]) / 12)
    return soxr.resample(stretched(sound, factor), RATE * factor, RATE)


def stretched(sound: Waveform, factor: float) -> Waveform:
    """``factor`` times as long at the same pitch, by a phase vocoder."""
    hop = FFT // 4
    window = np.hanning(FFT + 1)[:-1]
    places = np.arange(0, len(sound) - FFT - hop, hop / factor).astype(int)
    now, later = (
        np.fft.rfft(np.stack([sound[p + ahead : p + ahead + FFT] for p in places]) * window) for ahead in (0, hop)
    )
    phase = np.angle(now[0]) + np.cumsum(np.angle(later * now.conj()), axis=0)
    frames = np.fft.irfft(np.abs(now) * np.exp(1j * phase)) * window
    out = np.zeros(hop * len(frames) + FFT)
    for i, frame in enumerate(frames):
        out[i * hop : i * hop + FFT] += frame
    return (out / 1.5).astype(np.float32)


CONDITIONS: dict[str, Callable[[Waveform, np.random.Generator], Waveform]] = {
    "clean": lambda sound, rng: sound,
    "noise": noisy,
    "speed": sped,
    "pitch": pitched,
}


@torch.no_grad()
def by_prints(model: Model, test: list[Waveform]) -> Naming:
    """Names a clip by the mean likeness of its prints to those of a stretch of each song."""
    model.eval()
    hop = STEP * HOP
    stored = np.stack([model(torch.from_numpy(song)[None])["prints"][0].numpy() for song in test])

    def name(clip: Waveform) -> tuple[int, float]:
        best = (-1.0, -1, 0.0)
        for phase in (0, hop // 2):
            with torch.no_grad():
                prints = model(torch.from_numpy(clip[phase:])[None])["prints"][0].numpy()
            likeness = diagonals(stored @ prints.T)
            song, at = np.unravel_index(np.argmax(likeness), likeness.shape)
            best = max(best, (float(likeness[song, at]), int(song), (int(at) * hop - phase) / RATE))
        return best[1], best[2]

    return name


def diagonals(likeness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of the whole diagonals of [songs, stored, n], by where they begin [songs, stored - n + 1]."""
    _, stored, n = likeness.shape
    return np.mean([likeness[:, i : stored - n + 1 + i, i] for i in range(n)], axis=0)
