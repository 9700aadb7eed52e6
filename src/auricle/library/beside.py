"""A clip and a recording heard side by side: does the clip lie where its prints say that it may?

Prints are small, so that those of a whole library fit into memory, and among a million some are alike by chance. The
sound itself is seldom mistaken. It is compared as levels in bands against those around (see ``PrintEar.levels``): then
equalisers, telephones and loudspeakers make no difference, and noise makes little. As prints tell place, tempo and
pitch only roughly, that correlation counts which is highest over changes of them.
"""

from collections.abc import Sequence
from functools import cache, partial
from itertools import product
from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from auricle.audio import read
from auricle.types import PrintEar, Waveform

SLACK = 0.6  # seconds by which a place may be off
DRIFTS = tuple(2 ** (step / 24) for step in range(-4, 5))  # what the tempo may be off: prints hardly hear it …
SHIFTS = (-0.5, 0.0, 0.5)  # … and semitones that the pitch may be off
# What is then changed, by a share of the tempo or by semitones of the pitch, for what gain of likeness: for any, the
# tempo would make up for a place between two frames.
FINER = ((0.0, 0.5), (0.015, 0.0), (0.0075, 0.0), (0.00375, 0.0))
GAIN = 0.01
SHORTEST = 1.0  # seconds of a recording that can be compared
# Likeness that is hardly ever reached by chance: at least, and times the root of the seconds compared (see
# benchmarks/identify_chance.py). Chance reaches more at other tempi and pitches, for there are many of them.
BAR, BAR_OTHERWISE = (0.32, 0.75), (0.45, 1.15)
STEADY = 0.02  # by which the tempo may be off as it was
HOPE = 0.5  # of that, from which finer changes may help

Levels = NDArray[np.float32]


class Span(NamedTuple):
    """Part of a clip, and where in a recording it lies."""

    first: float  # seconds into the clip, …
    last: float  # … and where the part ends
    start: float  # seconds into the recording, of the first
    tempo: float  # times as fast
    pitch: float  # semitones higher

    @property
    def seconds(self) -> float:
        """Of the clip."""
        return self.last - self.first

    @property
    def end(self) -> float:
        """Seconds into the recording, of the last."""
        return self.start + self.seconds * self.tempo

    @property
    def as_it_was(self) -> bool:
        """Whether the recording is played at its own tempo and pitch."""
        return not self.pitch and abs(self.tempo - 1) < STEADY

    @property
    def around(self) -> tuple[float, float]:
        """From where to where in the recording the part may lie, seconds."""
        return max(0.0, self.start - SLACK), self.start + self.seconds * self.tempo * DRIFTS[-1] + SLACK


class Beside(NamedTuple):
    """How a part of a clip was found to lie in a recording."""

    likeness: float  # correlation, -1 to 1
    span: Span

    @property
    def clear(self) -> bool:
        """Whether this much is hardly ever alike by chance."""
        return self.clarity >= 1

    @property
    def clarity(self) -> float:
        """Likeness, by what is hardly ever reached by chance."""
        least, chance = BAR if self.span.as_it_was else BAR_OTHERWISE
        return self.likeness / max(least, chance / max(self.span.seconds, SHORTEST) ** 0.5)


class Clip:
    """A clip, mono at the rate of ``ear``, to be held beside recordings."""

    def __init__(self, ear: PrintEar, sound: Waveform):
        self.ear, self.sound = ear, sound
        self.seconds = len(sound) / ear.sample_rate
        self.frame = ear.step / ear.sample_rate  # seconds
        self._levels = cache(partial(ear.levels, sound))  # most tempi of one guise are also those of others

    def beside(self, path: str | PathLike[str], spans: Sequence[Span]) -> list[Beside]:
        """Where near each of ``spans`` the recording at ``path`` is most alike.

        Raises:
            AudioError: the recording cannot be read there.
        """
        begin, end = min(span.around[0] for span in spans), max(span.around[1] for span in spans)
        sound, _ = read(path, self.ear.sample_rate, start=begin, end=end)
        if len(sound) < SHORTEST * self.ear.sample_rate:
            return [Beside(0.0, span) for span in spans]
        levels = self.ear.levels(sound, 1.0, 0.0)
        found = []
        for span in spans:
            low, high = (round((second - begin) / self.frame) for second in span.around)
            found.append(self._nearest(Side(levels[low:high]), begin + low * self.frame, span))
        return found

    def _nearest(self, side: "Side", begin: float, span: Span) -> Beside:
        """Where in a part of a recording, from its second ``begin`` on, ``span`` is most alike."""

        def tried(tempo: float, pitch: float) -> Beside:
            rows = slice(round(span.first * tempo / self.frame), round(span.last * tempo / self.frame))
            part = self._levels(round(tempo, 5), pitch)[rows][: len(side.levels)]
            if len(part) * self.frame < SHORTEST:
                return Beside(0.0, span)
            alike = side.correlations(part)
            at = int(np.argmax(alike))
            return Beside(float(alike[at]), span._replace(start=begin + at * self.frame, tempo=tempo, pitch=pitch))

        guises = [tried(span.tempo * drift, span.pitch + shift) for drift, shift in product(DRIFTS, SHIFTS)]
        best = max(guises)
        if not best.clear:  # in noise, what is as it was need not be the most alike to be the clearest
            best = max(guises, key=lambda each: each.clarity)
        for finer, shift in FINER if best.clarity > HOPE else ():
            tempo, pitch = best.span.tempo, best.span.pitch
            other = max(tried(tempo * (1 + sign * finer), pitch + sign * shift) for sign in (-1, 1))
            best = other if other.likeness > best.likeness + GAIN else best
        return best


class Side:
    """Part of a recording: ``levels`` [m, bands]."""

    def __init__(self, levels: Levels):
        self.levels = levels
        self._sums = np.cumsum(np.pad(levels, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
        self._squares = np.cumsum(np.pad(np.square(levels).sum(axis=1), (1, 0)), dtype=np.float64)

    def correlations(self, part: Levels) -> NDArray[np.float64]:
        """Of part of a clip [n, bands] with every stretch that is as long [m - n + 1], bands less their means."""
        n, places = len(part), len(self.levels) - len(part) + 1
        own = part - part.mean(axis=0)
        products = self.levels @ own.T
        along, beside = products.strides
        diagonals = as_strided(products, (places, n), (along, along + beside), writeable=False)
        spread = self._squares[n:] - self._squares[:-n] - np.square(self._sums[n:] - self._sums[:-n]).sum(axis=1) / n
        return diagonals.sum(axis=1) / np.sqrt(np.maximum(spread * np.square(own).sum(), 1e-6))
