"""Identifying in large libraries: a search through all prints beside one through the most likely, on the same clips.

    python benchmarks/identify_scale.py [--prints N ...] [--json FILE] [--quick]

The clips are 10 s of the music that ``identify.py`` indexes (three games; Debian packages, fetched once), distorted as
there, and of a fourth game's music, which is not in the libraries. Each library holds that music and the bundled one
(``data/mini/music``), and is filled up to N prints with recordings of another kind: stretches of 2 s in the mean, each
of two places of that music at once, the second at 0.6 to 1 of the first. Their prints are sums of the two places'
prints, brought to unit length, and of their hashes three bits in five are those of the first place, the others those
of the second. Cosines of unrelated prints (99 % are below 0.42, of real ones 0.44) and how common
prints are (0.47 in the median, real ones 0.51) are then nearly as in music; but each moment of a clip is found again in
many places for a second or two, as in a library of much music that is alike.

The libraries are written through the store, so that what is measured is what ``auricle identify`` does: decoding the
clip is left out, its own prints are in, and so is hearing it beside recordings; those of another kind are links to
real ones. *As it was* are clips that are found at once, *other guises* those for which all speeds and pitches are
tried. Recall is the share of clips for which the search through all prints names a recording and the other names the
same, and the same place within a second. Cells are made here at all sizes; auricle itself makes them beyond
``auricle.library.prints.MANY`` prints.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import soundfile
import soxr
from numpy.typing import NDArray
from rich.progress import track

from _common import ROOT, Report, arguments, timed
from auricle.audio import read
from auricle.library import identify, prints
from auricle.library.identify import Identifier, Match
from auricle.library.listen import open_ear
from auricle.library.store import RECORDINGS, Store, ear_schema
from auricle.types import PrintEar
from identify import CONDITIONS, RATE, Sound, corpus, foreign

MUSIC = ROOT / "data" / "mini" / "music"
SECONDS = 10.0  # of a clip
NEAR = 1.0  # seconds within which two places are the same
KINDS = ("clean", "pink noise, 0 dB", "Opus, 16 kbit/s", "room", "speed × 0.9", "speed × 1.1", "pitch +1", "pitch -2")
FOREIGN = "music that is not there"
STRETCH = 4  # prints, mean
SECOND = 0.4  # share of the bits
JUDGED = 1_000_000  # prints at which the limits hold
RECALL, FASTER = 0.97, 3.0

Vectors = NDArray[np.float32]
Hashes = NDArray[np.uint32]
Taken = tuple[Vectors, Hashes]


class Clip(NamedTuple):
    kind: str
    sound: Sound  # at the ear's rate
    recording: Path | None
    start: float  # seconds


class Found(NamedTuple):
    best: Match | None
    seconds: float
    tried: bool  # in all guises


def main() -> int:
    args = arguments(
        __doc__,
        cache={"type": Path, "default": Path.home() / ".cache" / "auricle-benchmarks", "metavar": "DIR"},
        prints={"type": int, "nargs": "+", "default": [100_000, 1_000_000, 3_000_000], "metavar": "N"},
        clips={
            "type": int,
            "default": 20,
            "metavar": "N",
            "help": "of each kind (default: 20), fewer beyond a million prints",
        },
        scratch={"type": Path, "metavar": "DIR", "help": "where the libraries go (default: the system's)"},
    )
    report = Report("Identifying in large libraries", args)
    ear = open_ear(identify.EAR)
    assert isinstance(ear, PrintEar)
    prints.MANY = 0
    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        files = corpus(args.cache, Path(scratch) / "corpus", 3 if args.quick else None)
        clips = list(excerpts(files, ear, 2 if args.quick else args.clips))
        clips += [
            Clip(FOREIGN, soxr.resample(middle(sound), RATE, ear.sample_rate), None, 0.0)
            for sound in foreign(args.cache, 2 if args.quick else args.clips)
        ]
        files += sorted(MUSIC.glob("*.opus"))
        heard = (read(path, ear.sample_rate)[0] for path in files)
        real = [taken(ear, sound) for sound in track(list(heard), "listening", transient=True)]
        for size in [sum(len(prints) for prints, _ in real) + 5_000] if args.quick else args.prints:
            with tempfile.TemporaryDirectory(dir=args.scratch) as folder:
                store = make_library(Path(folder), size, files, real, ear)
                measure(report, store, ear, size, clips[:: max(1, size // JUDGED)])
    return report.finish()


def excerpts(files: Sequence[Path], ear: PrintEar, count: int) -> Iterator[Clip]:
    """``count`` clips of each kind."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        for kind in KINDS:
            condition, which = CONDITIONS[kind], int(rng.integers(len(files)))
            needed = SECONDS * condition.speed * 1.02 + 0.2
            start = float(rng.uniform(0, soundfile.info(files[which]).duration - needed))
            sound, _ = read(files[which], RATE, start=start, end=start + needed)
            clip = condition.distort(sound, rng).astype(np.float32)[: round(SECONDS * RATE)]
            yield Clip(kind, soxr.resample(clip, RATE, ear.sample_rate), files[which], start)


def middle(sound: Sound) -> Sound:
    begin = (len(sound) - round(SECONDS * RATE)) // 2
    return sound[begin : begin + round(SECONDS * RATE)]


# --- the libraries ----------------------------------------------------------------------------------------------------


def taken(ear: PrintEar, sound: Sound) -> Taken:
    """Prints and hashes of the whole windows of a recording."""
    prints, _, hashes = ear.hear(sound[: len(sound) - (len(sound) - ear.window) % ear.hop])
    assert hashes is not None
    return prints, hashes


def make_library(folder: Path, size: int, files: Sequence[Path], real: Sequence[Taken], ear: PrintEar) -> Store:
    """A library of about ``size`` prints, those of real recordings first; the others are links to some of ``files``."""
    store, rng, rows = Store(folder / "library"), np.random.default_rng(size), []

    def batches() -> Iterator[pa.RecordBatch]:
        written, (place, bits) = 0, map(np.concatenate, zip(*real, strict=True))
        for number in range(10**9):
            if number >= len(real) and written >= size:
                return
            stored, hashes = real[number] if number < len(real) else mixture(place, bits, rng)
            start = np.arange(len(stored)) * ear.hop / ear.sample_rate
            end = start + ear.window / ear.sample_rate
            id = f"{number:08}"
            lists = (
                pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
                for rows in (stored.astype(np.float16), hashes)
            )
            columns = [pa.array([id] * len(stored)), start, end, *lists]
            path = files[number] if number < len(real) else folder / f"{id}.wav"
            if number >= len(real):
                path.symlink_to(files[number % len(files)])
            rows.append({"path": str(path), "id": id, "duration": float(end[-1]), "tags": [], "tag_scores": []})
            written += len(stored)
            yield pa.RecordBatch.from_arrays(columns, schema=ear_schema(ear))

    with store.lock():
        store.remember(ears={ear.name: identify.EAR})
        store.append_windows(ear.name, ear_schema(ear), batches())
        store.upsert(pa.Table.from_pylist(rows, schema=RECORDINGS))
    return store


def mixture(place: Vectors, bits: Hashes, rng: np.random.Generator) -> Taken:
    """Prints and hashes of a recording made of stretches of two real ones at once."""
    count, parts, hashes = int(np.clip(rng.lognormal(6.0, 0.6), 60, 2400)), [], []
    while count > 0:
        length = min(count, int(rng.geometric(1 / STRETCH)))
        first, second = rng.integers(len(place) - length, size=2)
        parts.append(place[first : first + length] + rng.uniform(0.6, 1.0) * place[second : second + length])
        of_second = np.packbits(rng.random((length, bits.shape[1], 32)) < SECOND, axis=2).view(np.uint32)[..., 0]
        hashes.append(bits[first : first + length] & ~of_second | bits[second : second + length] & of_second)
        count -= length
    stored = np.concatenate(parts)
    return stored / np.maximum(np.linalg.norm(stored, axis=1, keepdims=True), 1e-9), np.concatenate(hashes)


# --- measuring --------------------------------------------------------------------------------------------------------


def measure(report: Report, store: Store, ear: PrintEar, size: int, clips: Sequence[Clip]) -> None:
    """Adds the rows of one library."""
    report.part = f"{size:,} prints, {size * ear.hop / ear.sample_rate / 3600:.0f} h"
    judged = size == JUDGED
    report.add("taken in for the first time, cells made", timed(lambda: Identifier(store, ear)), "s")
    begun = time.perf_counter()
    identifier = Identifier(store, ear)
    report.add("read by the next process", time.perf_counter() - begun, "s")
    stored, cells = identifier.prints, identifier.prints.cells
    assert cells
    hours = len(stored) * ear.hop / ear.sample_rate / 3600
    plain = stored.codes.nbytes + stored.common.nbytes + stored.hashes.nbytes + stored.first.nbytes
    report.add("memory", plain / hours / 1e6, "MB an hour")
    report.add("memory with cells", (plain + sum(part.nbytes for part in cells)) / hours / 1e6, "MB an hour")
    report.add("table", size_of(Path(store.windows_uri(ear.name))) / hours / 1e6, "MB an hour")
    report.add("cache, cells in it", size_of(store.path / "cache") / hours / 1e6, "MB an hour")
    stored.cells = None
    exact = [find(identifier, clip) for clip in clips]
    stored.cells = cells
    likely = [find(identifier, clip) for clip in clips]
    for kind, wanted in (("as it was", False), ("other guises", True)):
        chosen = [
            i for i, clip in enumerate(clips) if clip.kind != FOREIGN and exact[i].tried == wanted == likely[i].tried
        ]
        times = [1000 * median(found[i].seconds for i in chosen) if chosen else None for found in (exact, likely)]
        add_times(report, f"{kind}, {len(chosen)} clips", times, FASTER if judged and wanted else None)
    strange = [i for i, clip in enumerate(clips) if clip.kind == FOREIGN]
    times = [1000 * median(found[i].seconds for i in strange) for found in (exact, likely)]
    add_times(report, f"{FOREIGN}, {len(strange)} clips", times, None)
    for name, found in (("all prints", exact), ("the most likely", likely)):
        named = sum(found[i].best is not None for i in strange) / len(strange)
        report.add(f"{FOREIGN}: a recording is named, {name}", named, "")
    known = [i for i, clip in enumerate(clips) if clip.kind != FOREIGN]
    for name, found in (("all prints", exact), ("the most likely", likely)):
        right = sum(is_there(found[i].best, clips[i]) for i in known) / len(known)
        report.add(f"right recording and place, {name}", right, "")
    for kind in (*KINDS, None):
        there = [i for i in known if exact[i].best and kind in (clips[i].kind, None)]
        same = sum(is_same(exact[i].best, likely[i].best) for i in there) / len(there) if there else None
        limit = RECALL if judged and kind is None else None
        report.add(f"recall, {kind or 'all'}, {len(there)} clips", same, "", at_least=limit)


def add_times(report: Report, what: str, times: Sequence[float | None], faster: float | None) -> None:
    """Adds the milliseconds of both searches, and how many times as fast the second is."""
    for name, spent in zip(("all prints", "the most likely"), times, strict=True):
        report.add(f"{what}: {name}, median", spent, "ms")
    ratio = times[0] / times[1] if times[0] and times[1] else None
    report.add(f"{what}: times as fast", ratio, "×", at_least=faster)


def find(identifier: Identifier, clip: Clip) -> Found:
    """The best match, the seconds it took, and whether all guises were tried."""
    asked: list[bool] = []
    printed = identifier.printed
    identifier.printed = lambda sound, count, guises: asked.append(len(guises) > 1) or printed(sound, count, guises)
    begun = time.perf_counter()
    matches = identifier.hear(clip.sound, limit=1)
    seconds = time.perf_counter() - begun
    del identifier.printed
    return Found(matches[0] if matches else None, seconds, any(asked))


def place(match: Match) -> float:
    """Where in the recording the clip begins, seconds."""
    return match.start - match.offset * match.speed


def is_there(match: Match | None, clip: Clip) -> bool:
    return match is not None and match.path == str(clip.recording) and abs(place(match) - clip.start) < NEAR


def is_same(one: Match | None, other: Match | None) -> bool:
    return bool(one and other and one.path == other.path and abs(place(one) - place(other)) < NEAR)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
