"""Which recording a clip is from, and where in it: prints in order, along a line.

A clip's prints (see ``auricle.types.PrintEar``) are compared with the stored ones: their cosine, less how common the
two are (noise is like all noise). Where the clip was taken from a recording, print after print is alike along a
diagonal of that table; the diagonals with most evidence, the sum over their best stretch, are found exactly. What was
played faster, slower, higher or lower is compared as it was before: at speeds, tempi and pitches a semitone apart,
unless the clip is found as it stands.

The stored prints are kept in memory, and read again when their table changes. Up to half a million, all are compared;
beyond, only those where the clip is likely to lie (``auricle.library.prints``).
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle.audio import read
from auricle.errors import LibraryError, QueryError
from auricle.library.prints import Prints
from auricle.library.search import Part
from auricle.library.store import Store
from auricle.types import Ear, PrintEar, Waveform

EAR = "moco_fingerprint"  # the ear whose prints are stored by ``auricle index --prints``
CHANCE = -0.1  # cosine, less commonness, from which two prints speak for a match
PIECE = 15.0  # seconds of a clip that are looked for at a time
SURE = 0.7  # score from which a clip is as it was, and need not be tried as if played otherwise
PEAKS = 64  # diagonals of a block that are looked at closely
JOIN = 1.0  # seconds that a match may jump between two pieces
LINE = 6  # prints from which the speed can be measured, not only chosen
ALIKE = 0.3  # cosine from which a print says where it lies
STIFF = 4.0  # square hops; a short stretch says little about the speed
OFF_LINE = 1.0  # hops from the line at which a print is left out of the measurement

# Evidence that clips reach by chance grows with their length and with the logarithm of the prints compared: FLOOR, and
# of what a clip could give a share, SHARE at REFERENCE comparisons and GROWTH more for each factor of e. Set on
# other music, speech and ambience so that few of them are named; benchmarks/identify.py measures how many.
FLOOR, SHARE, GROWTH, REFERENCE = 1.1, 0.145, 0.06, 11_000
# Some clips are more like everything than others. So a match must also stand out from what the clip reaches with other
# recordings: the third best of all, as the second may be a copy. In a small library that says little, and counts as
# UNLIKE of the bar at least.
STANDS_OUT, UNLIKE = 2.2, 0.3

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Match:
    """A stretch of a recording that a clip holds.

    The moment ``t`` of the clip is ``start + (t - offset) * speed`` of the recording.
    """

    path: str
    start: float  # seconds, in the recording
    end: float
    offset: float  # seconds into the clip at which the stretch begins
    speed: float  # how many times as fast the clip plays it
    pitch: float  # how many semitones higher
    score: float  # 0 to 1: how much of the clip is alike, and how much alike


class Guise(NamedTuple):
    """How a recording may be played: times as fast, semitones higher."""

    tempo: float
    pitch: int


def _guises() -> tuple[Guise, ...]:
    """Speeds (tape: tempo and pitch together) to 4 semitones, pitches and tempi to 3, each alone."""
    steps = [step for size in range(1, 5) for step in (size, -size)]
    speeds = [Guise(2 ** (step / 12), step) for step in steps]
    pitches = [Guise(1.0, step) for step in steps if abs(step) < 4]
    tempi = [Guise(2 ** (step / 12), 0) for step in steps if abs(step) < 4]
    return (*speeds, *pitches, *tempi)


AS_IT_WAS = Guise(1.0, 0)
GUISES = _guises()


class Stretch(NamedTuple):
    """Prints of a clip that are alike those of a recording, one after another."""

    evidence: float
    recording: int  # ordinal
    at: int  # print of the recording beside the first
    first: int  # of the prints compared
    last: int


@dataclass(slots=True)
class Line:
    """Where the moments of a clip are in a recording."""

    recording: int
    guise: Guise
    offset: float  # seconds in the clip, of the first moment that is alike …
    start: float  # … and in the recording
    end: float  # seconds in the recording, of the last
    speed: float
    evidence: float
    most: float  # evidence if every print had been the same

    def at(self, moment: float) -> float:
        """The place in the recording of a ``moment`` of the clip, both in seconds."""
        return self.start + (moment - self.offset) * self.speed

    @property
    def until(self) -> float:
        """Where the match ends in the clip, seconds."""
        return self.offset + (self.end - self.start) / self.speed


class Identifier:
    """Finds clips in a library. Keeps the prints between questions."""

    def __init__(self, store: Store, ear: Ear):
        if not isinstance(ear, PrintEar):
            raise LibraryError(f"The ear {ear.name} takes no prints", "Take them: auricle index --prints")
        self.store, self.ear = store, ear
        self.prints = Prints(store, ear)
        self.hop, self.window = ear.hop / ear.sample_rate, ear.window / ear.sample_rate  # seconds

    def identify(self, clip: str | os.PathLike[str], *, limit: int = 10) -> list[Match]:
        """Stretches of recordings that ``clip`` (``"a.wav"``, ``"a.wav@3-13"``) holds, best first; empty if none.

        Raises:
            AudioError: the clip cannot be heard.
            QueryError: it is shorter than a print.
        """
        part = Part.example(os.fspath(clip))
        sound, _ = read(part.path, self.ear.sample_rate, start=part.start, end=part.end)
        return self.hear(sound, limit=limit)

    def hear(self, sound: Waveform, *, limit: int = 10) -> list[Match]:
        """As ``identify``, of mono ``sound`` at the ear's rate."""
        rate = self.ear.sample_rate
        if len(sound) < self.ear.window:
            raise QueryError(
                f"The clip is too short to tell: {len(sound) / rate:.1f} s",
                f"Give at least {self.window:.1f} s; 5 s are better",
            )
        edges = np.linspace(0, len(sound), max(1, round(len(sound) / rate / PIECE)) + 1).astype(int)
        lines: list[Line] = []
        for start, end in pairwise(edges):
            joined(lines, self.lines(sound[start:end], float(start / rate)))
        return self.matches(sorted(lines, key=lambda line: -line.evidence / line.most)[:limit])

    def lines(self, sound: Waveform, begins: float = 0.0) -> list[Line]:
        """What a piece of a clip, which ``begins`` some seconds into it, holds; most evidence first."""
        plain = self.ear.prints_of(sound)
        most = float(np.maximum(1 - self.ear.commonness(plain[::2]) - CHANCE, 0).sum())
        found = self.aligned(phases(AS_IT_WAS, plain), self.bar(most))
        if max((each.evidence for _, _, each in found), default=0.0) < SURE * most:
            others = [each for guise in GUISES for each in phases(guise, self.ear.prints_of(sound, *guise))]
            found += self.aligned(others, self.bar(most, len(GUISES)))
        # The faster a clip plays, the more of the recording it holds, and the more prints there are to compare.
        found = [(g, phase, each._replace(evidence=each.evidence / g.tempo)) for g, phase, each in found]
        return [self.line(sound, begins, most, *each) for each in apart(found)]

    def bar(self, most: float, tried: int = 1) -> float:
        """Evidence that few clips reach by chance, of those that could give ``most`` and are ``tried`` in some ways."""
        compared = max(len(self.prints), REFERENCE) * tried
        return FLOOR + most * (SHARE + GROWTH * float(np.log(compared / REFERENCE)))

    def aligned(
        self, compared: Sequence[tuple[Guise, float, Vectors]], bar: float
    ) -> list[tuple[Guise, float, Stretch]]:
        """Stretches that stand out, of prints [n, dim] by their guise and phase (hops).

        The square of their evidence is at least ``STANDS_OUT`` times ``bar`` times the evidence of the rivals.
        """
        compared = [each for each in compared if len(each[2])]
        if not compared:
            return []
        stacked = np.concatenate([rows for _, _, rows in compared])
        less = np.asarray(CHANCE + self.ear.commonness(stacked) / 2, np.float32)
        bounds = np.cumsum([0, *(len(rows) for _, _, rows in compared)])
        least = bar * float(np.sqrt(STANDS_OUT * UNLIKE))
        found, reached = [], np.zeros(max(3, len(self.prints.ids)), np.float32)
        for block in self.prints.worth(stacked, less, bounds):
            likeness = self.prints.likeness(block.rows, stacked, less)
            for (guise, phase, _), begin, end in zip(compared, bounds[:-1], bounds[1:], strict=True):
                best = evidence(likeness[begin:end], block.first)
                np.maximum.at(reached, block.recording, inside(best, block.first))
                for each in stretches(likeness[begin:end], best, block.first, least):
                    place = each._replace(
                        recording=int(block.recording[each.recording]), at=each.at + int(block.at[each.recording])
                    )
                    found.append((guise, phase, place))
        rival = max(float(np.partition(reached, -3)[-3]), UNLIKE * bar)
        needed = float(np.sqrt(STANDS_OUT * bar * rival))
        return [each for each in found if each[2].evidence >= needed]

    def line(self, sound: Waveform, begins: float, most: float, guise: Guise, phase: float, stretch: Stretch) -> Line:
        """A stretch as a line, its place and speed measured between the prints."""
        length = stretch.last - stretch.first
        clip = self.ear.prints_of(sound, *guise)  # two a hop
        own = self.prints.of(stretch.recording)
        x = np.arange(0, length + 0.5, 0.5)  # hops from the first print of the stretch
        rows = np.rint(2 * (stretch.first + phase + x)).astype(int)
        x, rows = x[rows < len(clip)], rows[rows < len(clip)]
        place, slope = measured(clip[rows], own, stretch.at, x)
        speed = guise.tempo * slope
        return Line(
            recording=stretch.recording,
            guise=guise,
            offset=begins + (stretch.first + phase) * self.hop / guise.tempo,
            start=max(0.0, place * self.hop),
            end=(place + slope * length) * self.hop + self.window,
            speed=speed,
            evidence=stretch.evidence,
            most=most,
        )

    def matches(self, lines: Sequence[Line]) -> list[Match]:
        """Lines as people get them."""
        rows = self.store.rows_by("id", {self.prints.ids[line.recording] for line in lines})
        found = []
        for line in lines:
            if row := rows.get(self.prints.ids[line.recording]):  # else it was pruned since
                match = Match(
                    path=row["path"],
                    start=round(line.start, 3),
                    end=round(min(line.end, row["duration"]), 3),
                    offset=round(float(line.offset), 3),
                    speed=round(line.speed, 4),
                    pitch=float(line.guise.pitch),
                    score=round(min(1.0, line.evidence / line.most), 4),
                )
                found.append(match)
        return found


def phases(guise: Guise, prints: Vectors) -> list[tuple[Guise, float, Vectors]]:
    """Prints that are half a hop apart as two rows of prints a hop apart, by when they begin (hops)."""
    return [(guise, phase / 2, prints[phase::2]) for phase in (0, 1)]


def stretches(likeness: Vectors, best: Vectors, first: NDArray[np.int64], bar: float) -> list[Stretch]:
    """Stretches along the diagonals of ``likeness`` [n, stored] with at least ``bar`` evidence; one for each diagonal.

    ``first`` holds the first row of each recording, and the end: no stretch leaves its recording. ``best`` is their
    ``evidence``.
    """
    n, _ = likeness.shape
    diagonals = np.flatnonzero(best >= bar)
    if len(diagonals) > PEAKS:
        diagonals = diagonals[np.argpartition(-best[diagonals], PEAKS)[:PEAKS]]
    return [along(likeness, int(diagonal) - n + 1, first) for diagonal in diagonals]


def evidence(likeness: Vectors, first: NDArray[np.int64]) -> Vectors:
    """The most evidence of any stretch of each diagonal [n + stored - 1], that of the last print and row 0 first."""
    n, stored = likeness.shape
    run, best = np.zeros(n + stored - 1, np.float32), np.zeros(n + stored - 1, np.float32)
    for i, row in enumerate(likeness):
        here = run[n - 1 - i : n - 1 - i + stored]
        here[first[:-1]] = 0  # what was gathered before belongs to another recording
        np.maximum(here, 0, out=here)
        here += row
        reached = best[n - 1 - i : n - 1 - i + stored]
        np.maximum(reached, here, out=reached)
    return best


def inside(best: Vectors, first: NDArray[np.int64]) -> Vectors:
    """The most evidence of the diagonals that lie within each recording [recordings]; 0 for those shorter than a clip.

    Args:
        best: of all diagonals (see ``evidence``).
        first: first row of each recording, and the end.
    """
    prints = len(best) + 1 - int(first[-1])
    begin, end = first[:-1] + prints - 1, first[1:]
    longer, most = begin < end, np.zeros(len(begin), np.float32)
    if longer.any():
        edges = np.stack([begin[longer], end[longer]], axis=1).ravel()
        most[longer] = np.maximum.reduceat(np.append(best, 0), edges)[::2]
    return most


def along(likeness: Vectors, diagonal: int, first: NDArray[np.int64]) -> Stretch:
    """The stretch with most evidence among the places ``(i, diagonal + i)``."""
    n, stored = likeness.shape
    begins = set(first.tolist())
    best, run, begin = Stretch(0.0, 0, 0, 0, 0), 0.0, 0
    for i in range(max(0, -diagonal), min(n, stored - diagonal)):
        if run <= 0 or diagonal + i in begins:
            run, begin = 0.0, i
        run += float(likeness[i, diagonal + i])
        if run > best.evidence:
            recording = int(np.searchsorted(first, diagonal + begin, side="right")) - 1
            best = Stretch(run, recording, diagonal + begin - int(first[recording]), begin, i)
    return best


def apart(found: Iterable[tuple[Guise, float, Stretch]]) -> list[tuple[Guise, float, Stretch]]:
    """Those with most evidence first, without what covers mostly the same of a recording as a better one."""
    kept: list[tuple[Guise, float, Stretch]] = []
    for each in sorted(found, key=lambda each: -each[2].evidence):
        stretch = each[2]
        length = stretch.last - stretch.first + 1

        def shared(other: Stretch, stretch: Stretch = stretch, length: int = length) -> float:
            size = other.last - other.first + 1
            both = min(stretch.at + length, other.at + size) - max(stretch.at, other.at)
            return both / min(length, size)

        if all(other.recording != stretch.recording or shared(other) < 0.5 for _, _, other in kept):
            kept.append(each)
    return kept


def measured(clip: Vectors, own: Vectors, at: int, x: NDArray[np.float64]) -> tuple[float, float]:
    """Place (hops) in a recording of the first of a clip's prints, and how fast the places of the others follow.

    Args:
        clip: prints [n, dim], which lie at ``x`` [n] hops behind the first.
        own: prints of the recording [windows, dim].
        at: the print of the recording that is nearest to the first.
    """
    near = np.clip(at + np.rint(x).astype(int), 1, max(1, len(own) - 2))
    if len(own) < 3:
        return float(at), 1.0
    before, middle, after = (np.einsum("nd,nd->n", clip, own[near + step]) for step in (-1, 0, 1))
    bend = np.maximum(2 * middle - before - after, 1e-3)
    y = near + np.clip((after - before) / (2 * bend), -1, 1)  # the top of the parabola through three likenesses
    weight = np.maximum(middle - ALIKE, 0) * (np.abs(y - near) < 1) + 1e-6
    place, slope = float(np.average(y - x, weights=weight)), 1.0
    weight = weight * (np.abs(y - x - place) < OFF_LINE)
    if (weight > 1e-3).sum() >= 2 * LINE:
        centre = np.average(x, weights=weight)
        spread = np.average((x - centre) ** 2, weights=weight)
        level = np.average(y, weights=weight)
        slope = 1 + float(np.average((x - centre) * (y - x - level + centre), weights=weight) / (spread + STIFF))
        slope = min(max(slope, 0.96), 1.04)  # a neighbouring guise is not nearer than that
        place = float(level - slope * centre)
    return place, slope


def joined(lines: list[Line], more: Iterable[Line]) -> None:
    """Adds the lines of the next piece of a clip to ``lines``; what goes on along an earlier one makes it longer."""
    for line in more:
        for earlier in lines:
            drift = abs(earlier.at(line.offset) - line.start)
            if earlier.recording == line.recording and earlier.guise == line.guise and drift < JOIN:
                speed = (line.at(line.until) - earlier.start) / (line.until - earlier.offset)
                earlier.end, earlier.speed = line.end, speed
                earlier.evidence += line.evidence
                earlier.most += line.most
                break
        else:
            lines.append(line)
