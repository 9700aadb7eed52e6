"""Notes to try encoders of music on: eight made-up instruments, 31 pitches, struck again at one of four rates.

What an instrument is lies in its spectrum and attack, what a pitch is in its harmonics, what a rate is in time; so a
probe for each tells what an encoder keeps. Level, tuning, vibrato, noise and the first stroke differ from note to note.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from auricle.represent._mini import in_parts

RATE = 8_000  # Hz
PITCHES = np.arange(45, 76)  # MIDI numbers, 110 to 622 Hz
PULSES = (2.0, 3.0, 4.5, 6.75)  # strokes a second
FAMILIES = (  # decay of the harmonics, level of the even ones, attack in seconds, formant in Hz
    (0.6, 1.0, 0.005, 800.0),
    (1.2, 1.0, 0.005, 1600.0),
    (1.8, 1.0, 0.040, 800.0),
    (0.6, 0.1, 0.005, 1600.0),
    (1.2, 0.1, 0.040, 2400.0),
    (1.8, 0.1, 0.005, 800.0),
    (0.6, 1.0, 0.040, 2400.0),
    (1.2, 0.4, 0.080, 1200.0),
)
KINDS = {"family": len(FAMILIES), "pitch": len(PITCHES), "pulse": len(PULSES)}  # what a probe asks for, and classes


@dataclass(frozen=True)
class Notes:
    """Waves [n, samples] in [-1, 1] at ``RATE``, and of each what is asked for: numbers [n] of its classes."""

    waves: NDArray[np.float32]
    labels: dict[str, NDArray[np.int64]]

    def items(self) -> list[dict[str, NDArray[np.float32]]]:
        """The waves without labels, as a data set to pretrain on."""
        return [{"wave": wave} for wave in self.waves]


@cache
def notes(count: int, seed: int, seconds: float = 1.0) -> Notes:
    """``count`` notes of ``seconds``, the same for the same seed."""
    rng = np.random.default_rng(seed)
    labels = {kind: rng.integers(classes, size=count) for kind, classes in KINDS.items()}
    each = zip(labels["family"], labels["pitch"], labels["pulse"], strict=True)
    waves = [_note(rng, family, pitch, pulse, seconds) for family, pitch, pulse in each]
    return Notes(np.stack(waves), labels)


def _note(rng: np.random.Generator, family: int, pitch: int, pulse: int, seconds: float) -> NDArray[np.float32]:
    decay, even, attack, formant = FAMILIES[family]
    time = np.arange(round(seconds * RATE)) / RATE
    frequency = 440 * 2 ** ((PITCHES[pitch] - 69 + rng.uniform(-0.2, 0.2)) / 12)
    vibrato = 0.003 * np.sin(2 * np.pi * rng.uniform(4, 7) * time + rng.uniform(0, 6))
    phase = 2 * np.pi * frequency * np.cumsum(1 + vibrato) / RATE
    harmonics = np.arange(1, int(0.45 * RATE / frequency) + 1)
    levels = harmonics**-decay * np.where(harmonics % 2, 1.0, even)
    levels *= 0.3 + np.exp(-(((harmonics * frequency - formant) / 500) ** 2))
    sound = levels @ np.sin(np.outer(harmonics, phase) + rng.uniform(0, 2 * np.pi, (len(harmonics), 1)))
    since = (time + rng.uniform(0, 1)) % (1 / PULSES[pulse])  # seconds since the last stroke
    sound *= np.minimum(since / attack, 1) * np.exp(-6 * since)
    sound *= rng.uniform(0.2, 0.8) / np.abs(sound).max()
    return (sound + 0.01 * rng.standard_normal(len(time))).astype(np.float32)


def probed(embed: Any, count: int, kinds: Sequence[str] = tuple(KINDS), seconds: float = 1.0) -> dict[str, float]:
    """Accuracy, for each of ``kinds``, of a linear classifier on what ``embed`` makes of waves [batch, samples].

    It is trained on ``count`` notes and tested on as many others, the same in every call.
    """
    known, asked = (notes(count, seed, seconds) for seed in (1001, 1002))
    features, others = (in_parts(embed, each.waves) for each in (known, asked))
    accuracies = {}
    for kind in kinds:
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, tol=1e-3, max_iter=1000))
        probe.fit(features, known.labels[kind])
        accuracies[kind] = float(np.mean(probe.predict(others) == asked.labels[kind]))
    return accuracies
