"""How fast a warm library answers, how near the answers are to exact ones, and what the cache for it costs.

    python benchmarks/search.py [--esc10 DIR] [--windows N ...] [--json FILE]

The libraries are made of what the default ear hears in the sample recordings (and in ESC-10, a folder of clips per
class, for more variety): each recording is a sequence of stretches of real windows, each stretch with a colouring of
its own, over another sound in the background, each window jittered; vectors stay as sparse and scores as calibrated as
real ones. They are written through the store as an indexing run writes them, in commits of two hours, and compacted.

- *words*, *words, filtered*, *example*, *mix*: ``Library.search`` in this process, warm, ten hits. An example is four
  seconds of a recording in the library; *new file* hears and compares one that is not in it. A filter passes about a
  third of the recordings.
- *recall@10*: of the ten recordings with the nearest window to an example, by exact cosine over all true embeddings,
  how many are among the ten hits (one per recording). The examples are the real recordings, which the library lacks.
- *cold*: ``auricle search`` as a new process on the sample recordings.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from loky import ProcessPoolExecutor
from numpy.typing import NDArray
from rich.progress import track

from _common import AURICLE, DEMO, Report, arguments, cores, index, run, timed
from auricle.audio import stream
from auricle.errors import AudioError
from auricle.library import Library, Part, codes
from auricle.library.index import Index
from auricle.library.ingest import COMMIT_WINDOWS
from auricle.library.listen import TagSummary, hear_blocks, open_ear
from auricle.library.pool import ONE_THREAD
from auricle.library.store import RECORDINGS, Store, ear_schema, windows_table
from auricle.library.vectors import matrix

EAR = "yamnet"
LIMITS = {100_000: 30.0, 1_000_000: 60.0}  # windows -> most milliseconds, p50
RECALL = 0.98
COLD = 1.5  # seconds
WORDS = (
    "a dog barking in the distance", "rain on a tin roof", "somebody walking on gravel", "an engine that stalls",
    "children laughing", "church bells", "wind howling around the house", "a crowd cheering after a goal",
    "glass breaking", "an owl at night", "a slow piano melody", "knocking on a wooden door", "water filling a sink",
    "a helicopter passing overhead", "sheep on a hillside", "a woman speaking on the phone", "thunder far away",
    "a saw cutting wood", "frogs by the pond", "keys jingling",
)  # fmt: skip
FILTER = "duration > 45 AND format = 'WAV'"

Floats = NDArray[np.float32]


def main() -> int:
    args = arguments(
        __doc__,
        esc10={"type": Path, "metavar": "DIR", "help": "folder of ESC-10's clips, to draw from as well"},
        windows={"type": int, "nargs": "+", "default": list(LIMITS), "metavar": "N", "help": "sizes of the libraries"},
        queries={"type": int, "default": 60, "metavar": "N", "help": "queries of each kind (default: 60)"},
        scratch={"type": Path, "metavar": "DIR", "help": "where the libraries go (default: the system's)"},
    )
    sizes, queries = ([3000], 3) if args.quick else (args.windows, args.queries)
    report = Report("Searching", args)
    paths = sorted([*DEMO.rglob("*.*"), *(args.esc10.rglob("*.ogg") if args.esc10 else ())])
    real = Real.heard(paths[:12] if args.quick else paths)
    for size in sizes:
        with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
            make_library(Path(scratch), size, real)
            measure(report, Path(scratch), size, queries, real)
    report.part = "The sample recordings"
    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        library = Path(scratch) / "library"
        index(DEMO / "water" if args.quick else DEMO, "--library", library)
        command = [*AURICLE, "search", WORDS[0], "--library", library]
        report.add("first search after indexing, whole process", run(*command)[0], "s")
        cold = median(run(*command)[0] for _ in range(1 if args.quick else 7))
        report.add("cold search, whole process, median", cold, "s", at_most=COLD)
    return report.finish()


# --- the libraries ---------------------------------------------------------------------------------------------------


class Real:
    """What the ear hears in real recordings."""

    def __init__(self, paths: Sequence[Path], embeddings: Sequence[Floats], scores: Sequence[Floats]):
        self.paths = paths
        self.embeddings, self.scores = np.concatenate(embeddings), np.concatenate(scores)  # [windows, …]
        self.ends = np.cumsum([len(part) for part in embeddings])
        self.starts = self.ends - [len(part) for part in embeddings]

    @classmethod
    def heard(cls, paths: Sequence[Path]) -> "Real":
        """Hears all that can be heard of ``paths``."""
        with ProcessPoolExecutor(cores(), env=ONE_THREAD) as pool:
            heard = list(track(pool.map(hear, paths), "listening", len(paths), transient=True))
        good = [(path, *both) for path, both in zip(paths, heard, strict=True) if both]
        return cls(*zip(*good, strict=True))

    def vector(self, recording: int) -> Floats:
        """Mean embedding of one recording [dim]."""
        return self.embeddings[self.starts[recording] : self.ends[recording]].mean(axis=0)


def hear(path: Path) -> tuple[Floats, Floats] | None:
    """Embeddings and scores of every window of a file; None if it is no sound."""
    ear = open_ear(EAR)
    try:
        parts = [heard for _, _, heard in hear_blocks(ear, stream(path, ear.sample_rate))]
    except AudioError:
        return None
    return np.concatenate([part.embeddings for part in parts]), np.concatenate([part.scores for part in parts])


def make_library(folder: Path, size: int, real: Real) -> None:
    """A library of about ``size`` windows in ``folder / "library"``; the paths of its recordings lie in ``folder``."""
    ear, store, rng = open_ear(EAR), Store(folder / "library"), np.random.default_rng(size)
    written = 0
    with store.lock():
        store.remember(roots=[str(folder)], ears={ear.name: EAR})
        for _ in track(range(-(-size // COMMIT_WINDOWS)), f"making {size:,} windows", transient=True):
            rows, batches = [], []
            room = min(COMMIT_WINDOWS, size - written)
            while room > 0:
                count = int(min(room, np.clip(rng.lognormal(4.0, 1.0), 10, 1200)))
                embeddings, scores = recording(count, real, rng)
                facts = about(folder, len(embeddings), scores, rng)
                rows.append(facts)
                batches.append(windows(facts, embeddings, scores))
                room -= count
                written += count
            store.append_windows(ear.name, ear_schema(ear), iter(batches))
            store.upsert(pa.Table.from_pylist(rows, schema=RECORDINGS))
        store.compact()
        store.windows(ear.name).cleanup_old_versions(older_than=timedelta(0), delete_unverified=True)


def recording(count: int, real: Real, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Embeddings [count, dim] and scores [count, classes] of a recording like no other."""
    rows, behind, share, colour = (np.zeros(count, kind) for kind in (int, int, np.float32, int))
    colours, at = [], 0
    while at < count:
        stretch = min(count - at, int(rng.geometric(1 / 20)))
        source, background = rng.integers(len(real.paths), size=2)
        here = slice(at, at + stretch)
        rows[here] = real.starts[source] + np.arange(stretch) % (real.ends[source] - real.starts[source])
        behind[here] = rng.integers(real.starts[background], real.ends[background])
        share[here] = rng.uniform(0, 0.4)
        colour[here] = len(colours)
        colours.append(np.exp(0.3 * rng.standard_normal(real.embeddings.shape[1], np.float32)))
        at += stretch
    jitter = np.exp(0.15 * rng.standard_normal((count, real.embeddings.shape[1]), np.float32))
    embeddings = real.embeddings[rows] * np.stack(colours)[colour] * jitter + share[:, None] * real.embeddings[behind]
    p = real.scores[rows].clip(1e-6, 1 - 1e-6)
    odds = p / (1 - p) * np.exp(0.7 * rng.standard_normal(p.shape, np.float32))
    scores = 1 - (1 - odds / (1 + odds)) * (1 - share[:, None] * real.scores[behind])
    return embeddings, scores


def about(folder: Path, count: int, scores: Floats, rng: np.random.Generator) -> dict:
    """A row of ``recordings`` for a recording of ``count`` windows."""
    ear, id = open_ear(EAR), rng.bytes(16).hex()
    summary = TagSummary(ear.classes)
    summary.add(scores)
    tags = summary.tags()
    kind = ("WAV", "FLAC", "OGG")[rng.integers(3)]
    recorded = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=int(rng.integers(2_000_000)))
    duration = (count - 1) * ear.hop / ear.sample_rate + ear.window / ear.sample_rate
    return {
        "path": str(folder / f"site {rng.integers(40):02}" / f"{recorded:%Y%m%d-%H%M} {id[:6]}.{kind.lower()}"),
        "id": id,
        "size": int(duration * 176_400),
        "modified": recorded.timestamp(),
        "duration": duration,
        "rate": int(rng.choice([44_100, 48_000, 96_000])),
        "channels": int(rng.integers(1, 3)),
        "format": kind,
        "recorded": recorded,
        "title": "",
        "artist": "",
        "comment": "",
        "device": "",
        "latitude": float(rng.uniform(45, 55)),
        "longitude": float(rng.uniform(0, 20)),
        "tags": [tag.label for tag in tags],
        "tag_scores": [tag.score for tag in tags],
    }


def windows(facts: dict, embeddings: Floats, scores: Floats) -> pa.RecordBatch:
    """The windows of one recording as rows of the windows table."""
    ear, count = open_ear(EAR), len(embeddings)
    starts = np.arange(count) * ear.hop / ear.sample_rate
    lists = (embeddings.astype(np.float16), codes.encode(scores))
    columns = [
        pa.array([facts["id"]] * count),
        pa.array(starts),
        pa.array(starts + ear.window / ear.sample_rate),
        *(pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), part.shape[1]) for part in lists),
    ]
    return pa.record_batch(columns, schema=ear_schema(ear))


# --- measuring -------------------------------------------------------------------------------------------------------


def measure(report: Report, folder: Path, size: int, queries: int, real: Real) -> None:
    """Adds the rows of one library."""
    library = Library(folder / "library")
    built = timed(lambda: library.searcher)
    library = Library(folder / "library")
    mapped = timed(lambda: library.searcher)
    owners = len(library.searcher.index.ids)
    report.part = f"{size:,} windows, {size * 0.48 / 3600:.0f} h, {owners:,} recordings"
    rng = np.random.default_rng(1)
    examples = [excerpt(row, rng) for row in sample(library, queries, rng)]
    new = [str(path) for path in rng.choice(np.array(real.paths), queries)]
    words = [WORDS[i % len(WORDS)] for i in range(queries)]
    kinds: dict[str, Callable[[int], object]] = {
        "words": lambda i: library.search(words[i]),
        "words, filtered": lambda i: library.search(words[i], where=FILTER),
        "example": lambda i: library.search(like=examples[i]),
        "mix of words, an example and one not wanted": lambda i: library.search(
            words[i], like=examples[i], without=examples[i - 1]
        ),
        "new file": lambda i: library.search(like=new[i]),
    }
    for kind, ask in kinds.items():
        for i in range(min(3, queries)):
            ask(i)
        taken = [1000 * timed(lambda i=i, ask=ask: ask(i)) for i in range(queries)]
        judged = LIMITS.get(size) if kind != "new file" else None  # most of which is listening to it
        report.add(f"{kind}, p50", float(np.percentile(taken, 50)), "ms", at_most=judged)
        report.add(f"{kind}, p95", float(np.percentile(taken, 95)), "ms")
    chosen = rng.choice(len(real.paths), min(queries, len(real.paths)), replace=False)
    report.add("recall@10 of examples", recall(library, [real.vector(i) for i in chosen]), "", at_least=RECALL)
    report.add("making the cache", built, "s")
    report.add("opening the cache", 1000 * mapped, "ms")
    report.add("cache on disk", size_of(folder / "library" / "cache") / 2**20, "MiB")
    report.add("windows on disk", size_of(folder / "library" / f"{windows_table(library.ear)}.lance") / 2**20, "MiB")


def sample(library: Library, count: int, rng: np.random.Generator) -> list[dict]:
    """Recordings drawn at random; files are put in their places, so that they count as still being there."""
    table = library.store.recordings(columns=["path", "duration", "modified"]).to_pylist()
    rows = [table[i] for i in rng.integers(len(table), size=count)]
    for row in rows:
        place = Path(row["path"])
        place.parent.mkdir(exist_ok=True)
        place.touch()
        os.utime(place, (row["modified"], row["modified"]))
    return rows


def excerpt(row: dict, rng: np.random.Generator) -> str:
    """Four seconds of a recording, as a query."""
    start = rng.uniform(0, max(0.0, row["duration"] - 4))
    return f"{row['path']}@{start:.1f}-{start + 4:.1f}"


def recall(library: Library, vectors: list[Floats], best: int = 10) -> float:
    """Share of the ``best`` recordings nearest to each vector, by exact search, that the library finds."""
    index = library.searcher.index
    nearest = exact(index, np.stack(vectors))
    shares = []
    for vector, scores in zip(vectors, nearest.T, strict=True):
        wanted = {index.ids[i] for i in np.argpartition(-scores, best)[:best]}
        answer = library.searcher.search([Part(vector=vector)], limit=best, min_score=0.0, one_per_recording=True)
        shares.append(len(wanted & {hit.recording for hit in answer.hits}) / best)
    return float(np.mean(shares))


def exact(index: Index, vectors: Floats) -> Floats:
    """Cosine of each recording's nearest window to each vector, from the library's mean [recordings, vectors]."""
    queries = unit(vectors - index.basis.mean)
    nearest = np.full((len(index.ids), len(vectors)), -1.0, np.float32)
    row = 0
    for batch in index.dataset.to_batches(columns=["embedding"], batch_size=8192):
        cosines = unit(matrix(batch["embedding"]).astype(np.float32) - index.basis.mean) @ queries.T
        np.maximum.at(nearest, index.owner[row : row + len(cosines)], cosines)
        row += len(cosines)
    return nearest


def unit(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    sys.exit(main())
