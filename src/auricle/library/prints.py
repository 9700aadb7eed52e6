"""All prints of a library, 8 bits a number, and which of them to compare with a clip's where there are very many.

    cache/prints_<ear>/<fragment>-1.npz           one file for each fragment of the Lance table, which never changes
        codes    uint8   [prints, dim]            the prints, in units of ``STEP``
        common   float32 [prints]                 how common each is (see ``auricle.types.PrintEar``)
        hashes   uint32  [prints, hashes]         of the hop in the middle of each
        ids, owner, start                         content ids; the recording (ordinal in ids) and second of each print
    cache/prints_<ear>/<fragment>.cells-<k>-1.npz the cell of each print, from ``MANY`` prints on
    cache/prints_<ear>/cells-<k>-1.npz            the centres of the k cells, from a sample

Up to ``MANY`` prints, a clip is compared with all. Beyond, each of its prints is compared with those in the few cells
nearest to it, and what is alike votes for a diagonal: where in a recording the clip would lie. Only the stretches with
most votes are then compared in full. What is found there has the evidence that it would have had in a search through
everything; but it may be missed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle.errors import LibraryError
from auricle.library.dots import REACH, decode, dots, encode
from auricle.library.index import fragment_key
from auricle.library.store import Store, windows_table
from auricle.library.vectors import matrix, unit
from auricle.types import PrintEar

FORMAT = 1  # of the cache; files of another are made anew
STEP = 0.7 / REACH  # of the codes: 64 numbers whose squares add up to 1 are hardly ever above 0.6
BLOCK = 32_768  # prints compared at a time
MANY = 2**19  # prints (73 h) beyond which not all are compared: 10 s of sound in all guises then take 1 to 2 s
PROBES = 4  # cells looked into for each print of a clip
SPEAKS = 0.2  # likeness from which a print votes
CANDIDATES = 512  # diagonals compared in full
SAMPLE = 32  # prints for each cell, to find its centre

Vectors = NDArray[np.float32]


class Block(NamedTuple):
    """Stretches of recordings, to be compared at one go."""

    rows: slice | NDArray[np.int64]  # of the prints
    first: NDArray[np.int64]  # [stretches + 1], where in ``rows`` each stretch begins, and the end
    recording: NDArray[np.int64]  # [stretches], ordinal
    at: NDArray[np.int64]  # [stretches], where in its recording each begins, in prints


class Cells(NamedTuple):
    """Prints by what they are like; those of silence are left out."""

    centres: Vectors  # [cells, dim]
    members: NDArray[np.int32]  # rows, cell by cell
    first: NDArray[np.int64]  # [cells + 1], first member of each cell, and the end


class Prints:
    """All stored prints, the rows of a recording one after another in the order of time."""

    def __init__(self, store: Store, ear: PrintEar):
        """Reads the prints that ``ear`` has taken.

        Raises:
            LibraryError: there are none, or what is derived from them cannot be written.
        """
        dataset: Any = store.windows(ear.name)
        if dataset is None:
            raise LibraryError("This library has no prints", "Take them: auricle index --prints")
        self.version: int = dataset.version
        self._store = store
        self._folder = store.path / "cache" / windows_table(ear.name).replace("windows", "prints", 1)
        self._used: set[str] = set()  # files of the cache
        fragments = {fragment_key(each): each for each in dataset.get_fragments() if each.count_rows()}
        parts = [self._kept(key, partial(_encoded, each, ear)) for key, each in fragments.items()]
        places = self._order(parts)
        self.codes = np.empty((self.first[-1], ear.dim), np.uint8)  # [prints, dim]
        self.common = np.empty(self.first[-1], np.float32)  # [prints]; 2 for silence
        self.hashes = np.empty((self.first[-1], ear.hashes), np.uint32)  # [prints, hashes]
        for part, place in zip(parts, places, strict=True):
            self.codes[place], self.common[place] = part["codes"], part["common"]
            self.hashes[place] = part["hashes"]
        many = np.count_nonzero(self.common < 2) > MANY
        self.cells = self._cells(dict(zip(fragments, places, strict=True))) if many else None
        for file in self._folder.glob("[!.]*.npz"):
            if file.name not in self._used:
                file.unlink(missing_ok=True)

    def _order(self, parts: Sequence[Mapping[str, NDArray]]) -> list[NDArray[np.int64]]:
        """Sets ``ids`` and ``first``; returns the rows that the prints of each fragment come to."""
        self.ids: list[str] = sorted({id for part in parts for id in part["ids"].tolist()})
        ordinal = {id: number for number, id in enumerate(self.ids)}
        owners = [np.array([ordinal[id] for id in part["ids"].tolist()])[part["owner"]] for part in parts]
        owner = np.concatenate([np.zeros(0, np.int64), *owners])
        order = np.lexsort((np.concatenate([np.zeros(0), *(part["start"] for part in parts)]), owner))
        self.first: NDArray[np.int64] = np.searchsorted(owner[order], np.arange(len(self.ids) + 1))  # and the end
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return np.split(place, np.cumsum([len(each) for each in owners])[:-1])[: len(parts)]

    def __len__(self) -> int:
        return len(self.codes)

    def of(self, recording: int) -> Vectors:
        """Prints [n, dim] of one recording, by its ordinal."""
        return decode(self.codes[self.first[recording] : self.first[recording + 1]], STEP)

    def likeness(self, rows: slice | NDArray[np.integer], prints: Vectors, less: Vectors) -> Vectors:
        """Cosine of each of ``prints`` [n, dim] with some stored ones, less how common the two are [n, rows].

        ``less`` [n] is what is taken off for ``prints``; for stored ones it is half their commonness.
        """
        found = dots(self.codes[rows], STEP, prints)
        found -= less[:, None]
        found -= self.common[rows] / 2
        return found

    def worth(self, prints: Vectors, less: Vectors, bounds: NDArray[np.int64]) -> Iterator[Block]:
        """What is to be compared in full: everything, or beyond ``MANY`` the stretches with most votes.

        Args:
            prints: sequences of a clip's prints [n, dim], one after another.
            less: what is taken off the likeness of each [n] (see ``likeness``).
            bounds: [sequences + 1], first print of each sequence, and the end.
        """
        if self.cells is None:
            yield from self.blocks()
        else:
            yield self._stretches(self._voted(self.cells, prints, less, bounds))

    def blocks(self) -> Iterator[Block]:
        """All prints, whole recordings that together hold about ``BLOCK`` at a time."""
        low = 0
        while low < len(self.ids):
            high = max(int(np.searchsorted(self.first, self.first[low] + BLOCK, side="right")) - 1, low + 1)
            rows = slice(self.first[low], self.first[high])
            first = self.first[low : high + 1] - self.first[low]
            yield Block(rows, first, np.arange(low, high), np.zeros(high - low, np.int64))
            low = high

    def _voted(self, cells: Cells, prints: Vectors, less: Vectors, bounds: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows on and beside the ``CANDIDATES`` diagonals with most votes, rising."""
        longest = int(np.diff(bounds).max())
        sequence = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        # Print i of sequence s and row r speak for diagonal r - i of s, the row where s would begin (it may be below 0,
        # when the clip begins before the recording). Numbered through all sequences, it is that of (s, i), plus r.
        span = len(self) + longest
        number = sequence * span + longest - (np.arange(len(prints)) - bounds[sequence])
        probed = np.argpartition(-(prints @ cells.centres.T), PROBES, axis=1)[:, :PROBES].ravel()
        order = np.argsort(probed, kind="stable")  # what looks into a cell does so together
        asked, begins = np.unique(probed[order], return_index=True)
        numbers, votes = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
        for cell, asking in zip(asked, np.split(order // PROBES, begins[1:]), strict=True):
            for low in range(cells.first[cell], cells.first[cell + 1], BLOCK):
                rows = cells.members[low : min(low + BLOCK, cells.first[cell + 1])]
                likeness = self.likeness(rows, prints[asking], less[asking])
                i, j = np.nonzero(likeness > SPEAKS)
                numbers.append(number[asking[i]] + rows[j])
                votes.append(likeness[i, j])
        voted, which = np.unique(np.concatenate(numbers), return_inverse=True)
        total = np.bincount(which, np.concatenate(votes), len(voted))
        if len(voted) > CANDIDATES:
            voted = voted[np.argpartition(-total, CANDIDATES)[:CANDIDATES]]
        begin = voted % span - longest
        rows = np.unique(begin[:, None] + np.arange(-1, longest + 1))
        return rows[(rows >= 0) & (rows < len(self))]

    def _stretches(self, rows: NDArray[np.int64]) -> Block:
        """Some rows, rising, as stretches: those that follow one another in a recording."""
        owner = np.searchsorted(self.first, rows, side="right") - 1
        begins = np.flatnonzero((np.diff(rows, prepend=-2) > 1) | (np.diff(owner, prepend=-1) > 0))
        recording = owner[begins]
        return Block(rows, np.append(begins, len(rows)), recording, rows[begins] - self.first[recording])

    # --- the cache -------------------------------------------------------------------------------------------------

    def _cells(self, places: Mapping[str, NDArray[np.int64]]) -> Cells:
        """Puts all prints into cells; ``places`` holds the rows of those of each fragment, by its key."""
        sounding = np.flatnonzero(self.common < 2)
        count = 2 ** round(np.log2(len(sounding)) / 2)  # about the root: others when there are four times as many

        sample = sounding[np.unique(np.linspace(0, len(sounding) - 1, count * SAMPLE).astype(np.int64))]
        centres = self._kept(f"cells-{count}", partial(_centres, self.codes[sample], count))["centres"]
        cell = np.empty(len(self), np.int32)
        for key, rows in places.items():
            made = partial(_nearest, self.codes, rows, centres)
            cell[rows] = self._kept(f"{key}.cells-{count}", made)["cell"]
        members = sounding[np.argsort(cell[sounding], kind="stable")].astype(np.int32)
        return Cells(centres, members, np.searchsorted(cell[members], np.arange(count + 1)))

    def _kept(self, name: str, make: Callable[[], dict[str, NDArray]]) -> Any:
        """What ``make`` returned when it was first called for this file."""
        path = self._folder / f"{name}-{FORMAT}.npz"
        self._used.add(path.name)
        if not path.exists():
            # One process at a time: two sets of centres must not mix.
            with self._store.lock(name="prints"):
                if not path.exists():
                    self._folder.mkdir(parents=True, exist_ok=True)
                    part = path.with_name(f".{path.name}")
                    np.savez(part, **make())  # pyright: ignore[reportArgumentType]
                    part.replace(path)
        return np.load(path)


def _encoded(fragment: Any, ear: PrintEar) -> dict[str, NDArray]:
    """The prints of a fragment as they are kept."""
    table = fragment.to_table(columns=["recording", "start", "embedding", "hashes"])
    recordings = table["recording"].combine_chunks().dictionary_encode()
    stored = matrix(table["embedding"])
    codes, common = np.empty(stored.shape, np.uint8), np.empty(len(stored), np.float32)
    for low in range(0, len(stored), BLOCK):
        prints = stored[low : low + BLOCK].astype(np.float32)
        codes[low : low + BLOCK], common[low : low + BLOCK] = encode(prints, STEP), ear.commonness(prints)
    return {
        "codes": codes,
        "common": common,
        "hashes": matrix(table["hashes"]),
        "ids": np.array(recordings.dictionary.to_pylist(), np.str_),
        "owner": recordings.indices.to_numpy().astype(np.int32),
        "start": table["start"].to_numpy(),
    }


def _centres(codes: NDArray[np.uint8], count: int) -> dict[str, NDArray]:
    """Unit vectors [count, dim] in the middle of what is alike among some prints [n, dim]."""
    from sklearn.cluster import MiniBatchKMeans

    means: Any = MiniBatchKMeans  # its types are narrower than its documentation
    found = means(count, init="random", batch_size=4096, max_iter=20, n_init=1, random_state=0).fit(decode(codes, STEP))
    return {"centres": unit(found.cluster_centers_.astype(np.float32))}


def _nearest(codes: NDArray[np.uint8], rows: NDArray[np.int64], centres: Vectors) -> dict[str, NDArray]:
    """Which of ``centres`` each of some ``rows`` of prints is most alike [rows]."""
    cell = np.empty(len(rows), np.uint16)
    for low in range(0, len(rows), BLOCK):
        cell[low : low + BLOCK] = np.argmax(decode(codes[rows[low : low + BLOCK]], STEP) @ centres.T, axis=1)
    return {"cell": cell}
