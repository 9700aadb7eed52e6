"""Voices: how alike two are, which windows of a recording are of one, and which voices of many are one speaker's.

Windows of one voice are not equally alike everywhere: on a telephone all voices come near each other, an actor's leave
each other. So the mean cosine between the windows of two voices is divided by what it is within each of them:

    likeness = mean cosine across / sqrt(mean cosine within one * mean cosine within the other)

which is about 1 for one voice, however long both were heard, and falls for two.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Calibrated for GE2E by benchmarks/speakers.py, on voices that the errors in docs/speakers.md are not measured on.
WITHIN = 0.65  # mean cosine between windows of one voice, before any is heard
BAR, SLOPE = 0.86, 21.0  # likeness at which about as many are missed as falsely accepted; log-odds a unit
LEAST = 5  # windows (4.8 s) of a voice of its own; fewer are a change of speakers, or a cough
BLOCK = 1_500  # windows of a recording compared with each other: 20 minutes
MANY = 4_000  # voices compared with each other

Vectors = NDArray[np.float32]


class Voice(NamedTuple):
    """What is known of a voice."""

    mean: Vectors  # [dim], of unit vectors; shorter, the less alike they are
    windows: int

    @classmethod
    def of(cls, vectors: Vectors) -> "Voice":
        """The voice of unit vectors [windows, dim]."""
        return cls(vectors.mean(axis=0), len(vectors))

    @classmethod
    def joined(cls, voices: "Sequence[Voice]") -> "Voice":
        """One voice of several."""
        windows = [voice.windows for voice in voices]
        return cls(np.average([voice.mean for voice in voices], axis=0, weights=windows), sum(windows))

    @property
    def within(self) -> float:
        """Mean cosine between two different windows; what is expected of it counts as one more window."""
        to_others = self.windows * float(self.mean @ self.mean) - 1  # a window's sum of cosines
        return max((to_others + WITHIN) / self.windows, 0.1)


def likeness(some: Sequence[Voice], others: Sequence[Voice]) -> NDArray[np.float64]:
    """How alike voices are [some, others]: about 1 if they are the same, possibly above."""

    def scaled(voices: Sequence[Voice]) -> NDArray[np.float64]:
        return np.stack([voice.mean / voice.within**0.5 for voice in voices]).astype(np.float64)

    return scaled(some) @ scaled(others).T


def score_of(likeness: ArrayLike) -> NDArray[np.float64]:
    """Likeness as a score in [0, 1], one half at ``BAR``; any shape."""
    return 1 / (1 + np.exp(-SLOPE * (np.asarray(likeness, np.float64) - BAR)))


def bar_of(score: float) -> float:
    """The likeness of a score, which is taken to lie within [0.001, 0.999]."""
    share = min(max(score, 0.001), 0.999)
    return BAR + float(np.log(share / (1 - share))) / SLOPE


def tell_apart(vectors: Vectors, bar: float = BAR) -> NDArray[np.int64]:
    """Which voice each window of one recording is of [windows], numbered as they come up.

    Args:
        vectors: unit vectors [windows, dim] in the order of time.
        bar: likeness from which two are one voice.
    """
    labels = np.zeros(len(vectors), np.int64)
    for first in range(0, len(vectors), BLOCK):
        block = vectors[first : first + BLOCK]
        cosines = block @ block.T
        apart = np.diagonal(cosines, 2)  # windows that do not overlap, and as a rule are of one voice
        within = (apart.sum() + WITHIN) / (len(apart) + 1)
        labels[first : first + BLOCK] = (labels.max() + 1 if first else 0) + _linked(cosines / within, bar)
    labels = _settled(vectors, labels)
    _, first, labels = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[labels]


def _settled(vectors: Vectors, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gives windows of voices too short to be some to the most alike of the others; without any, all are of one."""
    counts = np.bincount(labels)
    large, strays = np.flatnonzero(counts >= LEAST), counts[labels] < LEAST
    if not len(large):
        return np.zeros_like(labels)
    means = np.stack([vectors[labels == label].mean(axis=0) for label in large])
    return np.where(strays, large[np.argmax(vectors @ means.T, axis=1)], labels)


def cluster(voices: Sequence[Voice], bar: float = BAR) -> NDArray[np.int64]:
    """Which speaker each voice is of [voices], by average linkage; more than ``MANY`` are joined in parts first."""
    if len(voices) <= MANY:
        return _linked(likeness(voices, voices), bar)
    labels = np.zeros(len(voices), np.int64)
    for first in range(0, len(voices), MANY):
        part = cluster(voices[first : first + MANY], bar)
        labels[first : first + MANY] = part + (labels.max() + 1 if first else 0)
    speakers = joined(voices, labels)
    if len(speakers) > 0.9 * len(voices):  # hardly anybody speaks twice: no sense in looking on
        return labels
    return cluster(speakers, bar)[labels]


def joined(voices: Sequence[Voice], labels: NDArray[np.int64]) -> list[Voice]:
    """The voice of each speaker [labels.max() + 1]."""
    order = np.argsort(labels, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    return [Voice.joined([voices[i] for i in part]) for part in parts]


def _linked(likeness: NDArray[np.floating], bar: float) -> NDArray[np.int64]:
    """Average linkage of ``likeness`` [n, n] while it is at least ``bar``; labels [n] without gaps."""
    if len(likeness) == 1:
        return np.zeros(1, np.int64)
    from scipy.cluster.hierarchy import fcluster, linkage

    furthest = max(2.0, float(likeness.max()))  # distances are not negative
    tree = linkage(furthest - likeness[np.triu_indices(len(likeness), 1)], "average")
    return fcluster(tree, furthest - bar, "distance").astype(np.int64) - 1
