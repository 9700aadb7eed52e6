"""The tables of a library: Lance datasets in one folder, named as LanceDB names them.

    LIBRARY/
      library.json           schema version, roots that were indexed, ears that have listened
      recordings.lance       one row per file (path is the key, id the content's hash)
      windows_<ear>.lance    one row per window heard: embedding, scores as 8-bit codes, hashes
      quarantine.json        files that could not be heard, with reasons
      journal.jsonl          what each run did
      cache/                 derived matrices for fast search; safe to delete

Commit order makes a kill harmless: the windows of a recording are appended in one atomic commit *before* its row in
``recordings`` appears. Windows without a recording are therefore leftovers of an interrupted run and are swept.
"""

import errno
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from auricle import __version__
from auricle.errors import LibraryError, QueryError
from auricle.types import Ear, PrintEar, Recording, Tag

SCHEMA_VERSION = 1
ROWS_PER_FRAGMENT = 131_072  # compaction target: about 17 h of sound and 340 MB a fragment
SMALL_FRAGMENTS = 8  # compact once more than this many small fragments have piled up
KEEP_VERSIONS = timedelta(minutes=10)  # a search that began on an older version can finish

RECORDINGS = pa.schema(
    [
        ("path", pa.string()),
        ("id", pa.string()),
        ("size", pa.int64()),
        ("modified", pa.float64()),
        ("duration", pa.float64()),
        ("rate", pa.int32()),
        ("channels", pa.int32()),
        ("format", pa.string()),
        ("recorded", pa.timestamp("us", tz="UTC")),
        ("title", pa.string()),
        ("artist", pa.string()),
        ("comment", pa.string()),
        ("device", pa.string()),
        ("latitude", pa.float64()),
        ("longitude", pa.float64()),
        ("tags", pa.list_(pa.string())),
        ("tag_scores", pa.list_(pa.float32())),
    ]
)


def windows_schema(dim: int, classes: int, hashes: int = 0) -> pa.Schema:
    """Columns of ``windows_<ear>.lance``; times in seconds, ``scores`` as codes of ``auricle.library.codes``."""
    columns = [
        ("recording", pa.string()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("embedding", pa.list_(pa.float16(), dim)),
    ]
    if classes:
        columns.append(("scores", pa.list_(pa.uint8(), classes)))
    if hashes:
        columns.append(("hashes", pa.list_(pa.uint32(), hashes)))
    return pa.schema(columns)


def ear_schema(ear: Ear) -> pa.Schema:
    return windows_schema(ear.dim, len(ear.classes), ear.hashes if isinstance(ear, PrintEar) else 0)


class Store:
    """The files of one library. Opening never writes; the first write creates the folder."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path).expanduser().resolve()
        self._about: tuple[tuple[int, int], dict[str, Any]] | None = None  # library.json, and which one
        self._kept: dict[str, tuple[frozenset[str], Any]] = {}  # tables that are read, and the versions there were
        self._rows: _Rows | None = None  # of recordings, read
        version = self.about.get("schema", SCHEMA_VERSION)
        if version > SCHEMA_VERSION:
            raise LibraryError(
                f"The library {self.path} has schema {version}, this auricle knows up to {SCHEMA_VERSION}",
                "Upgrade auricle: pip install -U auricle",
            )

    # --- the small files -------------------------------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        return (self.path / "library.json").is_file()

    @property
    def about(self) -> dict[str, Any]:
        """Contents of ``library.json``: ``schema``, ``created``, ``roots``, ``ears`` (name -> how to load it)."""
        path = self.path / "library.json"
        try:
            state = os.stat(path)
        except OSError:
            return {}
        if self._about is None or self._about[0] != (state.st_ino, state.st_mtime_ns):  # every write makes a new file
            self._about = (state.st_ino, state.st_mtime_ns), _read_json(path, {})
        return self._about[1]

    def remember(self, roots: Iterable[str] = (), ears: dict[str, str] | None = None) -> None:
        """Notes which folders were indexed and which ears (name -> spec) listened; to be called under the lock."""
        about = {**self.about} or {"schema": SCHEMA_VERSION, "created": _now(), "roots": [], "ears": {}}
        about |= {
            "auricle": __version__,
            "roots": _union(about["roots"], roots),
            "ears": about["ears"] | (ears or {}),
        }
        write_json(self.path / "library.json", about)

    @property
    def roots(self) -> list[Path]:
        return [Path(root) for root in self.about.get("roots", [])]

    @property
    def ears(self) -> dict[str, str]:
        """The ears that have listened here, name -> spec that loads it; the first is the library's own default."""
        return self.about.get("ears", {})

    def ear(self, wanted: str) -> tuple[str, str] | None:
        """Name and spec of the ear that ``wanted`` means, by its name, with or without tag, or by its spec; None if it
        has not listened here. Of several tags, it is the one that came last."""
        for name, spec in reversed(self.ears.items()):
            if wanted in (name, spec, name.partition("@")[0]):
                return name, spec
        return None

    @property
    def quarantine(self) -> dict[str, dict[str, Any]]:
        """Files that could not be heard: path -> ``{"reason", "size", "modified"}``."""
        return _read_json(self.path / "quarantine.json", {})

    @quarantine.setter
    def quarantine(self, files: dict[str, dict[str, Any]]) -> None:
        write_json(self.path / "quarantine.json", files)

    def journal(self, event: str, **facts: Any) -> None:
        """Appends one line to the journal and makes sure it is on disk."""
        with open(self.path / "journal.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"time": _now(), "event": event, **facts}, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    @contextmanager
    def lock(self, wait: bool = True, name: str = "index") -> Iterator[None]:
        """Holds the right to write: one process at a time for each ``name``, released even by a kill.

        Raises:
            LibraryError: another process is writing and ``wait`` is false; the disk is full or refuses to be written.
        """
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / f"{name}.lock")
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                lock.acquire(timeout=-1 if wait else 0)
            except Timeout:
                raise LibraryError(
                    f"Another auricle is writing to {self.path}", "Wait until it is done and run again"
                ) from None
            with lock:
                yield

    @property
    def ended_cleanly(self) -> bool:
        """False when the last run was killed between its first write and its end."""
        try:
            lines = (self.path / "journal.jsonl").read_text(encoding="utf-8").splitlines()
        except OSError:
            return True
        return not lines or '"event": "end"' in lines[-1]

    # --- recordings ------------------------------------------------------------------------------------------------

    @cached_property
    def _lance(self):
        os.environ.setdefault("LANCE_LOG", "error")  # its notes on normal writes are not for people
        import lance

        return lance

    def _open(self, table: str):
        folder = self.path / f"{table}.lance"
        if not any((folder / "_versions").glob("*.manifest")):  # none after a first write that failed, either
            return None
        try:
            return self._lance.dataset(str(folder))
        except (OSError, ValueError) as error:
            raise LibraryError(
                f"The table {folder} cannot be read ({_first_line(error)})", "Restore it from a backup or index again"
            ) from None

    def _read(self, table: str):
        """A table as it is now, for reading alone: kept open for as long as nobody writes to it."""
        try:
            versions = frozenset(os.listdir(self.path / f"{table}.lance" / "_versions"))
        except OSError:
            return None
        before, dataset = self._kept.get(table, (None, None))
        if versions != before:
            dataset = self._open(table)
            self._kept[table] = versions, dataset
        return dataset

    def recordings(
        self, where: str | None = None, columns: list[str] | None = None, limit: int | None = None
    ) -> pa.Table:
        """Rows of ``recordings`` that pass the SQL filter ``where`` (columns as in ``RECORDINGS``).

        Raises:
            QueryError: the filter cannot be understood; the message lists the columns.
        """
        dataset = self._read("recordings")
        if dataset is None:
            return RECORDINGS.empty_table().select(columns or RECORDINGS.names)
        try:
            return dataset.to_table(filter=where and one_condition(where), columns=columns, limit=limit)
        except (OSError, ValueError) as error:
            if where is None:
                raise
            raise QueryError(
                f"The filter {where!r} cannot be used: {_first_line(error)}",
                f"It is SQL over the columns {', '.join(RECORDINGS.names)}, such as: duration > 60",
            ) from None

    @property
    def edition(self) -> int:
        """Version of ``recordings``; it changes with every write. 0 while there is none."""
        dataset = self._read("recordings")
        return dataset.version if dataset is not None else 0

    def rows_by(self, key: str, values: Iterable[str], columns: list[str] | None = None) -> dict[str, dict[str, Any]]:
        """Rows of ``recordings`` whose ``key`` ("path" or "id") is among ``values``; one row for each value found."""
        dataset = self._read("recordings")
        if dataset is None:
            return {}
        rows = self._rows
        if rows is None or rows.dataset is not dataset:
            rows = self._rows = _Rows(dataset)
        return rows.by(key, values, columns)

    def living_ids(self, gone: set[str]) -> set[str]:
        """Content ids that some path other than ``gone`` still holds."""
        table = self.recordings(columns=["path", "id"])
        pairs = zip(table["path"].to_pylist(), table["id"].to_pylist(), strict=True)
        return {id for path, id in pairs if path not in gone}

    def upsert(self, recordings: pa.Table) -> None:
        """Adds or replaces rows of ``recordings`` by path, in one commit."""
        if recordings.num_rows == 0:
            return
        dataset = self._open("recordings")
        if dataset is None:
            self._lance.write_dataset(recordings, str(self.path / "recordings.lance"))
            return
        dataset.merge_insert("path").when_matched_update_all().when_not_matched_insert_all().execute(recordings)

    def forget(self, paths: Iterable[str]) -> None:
        """Removes rows of ``recordings``; their windows go with the next ``sweep``."""
        dataset = self._open("recordings")
        for chunk in _chunks(paths, 500):
            if dataset is not None:
                dataset.delete(f"path IN ({', '.join(map(_quote, chunk))})")

    # --- other tables ----------------------------------------------------------------------------------------------

    def log(self, table: str) -> list[dict[str, Any]]:
        """All rows of a small append-only table, in the order they were written."""
        dataset = self._open(table)
        return dataset.to_table().to_pylist() if dataset is not None else []

    def append(self, table: str, rows: pa.Table) -> None:
        """Appends rows to a table, made when it is not there yet, in one commit."""
        mode = "create" if self._open(table) is None else "append"
        self._lance.write_dataset(rows, str(self.path / f"{table}.lance"), mode=mode)

    # --- windows ---------------------------------------------------------------------------------------------------

    def windows_uri(self, ear: str) -> str:
        return str(self.path / f"{windows_table(ear)}.lance")

    def version(self, ear: str) -> int:
        """Version of an ear's windows table; it changes with every write. 0 while there is none."""
        dataset = self.windows(ear)
        return dataset.version if dataset is not None else 0

    def windows(self, ear: str):
        """The Lance dataset of an ear's windows, or None while the ear has heard nothing."""
        return self._read(windows_table(ear))

    def append_windows(self, ear: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> None:
        """Appends windows in one commit, streaming: memory does not grow with the number of batches."""
        reader = pa.RecordBatchReader.from_batches(schema, batches)
        mode = "create" if self.windows(ear) is None else "append"
        self._lance.write_dataset(reader, self.windows_uri(ear), schema, mode, max_rows_per_file=ROWS_PER_FRAGMENT)

    def commit_fragments(self, ear: str, schema: pa.Schema, fragments: list[Any]) -> None:
        """Commits fragments that workers wrote, all at once (the scale-out path)."""
        dataset = self.windows(ear)
        if dataset is None:
            operation, version = self._lance.LanceOperation.Overwrite(schema, fragments), 0
        else:
            operation, version = self._lance.LanceOperation.Append(fragments), dataset.version
        self._lance.LanceDataset.commit(self.windows_uri(ear), operation, read_version=version)

    def heard(self, ear: str) -> set[str]:
        """Content ids of the recordings whose windows an ear has stored."""
        dataset = self.windows(ear)
        if dataset is None:
            return set()
        ids: set[str] = set()
        for batch in dataset.to_batches(columns=["recording"]):
            ids.update(batch.column(0).unique().to_pylist())
        return ids

    def sweep(self) -> int:
        """Deletes windows that no recording owns (left by a kill, a changed or a pruned file); returns how many."""
        owned = set(self.recordings(columns=["id"])["id"].to_pylist())
        swept = 0
        for ear in self.ears:
            dataset = self._open(windows_table(ear))
            if dataset is None:
                continue
            for chunk in _chunks(sorted(self.heard(ear) - owned), 500):
                before = dataset.count_rows()
                dataset.delete(f"recording IN ({', '.join(map(_quote, chunk))})")
                swept += before - dataset.count_rows()
        return swept

    def compact(self) -> None:
        """Merges small fragments and drops old versions, so that files do not pile up over months of use."""
        for table in ("recordings", "labels", *(windows_table(ear) for ear in self.ears)):
            dataset = self._open(table)
            if dataset is None:
                continue
            rows = [fragment.count_rows() for fragment in dataset.get_fragments()]
            if sum(count < ROWS_PER_FRAGMENT // 2 for count in rows) > SMALL_FRAGMENTS:
                dataset.optimize.compact_files(target_rows_per_fragment=ROWS_PER_FRAGMENT)
            dataset.cleanup_old_versions(older_than=KEEP_VERSIONS, delete_unverified=True)


class _Rows:
    """A version of ``recordings`` in memory."""

    def __init__(self, dataset: Any):
        self.dataset, self._table = dataset, dataset.to_table()
        self._places: dict[str, dict[str, int]] = {}  # row of each value of a key
        self._columns: dict[str, list[Any]] = {}

    def by(self, key: str, values: Iterable[str], columns: list[str] | None) -> dict[str, dict[str, Any]]:
        """A row of each of ``values`` that is there."""
        if key not in self._places:
            self._places[key] = {value: row for row, value in enumerate(self._table[key].to_pylist())}
        places = self._places[key]
        found = [value for value in dict.fromkeys(values) if value in places]
        if columns is None:
            rows = self._table.take(pa.array([places[value] for value in found], pa.int64()))
            return dict(zip(found, rows.to_pylist(), strict=True))
        kept = {column: self._column(column) for column in columns}
        return {value: {column: kept[column][places[value]] for column in columns} for value in found}

    def _column(self, name: str) -> list[Any]:
        if name not in self._columns:
            self._columns[name] = self._table[name].to_pylist()
        return self._columns[name]


def windows_table(ear: str) -> str:
    """Table name of an ear's windows: ``"yamnet@int8"`` -> ``"windows_yamnet_int8"``."""
    return "windows_" + "".join(c if c.isalnum() else "_" for c in ear)


def to_recording(row: dict[str, Any]) -> Recording:
    """A row of ``recordings`` as the type people get."""
    return Recording(
        id=row["id"],
        path=row["path"],
        duration=row["duration"],
        sample_rate=row["rate"],
        channels=row["channels"],
        format=row["format"],
        size=row["size"],
        modified=row["modified"],
        recorded=row["recorded"],
        title=row["title"] or "",
        artist=row["artist"] or "",
        latitude=row["latitude"],
        longitude=row["longitude"],
        tags=tuple(Tag(*pair) for pair in zip(row["tags"] or (), row["tag_scores"] or (), strict=True)),
    )


@contextmanager
def writing(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Around writes below ``folder``: says in words why the disk refuses them. What was committed before stays.

    Raises:
        LibraryError: no space is left, or the folder may not be written.
    """
    try:
        yield
    except OSError as error:
        told = re.search(r"\(os error (\d+)\)", str(error))  # Lance gives the system's error in its text only
        code = error.errno or (int(told[1]) if told else 0)
        if code in (errno.ENOSPC, errno.EDQUOT):
            raise LibraryError(
                f"The disk of {os.fspath(folder)} is full", "Free some space and run again: nothing is lost"
            ) from error
        if code in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise LibraryError(
                f"{os.fspath(folder)} cannot be written ({os.strerror(code)})",
                "Check its permissions, or choose another --library",
            ) from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Replaces a JSON file atomically: a reader, or a kill, sees the old one or the new one."""
    part = path.with_suffix(".part")
    with open(part, "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _read_json(path: Path, default: Any) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except (OSError, ValueError) as error:
        raise LibraryError(
            f"{path} cannot be read ({_first_line(error)})", "Restore it from a backup or remove it"
        ) from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _union(first: Iterable[str], then: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*first, *then]))


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    items = list(items)
    return (items[i : i + size] for i in range(0, len(items), size))


def _quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def one_condition(where: str) -> str:
    """``where`` in brackets: by itself Lance would read as much of it as makes sense and ignore what follows.

    Raises:
        ValueError: it closes a bracket that it has not opened.
    """
    depth = 0
    for character in re.sub(r"'[^']*'|\"[^\"]*\"|`[^`]*`", "", where):
        depth += (character == "(") - (character == ")")
        if depth < 0:
            raise ValueError("a closing bracket too many")
    return f"({where}\n)"  # on a line of its own: a comment may end the condition


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
