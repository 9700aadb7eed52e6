"""Where the prints of a clip and those of recordings are alike in order: stretches along the diagonals of a table.

``likeness`` [n, stored] says how much print i of the clip and stored print j speak for one another; a clip that begins
at stored print b is the diagonal of the places (i, b + i). The evidence of a stretch is the sum along it, and the best
stretch of each diagonal is found exactly. Stored prints are those of recordings one after another: ``first`` holds the
first of each, and the end, and no stretch leaves its recording.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float32 | np.int16 | np.int8]


class Stretch(NamedTuple):
    """Prints of a clip that are alike those of a recording, one after another."""

    evidence: float
    recording: int  # ordinal
    at: int  # print of the recording beside the first
    first: int  # of the prints compared
    last: int

    @property
    def length(self) -> int:
        """Prints."""
        return self.last - self.first + 1


def evidence(likeness: Table, first: NDArray[np.int64]) -> Table:
    """The most evidence of any stretch of each diagonal [n + stored - 1], that of the last print and row 0 first."""
    n, stored = likeness.shape
    run, best = np.zeros((2, n + stored - 1), np.result_type(likeness, np.int16))
    for i, row in enumerate(likeness):
        here = run[n - 1 - i : n - 1 - i + stored]
        here[first[:-1]] = 0  # what was gathered before belongs to another recording
        np.maximum(here, 0, out=here)
        here += row
        reached = best[n - 1 - i : n - 1 - i + stored]
        np.maximum(reached, here, out=reached)
    return best


def inside(best: Table, first: NDArray[np.int64]) -> NDArray[np.float32]:
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


class Strongest:
    """The best stretch of each of the ``count`` diagonals with most evidence in all tables that are added."""

    def __init__(self, count: int):
        self.count = count
        self.stretches: list[tuple[int, Stretch]] = []  # ordinal of the table, and the stretch; most evidence first

    def add(
        self,
        likeness: Sequence[Table],
        best: Sequence[Table],
        first: NDArray[np.int64],
        recording: NDArray[np.integer],
        at: NDArray[np.integer],
    ) -> None:
        """Takes in tables of the same stored prints.

        Args:
            likeness: the tables.
            best: the ``evidence`` of each.
            first: first row of each recording, and the end.
            recording: which recording that is, …
            at: … and which of its prints.
        """
        bounds = np.cumsum([0, *map(len, best)])
        every = np.concatenate(best)
        most = np.argpartition(-every, self.count)[: self.count] if len(every) > self.count else np.arange(len(every))
        least = self.stretches[-1][1].evidence if len(self.stretches) == self.count else 0.0
        for diagonal in most[every[most] > least]:
            table = int(np.searchsorted(bounds, diagonal, side="right")) - 1
            own = _along(likeness[table], int(diagonal - bounds[table]) - len(likeness[table]) + 1, first)
            named = own._replace(recording=int(recording[own.recording]), at=own.at + int(at[own.recording]))
            self.stretches.append((table, named))
        self.stretches = sorted(self.stretches, key=lambda each: -each[1].evidence)[: self.count]


def _along(likeness: Table, diagonal: int, first: NDArray[np.int64]) -> Stretch:
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
