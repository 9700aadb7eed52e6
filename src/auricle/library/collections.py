"""Collections: stretches of sound that people put together under a name, to keep, play and hand on.

Every change is a row of an append-only log (``collections.lance``), so all of them can be undone, a removal too.
"""

import csv
import io
import os
import tempfile
import uuid
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

import pyarrow as pa

from auricle.audio import probe, read, write
from auricle.errors import AuricleError, LibraryError, QueryError
from auricle.library import formats
from auricle.library.changes import Changes
from auricle.library.formats._names import file_names
from auricle.library.store import Store
from auricle.types import Event, Hit

LONGEST_NAME = 200  # characters
CLIP_VALUES = 2**26  # samples × channels of one clip (256 MiB decoded, 11 min of stereo at 48 kHz); longer ones are cut
PIECE = 2**20  # bytes of an archive handed on at once
FLAC_CHANNELS, FLAC_RATE = 8, 655_350  # the most that FLAC holds; beyond, a clip is a WAV file
DEEP_CODECS = ("PCM_24", "PCM_32", "FLOAT", "DOUBLE")  # clips of these keep 24 bits, others 16
MANIFEST: tuple[str, ...] = ("clip", "path", "start", "end", "recording", "problem")

LOG = pa.schema(
    [
        ("change", pa.int64()),
        ("action", pa.string()),  # "create", "rename", "remove", "add", "take out" or "undo"
        ("undoes", pa.int64()),
        ("id", pa.string()),
        ("name", pa.string()),
        ("items", pa.list_(pa.struct([("recording", pa.string()), ("start", pa.float64()), ("end", pa.float64())]))),
        ("created", pa.timestamp("us", tz="UTC")),
    ]
)


class Item(NamedTuple):
    """``start`` to ``end`` seconds of a recording, named by its content id."""

    recording: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Collection:
    """A named list of stretches, in the order they were added."""

    id: str
    name: str
    items: tuple[Item, ...] = ()
    created: datetime | None = None


class Collections:
    """All collections of one library."""

    def __init__(self, store: Store):
        self.store = store
        self._changes = Changes(store, "collections", LOG)

    def __call__(self) -> list[Collection]:
        """Collections as they now stand, by name."""
        return sorted(self._living().values(), key=lambda one: (one.name.casefold(), one.id))

    def get(self, id: str) -> Collection:
        """One collection.

        Raises:
            LibraryError: there is none of that id.
        """
        found = self._living().get(id)
        if found is None:
            raise LibraryError(f"There is no collection {id!r}", "It may have been removed; undo brings it back")
        return found

    def create(self, name: str) -> Collection:
        """Makes an empty collection.

        Raises:
            QueryError: the name is empty, too long or taken.
        """
        id = uuid.uuid4().hex[:12]
        self._changes.write("create", id=id, name=self._free(name))
        return self.get(id)

    def rename(self, id: str, name: str) -> Collection:
        """Gives a collection another name; raises as ``get`` and ``create``."""
        self._changes.write("rename", id=self.get(id).id, name=self._free(name, besides=id))
        return self.get(id)

    def remove(self, id: str) -> Collection:
        """Removes a collection with its items (``undo`` brings both back) and returns what it was."""
        removed = self.get(id)
        self._changes.write("remove", id=id)
        return removed

    def add(self, id: str, items: Iterable[Item]) -> Collection:
        """Adds stretches at the end; those already there stay where they are.

        Raises:
            QueryError: a stretch makes no sense.
            LibraryError: there is no such collection, or a recording is not in the library.
        """
        held = set(self.get(id).items)
        new = [item for item in map(_item, items) if item not in held]
        known = self.store.rows_by("id", {item.recording for item in new})
        unknown = next((item.recording for item in new if item.recording not in known), None)
        if unknown is not None:
            raise LibraryError(f"No recording {unknown!r} is in the library", "Index it first")
        return self._change_items("add", id, new)

    def take_out(self, id: str, items: Iterable[Item]) -> Collection:
        """Takes stretches out of a collection; those not in it are passed over."""
        held = set(self.get(id).items)
        return self._change_items("take out", id, [item for item in map(_item, items) if item in held])

    def undo(self) -> dict[str, Any] | None:
        """Takes back the latest change that still stands: ``{"action", "collection"}``, None when there is none.

        ``collection`` is the collection as it then stands, or None when what was undone is its making.
        """
        undone = self._changes.undo()
        return undone and {"action": undone["action"], "collection": self._living().get(undone["id"])}

    # --- handing on ------------------------------------------------------------------------------------------------

    def hits(self, id: str) -> list[Hit]:
        """The stretches of a collection whose recordings are still in the library, with score 1."""
        items = self.get(id).items
        rows = self.store.rows_by("id", {item.recording for item in items})
        return [
            Hit(row["path"], item.start, item.end, 1.0, (), item.recording, row["duration"])
            for item in items
            if (row := rows.get(item.recording))
        ]

    def export_m3u8(self, id: str, out: str | os.PathLike[str] | IO[str]) -> None:
        """Writes a playlist of the stretches."""
        hits = self.hits(id)
        formats.write("m3u8", [Event(hit.path, hit.start, hit.end, Path(hit.path).stem) for hit in hits], out)

    def export_zip(self, id: str, out: str | os.PathLike[str] | BinaryIO) -> None:
        """Writes the archive of ``zipped``; a file appears whole or not at all.

        Raises:
            LibraryError: there is no such collection, or ``out`` cannot be written.
        """
        if not isinstance(out, str | os.PathLike):
            out.writelines(self.zipped(id))
            return
        place = Path(out)
        part = place.with_name(f".{place.name}.{os.getpid()}.part")
        try:
            with open(part, "wb") as file:
                file.writelines(self.zipped(id))
            part.replace(place)
        except OSError as error:
            raise LibraryError(f"{place} cannot be written ({error.strerror})", "Choose another place") from None
        finally:
            part.unlink(missing_ok=True)

    def zipped(self, id: str) -> Iterator[bytes]:
        """The clips of a collection as a ZIP archive, piece by piece, so that it never has to lie anywhere whole.

        Clips are FLAC at their recording's own rate, with all its channels. ``manifest.csv``, the last entry, says
        which clip is which stretch, and what could not be cut and why.
        """
        items = self.get(id).items
        rows = self.store.rows_by("id", {item.recording for item in items})
        return _archive(items, {recording: row["path"] for recording, row in rows.items()})

    # --- the log ---------------------------------------------------------------------------------------------------

    def _living(self) -> dict[str, Collection]:
        living: dict[str, Collection] = {}
        for row in self._changes.standing():
            id, items = row["id"], [Item(**item) for item in row["items"] or ()]
            if row["action"] == "create":
                living[id] = Collection(id, row["name"], (), row["created"])
            elif id not in living:  # its making was undone
                continue
            elif row["action"] == "remove":
                del living[id]
            elif row["action"] == "rename":
                living[id] = replace(living[id], name=row["name"])
            elif row["action"] == "add":
                living[id] = replace(living[id], items=tuple(dict.fromkeys([*living[id].items, *items])))
            else:
                gone = set(items)
                living[id] = replace(living[id], items=tuple(item for item in living[id].items if item not in gone))
        return living

    def _change_items(self, action: str, id: str, items: list[Item]) -> Collection:
        if items:
            self._changes.write(action, id=id, items=[item._asdict() for item in items])
        return self.get(id)

    def _free(self, name: str, besides: str = "") -> str:
        name = name.strip()
        if not name or len(name) > LONGEST_NAME:
            raise QueryError(
                f"A name needs between 1 and {LONGEST_NAME} characters", "Say in a few words what is in it"
            )
        if any(one.name.casefold() == name.casefold() and one.id != besides for one in self()):
            raise QueryError(f"There already is a collection {name!r}", "Choose another name")
        return name


def _item(item: Item) -> Item:
    recording, start, end = item.recording, float(item.start), float(item.end)
    if not 0 <= start < end < float("inf"):
        raise QueryError(f"A stretch from {start} s to {end} s makes no sense", "Its end must follow its start")
    return Item(recording, start, end)


def _archive(items: tuple[Item, ...], paths: dict[str, str]) -> Iterator[bytes]:
    sink, told, used = _Sink(), io.StringIO(newline=""), set()
    manifest = csv.DictWriter(told, MANIFEST)
    manifest.writeheader()
    stems = file_names(sorted(set(paths.values())), "")
    with zipfile.ZipFile(sink, "w") as archive, tempfile.TemporaryDirectory() as scratch:
        for item in items:
            facts = {**item._asdict(), "path": paths.get(item.recording, "")}
            try:
                if not facts["path"]:
                    raise LibraryError("The recording is no longer in the library")
                for part, clip in _clips(item, facts["path"], Path(scratch)):
                    name = _unused(f"{stems[facts['path']]}_{part.start:.2f}-{part.end:.2f}s", clip.suffix, used)
                    yield from _stored(archive, sink, clip, name)
                    manifest.writerow(facts | part._asdict() | {"clip": name})
            except AuricleError as error:
                manifest.writerow(facts | {"problem": error.problem})
        archive.writestr("manifest.csv", told.getvalue())
    yield from sink.taken()


def _clips(item: Item, path: str, folder: Path) -> Iterator[tuple[Item, Path]]:
    """Cuts a stretch out of a recording, in parts where it is too long for one, each with the file that holds it."""
    info = probe(path)
    fits = info.channels <= FLAC_CHANNELS and info.sample_rate <= FLAC_RATE
    clip = folder / ("clip.flac" if fits else "clip.wav")
    most = CLIP_VALUES / (info.sample_rate * info.channels)  # seconds
    start = item.start
    while start < item.end:
        part = item._replace(start=start, end=min(item.end, start + most))
        sound, rate = read(path, mono=False, start=part.start, end=part.end)
        write(clip, sound, rate, subtype="PCM_24" if info.codec in DEEP_CODECS else None)
        yield part, clip
        if len(sound) < (part.end - part.start) * rate - 1:  # the recording ends here
            break
        start = part.end


def _stored(archive: zipfile.ZipFile, sink: "_Sink", clip: Path, name: str) -> Iterator[bytes]:
    """Stores a clip under ``name``, handing on the archive as it grows; FLAC would not get any smaller."""
    with open(clip, "rb") as file, archive.open(name, "w", force_zip64=True) as entry:
        while piece := file.read(PIECE):
            entry.write(piece)
            yield from sink.taken()
    yield from sink.taken()


def _unused(stem: str, suffix: str, used: set[str]) -> str:
    """A name that no clip has yet."""
    name, number = stem + suffix, 2
    while name in used:
        name, number = f"{stem} ({number}){suffix}", number + 1
    used.add(name)
    return name


class _Sink(io.RawIOBase):
    """What an archive is written to: holds the bytes until they are taken."""

    def __init__(self):
        self._held: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        self._held.append(bytes(data))
        return len(data)

    def taken(self) -> Iterator[bytes]:
        held, self._held = self._held, []
        yield from held
