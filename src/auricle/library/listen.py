"""Listening to one file: decode -> resample -> windows -> ear, in blocks, with memory that does not grow with length.

These functions run inside worker processes (and Ray tasks). They know nothing of the library's tables: what they hear
goes into a file of Arrow batches, which whoever commits then reads back.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from auricle.audio import metadata, open_regular, probe, stream
from auricle.errors import AudioError
from auricle.hub import ear as ears
from auricle.library import codes, own_tags
from auricle.library.store import ear_schema, writing
from auricle.types import Ear, Heard, Tag, Waveform, windows_in

BLOCK_WINDOWS = 64  # windows heard at a time: 31 s for the default ear; the rows do not depend on it
HASH_BYTES = 1 << 20  # of a file read at a time
TAGS_KEPT = 8
TAG_FLOOR = 0.1  # a class below this is not worth naming


@dataclass(frozen=True, slots=True)
class Listened:
    """One file, heard. ``staged`` holds its windows as an Arrow stream."""

    path: str
    id: str
    size: int
    modified: float
    duration: float
    rate: int
    channels: int
    format: str
    recorded: datetime | None
    title: str
    artist: str
    comment: str
    device: str
    latitude: float | None
    longitude: float | None
    tags: tuple[Tag, ...]
    windows: int
    staged: str

    def row(self) -> dict:
        """The file as a row of ``recordings``."""
        skip = ("tags", "windows", "staged")
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in skip}
        return facts | own_tags.columns(self.tags)


@lru_cache(maxsize=2)
def open_ear(spec: str) -> Ear:
    """Loads an ear once per process; ``spec`` as in ``auricle.hub.ear.open_ear``."""
    return ears.open_ear(spec)


def content_id(path: str) -> str:
    """Identity of a file: the BLAKE3 hash of its bytes, 32 hexadecimal digits."""
    from blake3 import blake3

    hasher, buffer = blake3(), bytearray(HASH_BYTES)
    try:
        with open_regular(path) as file:  # read, not mapped: pages of the whole file would count as memory in use
            while read := file.readinto(buffer):
                hasher.update(memoryview(buffer)[:read])
    except OSError as error:
        raise AudioError(path, f"It cannot be read ({error.strerror})", "Check its permissions and the disk") from None
    return hasher.hexdigest(length=16)


def listen(path: str, id: str, ear_spec: str, staging: str, own: tuple[str, str] = ("", "")) -> Listened:
    """Hears a whole file and stages its windows in folder ``staging``.

    ``own`` are the folder and the stamp of the tags taught to the ear, see ``own_tags.load``.

    Raises:
        AudioError: the file cannot be heard; nothing is left behind.
        LibraryError: the disk is full.
    """
    ear = open_ear(ear_spec)
    state = os.stat(path)
    info = probe(path)
    about = metadata(path)
    part = Path(staging) / f"{id}.part"
    summary, strongest = TagSummary(ear.classes), own_tags.Strongest(own_tags.load(*own))
    samples = 0
    try:
        with (
            writing(staging),
            pa.OSFile(str(part), "wb") as file,
            pa.ipc.new_stream(file, ear_schema(ear)) as sink,
        ):
            for first, block, heard in hear_blocks(ear, stream(path, ear.sample_rate, block=30.0)):
                samples = first * ear.hop + block
                sink.write_batch(_batch(ear, id, first, samples, heard))
                summary.add(heard.scores)
                strongest.add(heard.embeddings)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    staged = part.with_suffix(".arrow")
    part.replace(staged)
    return Listened(
        path=path,
        id=id,
        size=state.st_size,
        modified=state.st_mtime,
        duration=samples / ear.sample_rate,
        rate=info.sample_rate,
        channels=info.channels,
        format=info.format,
        recorded=about.recorded,
        title=about.title,
        artist=about.artist,
        comment=about.comment,
        device=about.device,
        latitude=about.latitude,
        longitude=about.longitude,
        tags=own_tags.merged(summary.tags(), strongest.tags()),
        windows=windows_in(samples, ear.window, ear.hop),
        staged=str(staged),
    )


def staged_batches(listened: Listened) -> Iterator[pa.RecordBatch]:
    """Reads back what ``listen`` staged, batch by batch, with no more than a batch in memory."""
    with pa.OSFile(listened.staged) as file:
        yield from pa.ipc.open_stream(file)


T = TypeVar("T", covariant=True)


class Hears(Protocol[T]):
    """An ear or a detector: hears whole windows of ``window`` samples every ``hop``."""

    window: int
    hop: int

    def hear(self, waveform: Waveform) -> T: ...


def hear_blocks(ear: Hears[T], blocks: Iterator[Waveform]) -> Iterator[tuple[int, int, T]]:
    """Cuts a stream of samples into blocks of whole windows and hears them.

    Yields ``(first window, samples covered from its start, heard)``; only the last block is filled with zeros. The
    cuts depend on the number of samples alone, not on how ``blocks`` arrive, so the same sound gives the same rows.
    """
    step = BLOCK_WINDOWS * ear.hop
    need = step - ear.hop + ear.window  # samples that hold exactly BLOCK_WINDOWS windows
    held: list[Waveform] = []
    count = first = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        while count > need:  # more to come: the last window of the recording is not in this block
            buffer = np.concatenate(held)
            yield first, need, ear.hear(buffer[:need])
            held, count, first = [buffer[step:]], count - step, first + BLOCK_WINDOWS
    rest = np.concatenate(held) if held else np.zeros(0, np.float32)
    windows = windows_in(len(rest), ear.window, ear.hop)
    filled = np.zeros((windows - 1) * ear.hop + ear.window, np.float32)
    filled[: len(rest)] = rest
    yield first, len(rest), ear.hear(filled)


def _batch(ear: Ear, id: str, first: int, samples: int, heard: Heard) -> pa.RecordBatch:
    """Windows ``first``… of a recording as rows; ``samples`` bounds their ends."""
    starts = (first + np.arange(len(heard.embeddings))) * ear.hop
    columns = [
        pa.array([id] * len(starts), pa.string()),
        pa.array(starts / ear.sample_rate),
        pa.array(np.minimum(starts + ear.window, samples) / ear.sample_rate),
        _lists(heard.embeddings.astype(np.float16)),
    ]
    if heard.scores is not None:
        columns.append(_lists(codes.encode(heard.scores)))
    if heard.hashes is not None:
        columns.append(_lists(heard.hashes))
    return pa.record_batch(columns, schema=ear_schema(ear))


def _lists(matrix: NDArray) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), matrix.shape[1])


class TagSummary:
    """What a whole recording sounds like: per class, halfway between its mean and its loudest window.

    The mean alone forgets a single bark in an hour of rain, the maximum alone lets one doubtful window speak for all.
    """

    def __init__(self, classes):
        self.classes = classes
        self.total = np.zeros(len(classes), np.float64)
        self.peak = np.zeros(len(classes), np.float32)
        self.windows = 0

    def add(self, scores: NDArray[np.float32] | None) -> None:
        """Takes in the scores [windows, classes] of one block."""
        if scores is not None:
            self.total += scores.sum(axis=0, dtype=np.float64)
            self.peak = np.maximum(self.peak, scores.max(axis=0))
            self.windows += len(scores)

    def tags(self, count: int = TAGS_KEPT, floor: float = TAG_FLOOR) -> tuple[Tag, ...]:
        """The ``count`` most certain tags scoring at least ``floor``, best first."""
        if not self.windows:
            return ()
        scores = (self.total / self.windows + self.peak) / 2
        best = np.argsort(-scores, kind="stable")[:count]
        return tuple(Tag(self.classes[i], round(float(scores[i]), 4)) for i in best if scores[i] >= floor)
