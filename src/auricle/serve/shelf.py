"""The libraries of a server, and what it adds to each: shown names, files that may be opened, filters in SQL."""

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from auricle.errors import AudioError, AuricleError
from auricle.library import Library
from auricle.library.collections import Collections
from auricle.library.labels import Labels
from auricle.library.speakers import Turn
from auricle.library.store import one_condition, to_recording
from auricle.serve import schemas
from auricle.serve.confine import Confined, is_confined
from auricle.serve.errors import RefusalError, not_found
from auricle.serve.names import Names
from auricle.types import Hit, Recording, Tag

DEFAULT = "default"  # another name of the first library
FACET_TAGS = 200  # most frequent
CONDITIONS_KEPT = 1000
NOTHING: dict[str, Any] = {
    "files": 0, "recordings": 0, "seconds": 0.0, "ears": {}, "quarantined": 0, "bytes": 0, "roots": [], "tags": {},
    "formats": {},
}  # fmt: skip


class Served:
    """One library as it is served."""

    def __init__(self, name: str, folder: Path, ear: str | None):
        self.name, self.ear, self.library = name, ear, Library(folder, ear=ear)
        self.labels, self.collections = Labels(self.library.store), Collections(self.library.store)
        self._conditions: set[str] = set()  # of clients, known to be sound
        self._turns: tuple[int, list[Turn]] | None = None
        self._stats: tuple[int, dict[str, Any]] | None = None  # and the edition they tell of

    @property
    def names(self) -> Names:
        return Names(self.library.store.roots)

    @property
    def edition(self) -> int:
        """Changes with every write to the table of recordings."""
        return self.library.store.edition

    # --- single recordings -----------------------------------------------------------------------------------------

    def copies(self, id: str) -> list[dict[str, Any]]:
        """Rows of all files with content ``id``, by path.

        Raises:
            RefusalError: there is none.
        """
        rows = self.library.store.recordings(f"id = {quoted(id)}").sort_by("path").to_pylist()
        if not rows:
            raise not_found(f"recording {id}", "Search again: it may have been removed")
        return rows

    def recording(self, id: str) -> Recording:
        return to_recording(self.copies(id)[0])

    def open(self, id: str) -> Confined:
        """The file of a recording, opened: the first of its copies that is there.

        Raises:
            RefusalError: there is no such recording, or none of its files may be opened.
        """
        for row in self.copies(id):
            try:
                return Confined(row["path"], self.library.store.roots)
            except AudioError:
                continue
        raise not_found(f"file of recording {id} any more", "Restore it, or run auricle prune")

    def check_confined(self, id: str) -> None:
        """Makes sure that no file of a recording leads out of the indexed folders; one that is gone does not.

        Raises:
            RefusalError: one does.
        """
        for row in self.library.store.recordings(f"id = {quoted(id)}", columns=["path"]).to_pylist():
            if os.path.exists(row["path"]) and not is_confined(row["path"], self.library.store.roots):
                raise RefusalError(409, "A recording leads out of the indexed folders", "Replace the link by the file")

    # --- all recordings --------------------------------------------------------------------------------------------

    def where(self, filters: schemas.Filters, name: str | None = None) -> str | None:
        """Filters as one SQL condition on recordings; ``name`` is a part of the path.

        Raises:
            QueryError: the condition among the filters is none by itself.
        """
        conditions = [f"array_has(tags, {quoted(tag)})" for tag in filters.tags]
        if filters.folder:
            conditions.append(f"starts_with(path, {quoted(os.path.join(self.names.real(filters.folder), ''))})")
        if filters.min_duration is not None:
            conditions.append(f"duration >= {filters.min_duration!r}")
        if filters.max_duration is not None:
            conditions.append(f"duration <= {filters.max_duration!r}")
        if filters.after is not None:
            conditions.append(f"recorded >= TIMESTAMP {quoted(filters.after.isoformat(sep=' '))}")
        if filters.before is not None:
            conditions.append(f"recorded < TIMESTAMP {quoted(filters.before.isoformat(sep=' '))}")
        if name:
            conditions.append(f"contains(lower(path), {quoted(name.lower())})")
        if filters.where and filters.where.strip():
            conditions.append(self._condition(filters.where))
        return " AND ".join(conditions) or None

    def _condition(self, where: str) -> str:
        """A condition of somebody's own, found to be one by itself the first time that it is used."""
        if where not in self._conditions:
            self.library.store.recordings(where, columns=["id"], limit=1)
            if len(self._conditions) >= CONDITIONS_KEPT:
                self._conditions.clear()
            self._conditions.add(where)
        return one_condition(where)

    def page(self, where: str | None, sort: str, limit: int, offset: int) -> tuple[list[Recording], int]:
        """One page of the recordings that pass, each once whatever the number of its copies, and how many there are."""
        store = self.library.store
        table = store.recordings(where, columns=list(dict.fromkeys(["id", "path", sort])))
        table = table.sort_by([(sort, "ascending"), ("path", "ascending")])
        first: dict[str, str] = {}
        for id, path in zip(table["id"].to_pylist(), table["path"].to_pylist(), strict=True):
            first.setdefault(id, path)
        paths = [*first.values()][offset : offset + limit]
        rows = store.rows_by("path", paths)
        return [to_recording(rows[path]) for path in paths if path in rows], len(first)

    def stats(self) -> dict[str, Any]:
        """``Library.stats``, counted again when the recordings have changed; of nothing while the library is empty."""
        edition = self.edition
        if not self.library.store.exists:
            return NOTHING | {"library": str(self.library.path)}
        if self._stats is None or self._stats[0] != edition:
            self._stats = edition, self.library.stats()
        return self._stats[1]

    def turns(self) -> list[Turn]:
        """``Library.speakers``, told apart again when the recordings have changed.

        Raises:
            LibraryError: no ear for voices has listened here.
        """
        edition = self.edition
        if self._turns is None or self._turns[0] != edition:
            self._turns = edition, self.library.speakers()
        return self._turns[1]

    def facets(self) -> schemas.Facets:
        """What the recordings can be filtered by, and how many files each choice leaves."""
        table = self.library.store.recordings(columns=["path", "format", "duration", "recorded", "tags"])
        names = self.names
        folders = Counter(names.folder(path) for path in table["path"].to_pylist())
        tags = Counter(table["tags"].combine_chunks().flatten().to_pylist())
        formats = Counter(table["format"].to_pylist())
        return schemas.Facets(
            tags=[schemas.TagCount(label=label, files=files) for label, files in tags.most_common(FACET_TAGS)],
            folders=[schemas.FolderCount(path=path, files=files) for path, files in sorted(folders.items())],
            formats=[schemas.FormatCount(format=format, files=files) for format, files in formats.most_common()],
            duration=schemas.DurationRange(**_extent(table["duration"])),
            recorded=schemas.DateRange(**_extent(table["recorded"])),
        )


class Shelf:
    """The libraries of one server, by name; the first one also as ``default``.

    Args:
        folders: name -> folder of the library.
        ear: which ear answers in all of them; by default each library's own.

    Raises:
        AuricleError: a name cannot be part of an address.
    """

    def __init__(self, folders: Mapping[str, Path], ear: str | None = None):
        for name in folders:
            if not name or "/" in name:
                raise AuricleError(f"A library cannot be called {name!r}", "Give it a name without slashes")
        self.ear = ear
        self.all = {name: Served(name, folder, ear) for name, folder in folders.items()}

    def __getitem__(self, name: str) -> Served:
        if name == DEFAULT and name not in self.all and self.all:
            return next(iter(self.all.values()))
        if name not in self.all:
            raise not_found(f"library {name!r} here", f"Use one of {', '.join(self.all)}")
        return self.all[name]


def recording_fields(recording: Recording, names: Names) -> dict[str, Any]:
    """A recording as the fields of ``schemas.Recording``."""
    shown = names.shown(recording.path)
    skip = ("path", "tags", "size", "modified")
    facts = {field: getattr(recording, field) for field in recording.__dataclass_fields__ if field not in skip}
    return facts | {
        "path": shown,
        "name": os.path.basename(shown),
        "folder": os.path.dirname(shown),
        "tags": tags(recording.tags),
    }


def hit_fields(hit: Hit, names: Names) -> dict[str, Any]:
    """A hit as the fields of ``schemas.Hit``."""
    shown = names.shown(hit.path)
    facts = {name: getattr(hit, name) for name in ("recording", "start", "end", "score", "duration")}
    return facts | {"path": shown, "name": shown.rpartition("/")[2], "tags": tags(hit.tags)}


def _extent(column: pa.ChunkedArray) -> dict[str, Any]:
    known = [value for value in column.to_pylist() if value is not None]
    return {"min": min(known, default=None), "max": max(known, default=None)}


def tags(found: tuple[Tag, ...]) -> list[dict[str, Any]]:
    """Tags as the fields of ``schemas.Tag``."""
    return [{"label": label, "score": score} for label, score in found]


def quoted(text: str) -> str:
    """A text as SQL says it."""
    return "'" + text.replace("'", "''") + "'"
