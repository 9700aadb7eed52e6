"""A tiny ear for tests: 16 octave-like bands as the embedding, four classes by where the energy lies.

It joins auricle the way any outside package does, through the entry-point group ``auricle.systems``, so that worker
processes find it too. With ``FAKE_EAR_SPELLS`` set, words are matched by their letters, without the sentence encoder.
"""

import os
from itertools import pairwise

import numpy as np

from auricle.hub import Card
from auricle.library.words import Words, prepare
from auricle.types import Heard

CARD = Card(name="fake_ear", title="Energy in bands", room="represent", kind="model", ear=True)

EDGES = np.geomspace(50, 8000, 17)


class FakeEar:
    name = "fake_ear@test"
    sample_rate = 16_000
    window = 15_600
    hop = 7_680
    dim = 16
    classes = ("Silence", "Low tone", "Middle tone", "High tone")

    def hear(self, waveform):
        rows = 1 + (len(waveform) - self.window) // self.hop
        frames = np.stack([waveform[i * self.hop : i * self.hop + self.window] for i in range(rows)])
        power = np.abs(np.fft.rfft(frames.astype(np.float64), axis=1)) ** 2
        hertz = np.fft.rfftfreq(self.window, 1 / self.sample_rate)
        bands = np.stack([power[:, (hertz >= a) & (hertz < b)].sum(axis=1) for a, b in pairwise(EDGES)], 1)
        total = bands.sum(axis=1, keepdims=True)
        share = bands / np.maximum(total, 1e-9)
        quiet = (total[:, 0] < 1.0).astype(float)
        loud = 1 - quiet
        scores = np.stack(
            [quiet, *(loud * share[:, part].sum(axis=1) for part in (slice(0, 6), slice(6, 11), slice(11, 16)))], 1
        )
        return Heard(np.sqrt(share).astype(np.float32), np.clip(scores, 0, 1).astype(np.float32))


def load(tag="", path=None):
    if os.environ.get("FAKE_EAR_SPELLS"):
        Words.for_classes = spelled
    return FakeEar()


def spelled(classes):
    return Words([1] * len(classes), **prepare([[name] for name in classes], letters), embed=letters)


def letters(texts):
    counts = np.array([[text.lower().count(chr(c)) for c in range(97, 123)] for text in texts], np.float32)
    return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1)
