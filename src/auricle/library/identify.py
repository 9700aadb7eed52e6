"""Which recording a clip is from, and where in it: hashes and prints say where it may lie, the sound whether it does.

A clip's hashes (see ``auricle.types.PrintEar``) are compared with the stored ones: how many bits are the same. If that
does not find it, its prints are: their cosine, less how common the two are (noise is like all noise). Where the clip
was taken from a recording, one after another is alike along a diagonal of that table (``auricle.library.diagonals``).
The places with most evidence are candidates: there, the recording is read and heard side by side with the clip
(``auricle.library.beside``). What was played faster, slower, higher or lower has other hashes; its prints are compared
as it was before, at speeds, tempi and pitches a semitone apart. Where a recording cannot be read, because its disk is
elsewhere, the prints have to be evidence enough.

The stored prints are kept in memory, and read again when their table changes. Up to half a million, all are compared;
beyond, only those where the clip is likely to lie (``auricle.library.prints``).
"""

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from auricle.audio import read
from auricle.errors import AuricleError, LibraryError, QueryError
from auricle.library.beside import Clip, Span
from auricle.library.diagonals import Stretch, Strongest, evidence, inside
from auricle.library.prints import Prints
from auricle.library.search import Part
from auricle.library.store import Store
from auricle.types import Ear, PrintEar, Waveform

EAR = "moco_fingerprint"  # the ear whose prints are stored by ``auricle index --prints``
CHANCE = -0.1  # cosine, less commonness, from which two prints speak for a match
PIECE = 15.0  # seconds of a clip that are looked for at a time
SURE = 0.6  # score from which a clip need not be looked for otherwise
READ = 120.0  # seconds of recordings that are heard beside a piece, for each way of looking for it
LATER = (0.0, 0.5)  # hashes after the beginning of a clip: it may lie between those that are stored
SAME_BITS = 18  # of 32, from which two hashes speak for a match
NEARBY = 16  # diagonals for each candidate, as many lie side by side
LIKELY = 0.5  # of the most evidence; other candidates are heard only if none of these is sure
SAME = 0.7  # of the greatest likeness; what is less alike is something similar
PARTLY = 0.75  # of a clip; where its prints are alike in less, that part is also compared by itself
READERS = 4  # recordings read at a time
JOIN = 1.0  # seconds that a match may jump between two pieces
LINE = 6  # prints from which the speed can be measured, not only chosen
ALIKE = 0.3  # cosine from which a print says where it lies
STIFF = 4.0  # square hops; a short stretch says little about the speed
OFF_LINE = 1.0  # hops from the line at which a print is left out of the measurement

# For prints alone. Evidence that clips reach by chance grows with their length and with the logarithm of the prints
# compared: FLOOR, and of what a clip could give a share, SHARE at REFERENCE comparisons and GROWTH more for each factor
# of e. Set on other music, speech and ambience so that few of them are named.
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
    pitch: float  # how many semitones higher, to half a semitone
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


class Candidate(NamedTuple):
    """Where a clip may lie."""

    recording: int  # ordinal
    guise: Guise
    offset: float  # seconds into the clip, of the first moment that is alike …
    start: float  # … and into the recording
    end: float  # seconds into the recording, of the last
    score: float  # evidence, by what it were if all were the same
    enough: bool  # it is evidence enough by itself

    @property
    def place(self) -> tuple[int, float, float]:
        """Recording (ordinal), and where in it: from, to."""
        return self.recording, self.start, self.end


@dataclass(frozen=True, slots=True)
class Line:
    """Where the moments of a clip are in a recording."""

    recording: int  # ordinal
    offset: float  # seconds in the clip, of the first moment that is alike …
    start: float  # … and in the recording
    end: float  # seconds in the recording, of the last
    speed: float
    pitch: float
    alike: float  # seconds of the clip, each counted by how alike it is …
    of: float  # … of the seconds that were looked for

    @property
    def place(self) -> tuple[int, float, float]:
        """Recording (ordinal), and where in it: from, to."""
        return self.recording, self.start, self.end

    @property
    def until(self) -> float:
        """Where the match ends in the clip, seconds."""
        return self.offset + (self.end - self.start) / self.speed

    @property
    def score(self) -> float:
        return min(1.0, self.alike / self.of)

    @property
    def likeness(self) -> float:
        """Of the stretch alone."""
        return self.alike / (self.until - self.offset)

    def at(self, moment: float) -> float:
        """The place in the recording of a ``moment`` of the clip, both in seconds."""
        return self.start + (moment - self.offset) * self.speed


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
            begins = float(start / rate)
            lines = joined(lines, [replace(line, offset=line.offset + begins) for line in self.lines(sound[start:end])])
        return self.matches(sorted(lines, key=lambda line: -line.score)[:limit])

    def lines(self, sound: Waveform) -> list[Line]:
        """What a piece of a clip holds."""
        clip, found = Clip(self.ear, sound), []
        plain, others = partial(self.printed, guises=[AS_IT_WAS]), partial(self.printed, guises=GUISES)
        # All hashes are compared, but not all prints of a large library.
        ways = (plain, self.hashed, others) if self.prints.cells else (self.hashed, plain, others)
        for suggested in ways:
            if not sure(found):
                found += self.confirmed(clip, suggested(sound, round(READ / clip.seconds)))
        most = max((line.likeness for line in found), default=0.0)
        return apart(line for line in found if line.likeness >= SAME * most)

    # --- by hashes -------------------------------------------------------------------------------------------------

    def hashed(self, sound: Waveform, count: int) -> list[Candidate]:
        """The ``count`` places whose hashes are most alike those of a piece, best first."""
        sequences = [self.ear.hashes_of(sound, later) for later in LATER]
        found = Strongest(count * NEARBY)
        for block in self.prints.blocks():
            stored, first = self.prints.hashes[block.rows].ravel(), block.first * self.ear.hashes
            alike = [same_bits(sequence, stored) for sequence in sequences]
            found.add(alike, [evidence(rows, first) for rows in alike], first, block.recording, block.at)
        step, ahead = self.hop / self.ear.hashes, self.ear.ahead / self.ear.sample_rate
        return apart(
            Candidate(
                recording=stretch.recording,
                guise=AS_IT_WAS,
                offset=(stretch.first + LATER[sequence]) * step,
                start=stretch.at * step + ahead,
                end=(stretch.at + stretch.length) * step + ahead,
                score=stretch.evidence / (len(sequences[sequence]) * (32 - SAME_BITS)),
                enough=False,
            )
            for sequence, stretch in found.stretches
        )[:count]

    # --- by prints -------------------------------------------------------------------------------------------------

    def printed(self, sound: Waveform, count: int, guises: Sequence[Guise]) -> list[Candidate]:
        """The ``count`` places where prints of a piece, in some guises, are most alike the stored ones; best first."""
        sequences = [each for guise in guises for each in phases(guise, self.ear.prints_of(sound, *guise))]
        found, rival = self.aligned([prints for _, _, prints in sequences], count * NEARBY)
        plain = self.ear.prints_of(sound)[::2]
        most = float(np.maximum(1 - self.ear.commonness(plain) - CHANCE, 0).sum())
        enough = self.enough(most, len(guises), rival)
        candidates = []
        for sequence, stretch in found:
            guise, phase, _ = sequences[sequence]
            candidate = Candidate(
                recording=stretch.recording,
                guise=guise,
                offset=(stretch.first + phase) * self.hop / guise.tempo,
                start=stretch.at * self.hop,
                end=(stretch.at + stretch.length - 1) * self.hop + self.window,
                # The faster a clip plays, the more of the recording it holds, and the more prints there are to compare.
                score=stretch.evidence / (most * guise.tempo + 1e-6),
                enough=stretch.evidence >= enough,
            )
            candidates.append(candidate)
        return apart(candidates)[:count]

    def aligned(self, sequences: Sequence[Vectors], count: int) -> tuple[list[tuple[int, Stretch]], float]:
        """The stretches with most evidence, ``count`` diagonals of them, and how much the third best recording has.

        Args:
            sequences: prints of a clip [n, dim], in some guises and phases.
            count: of diagonals.

        Returns:
            Ordinals of the sequences, with their stretches; evidence.
        """
        if not sequences:
            return [], 0.0
        prints = np.concatenate(sequences)
        bounds = np.cumsum([0, *map(len, sequences)])
        less = np.asarray(CHANCE + self.ear.commonness(prints) / 2, np.float32)
        found = Strongest(count)
        reached = np.zeros(max(3, len(self.prints.ids)), np.float32)
        for block in self.prints.worth(prints, less, bounds):
            likeness = np.split(self.prints.likeness(block.rows, prints, less), bounds[1:-1])
            best = [evidence(rows, block.first) for rows in likeness]
            for each in best:
                np.maximum.at(reached, block.recording, inside(each, block.first))
            found.add(likeness, best, block.first, block.recording, block.at)
        return found.stretches, float(np.partition(reached, -3)[-3])

    def enough(self, most: float, tried: int, rival: float) -> float:
        """Evidence that few clips reach by chance.

        Args:
            most: what the clip could give.
            tried: the guises it was tried in.
            rival: the evidence in the third best recording.
        """
        compared = max(len(self.prints), REFERENCE) * tried
        bar = FLOOR + most * (SHARE + GROWTH * float(np.log(compared / REFERENCE)))
        return float(np.sqrt(STANDS_OUT * bar * max(rival, UNLIKE * bar)))

    # --- by sound --------------------------------------------------------------------------------------------------

    def confirmed(self, clip: Clip, candidates: Sequence[Candidate]) -> list[Line]:
        """The candidates that the recordings bear out."""
        rows = self.store.rows_by("id", {self.prints.ids[each.recording] for each in candidates})

        def line(candidate: Candidate) -> Line | None:
            row = rows.get(self.prints.ids[candidate.recording])
            return self.line(clip, candidate, row) if row else None  # without a row it was pruned since

        found: list[Line] = []
        likely = sum(each.score >= LIKELY * candidates[0].score for each in candidates)
        with ThreadPoolExecutor(READERS) as readers:
            for some in (candidates[:likely], candidates[likely:]):
                if not sure(found):
                    found += filter(None, readers.map(line, some))
        return found

    def line(self, clip: Clip, candidate: Candidate, row: dict[str, Any]) -> Line | None:
        """A candidate as a line, if it is borne out; ``row`` is of its recording."""
        try:
            heard = clip.beside(row["path"], self.spans(clip, candidate, row["duration"]))
        except AuricleError:  # it is not there, or its format needs an extra
            return self.by_prints(clip, candidate) if candidate.enough else None
        clear = [each for each in heard if each.clear]
        if not clear:
            return None
        likeness, span = max(clear, key=lambda each: each.likeness * each.span.seconds**0.5)
        return Line(
            recording=candidate.recording,
            offset=span.first,
            start=span.start,
            end=span.end,
            speed=span.tempo,
            pitch=span.pitch,
            alike=likeness * span.seconds,
            of=clip.seconds,
        )

    def spans(self, clip: Clip, candidate: Candidate, duration: float) -> list[Span]:
        """What to compare: as much of the clip as the recording may hold; only a part, if only that is alike."""
        _, (tempo, pitch), offset, start, end, *_ = candidate
        first = max(0.0, offset - start / tempo)
        last = min(clip.seconds, offset + (duration - start) / tempo)
        whole = Span(first, last, start - (offset - first) * tempo, tempo, pitch)
        part = Span(offset, min(last, offset + (end - start) / tempo), start, tempo, pitch)
        return [whole, part] if part.seconds < PARTLY * whole.seconds else [whole]

    def by_prints(self, clip: Clip, candidate: Candidate) -> Line:
        """A candidate as a line, its place and speed measured between the prints."""
        guise = candidate.guise
        prints = self.ear.prints_of(clip.sound, *guise)  # two a hop
        own = self.prints.of(candidate.recording)
        length = (candidate.end - candidate.start - self.window) / self.hop
        x = np.arange(0, length + 0.25, 0.5)  # hops from the first print that is alike
        rows = np.rint(2 * (candidate.offset * guise.tempo / self.hop + x)).astype(int)
        x, rows = x[rows < len(prints)], rows[rows < len(prints)]
        place, slope = measured(prints[rows], own, round(candidate.start / self.hop), x)
        return Line(
            recording=candidate.recording,
            offset=candidate.offset,
            start=max(0.0, place * self.hop),
            end=(place + slope * length) * self.hop + self.window,
            speed=guise.tempo * slope,
            pitch=guise.pitch,
            alike=candidate.score * clip.seconds,
            of=clip.seconds,
        )

    def matches(self, lines: Sequence[Line]) -> list[Match]:
        """Lines as people get them."""
        rows = self.store.rows_by("id", {self.prints.ids[line.recording] for line in lines})
        found = []
        for line in lines:
            if row := rows.get(self.prints.ids[line.recording]):
                match = Match(
                    path=row["path"],
                    start=round(line.start, 3),
                    end=round(min(line.end, row["duration"]), 3),
                    offset=round(line.offset, 3),
                    speed=round(line.speed, 4),
                    pitch=float(line.pitch),
                    score=round(line.score, 4),
                )
                found.append(match)
        return found


def same_bits(clip: NDArray[np.uint32], stored: NDArray[np.uint32]) -> NDArray[np.int8]:
    """How many bits of hashes of a clip [n] and of stored ones [m] are the same, less ``SAME_BITS`` [n, m].

    Those of silence say nothing.
    """
    alike = np.zeros((len(clip), len(stored)), np.int8)
    for row, bits in zip(alike, clip, strict=True):
        if bits:
            row[:] = 32 - SAME_BITS - np.bitwise_count(bits ^ stored).astype(np.int8)
    return alike


def sure(lines: Iterable[Line]) -> bool:
    """Whether one is so much alike that no other need be looked for."""
    return any(line.score >= SURE for line in lines)


def phases(guise: Guise, prints: Vectors) -> list[tuple[Guise, float, Vectors]]:
    """Prints that are half a hop apart as rows of prints a hop apart, by when they begin (hops)."""
    return [(guise, phase / 2, prints[phase::2]) for phase in (0, 1) if len(prints) > phase]


class Placed(Protocol):
    @property
    def score(self) -> float: ...

    @property
    def place(self) -> tuple[int, float, float]: ...


Thing = TypeVar("Thing", bound=Placed)


def apart(found: Iterable[Thing]) -> list[Thing]:
    """The best first, without what covers mostly the same of a recording as a better one."""
    kept: list[Thing] = []
    for each in sorted(found, key=lambda each: -each.score):
        recording, begin, end = each.place

        def shared(other: Thing, recording: int = recording, begin: float = begin, end: float = end) -> float:
            where, first, last = other.place
            return 0.0 if where != recording else (min(end, last) - max(begin, first)) / min(end - begin, last - first)

        if all(shared(other) < 0.5 for other in kept):
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


def joined(lines: Sequence[Line], more: Iterable[Line]) -> list[Line]:
    """Lines, and those of the next piece of a clip; what goes on along an earlier one makes that longer."""
    all_lines = list(lines)
    for line in more:
        for number, earlier in enumerate(all_lines):
            drift = abs(earlier.at(line.offset) - line.start)
            if earlier.recording == line.recording and abs(earlier.pitch - line.pitch) < 1 and drift < JOIN:
                all_lines[number] = replace(
                    earlier,
                    end=line.end,
                    speed=(line.end - earlier.start) / (line.until - earlier.offset),
                    alike=earlier.alike + line.alike,
                    of=earlier.of + line.of,
                )
                break
        else:
            all_lines.append(line)
    return all_lines
