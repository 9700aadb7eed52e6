"""The table of clips that every data set becomes: where each is, what is heard in it, whom to keep it apart from."""

import csv
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from auricle.errors import DataError

COLUMNS = {  # every manifest has these, in this order
    "path": pa.string(),  # relative to the manifest's root, with forward slashes, or absolute
    "start": pa.float64(),  # seconds; 0 where the clip begins with its file
    "end": pa.float64(),  # seconds; null where it ends with its file
    "labels": pa.list_(pa.string()),
    "source": pa.string(),  # clips of one source are never split up: a recordist, a package, a voice
    "split": pa.string(),  # "train", "valid", "test", a fold's name, or empty
}
SEPARATOR = ";"  # between the labels of one clip, in CSV
VOCABULARY = b"classes"  # key of the Parquet metadata that holds the classes in their order


class Manifest:
    """An immutable table of clips, one row each, with at least the columns of ``COLUMNS``.

    ``classes`` is the vocabulary, in the order of target columns. Parts of a manifest (``split``, ``filter``, ``take``)
    keep the whole's, so that training and test targets agree whichever classes occur in them.

    Args:
        table: any of ``COLUMNS`` (``path`` at least) and any others; missing ones are filled with their defaults.
        root: the folder that relative paths start from.
        classes: the vocabulary; None for the labels that occur, sorted.

    Raises:
        DataError: there is no ``path`` column, a column holds another type, or a label is not in ``classes``.
    """

    def __init__(self, table: pa.Table, root: str | PathLike[str] = ".", classes: Sequence[str] | None = None):
        self.table = _conformed(table)
        self.root = Path(root)
        heard = {label for labels in self.table["labels"].to_pylist() for label in labels}
        self.classes = tuple(sorted(heard) if classes is None else classes)
        if unknown := sorted(heard - set(self.classes)):
            raise DataError(f"The label {unknown[0]!r} is not one of the {len(self.classes)} classes")

    @classmethod
    def from_rows(
        cls,
        rows: Iterable[Mapping[str, Any]],
        root: str | PathLike[str] = ".",
        classes: Sequence[str] | None = None,
    ) -> "Manifest":
        """A manifest of dictionaries with one entry a column; an entry that is absent is null."""
        rows = list(rows)
        names = dict.fromkeys(name for row in rows for name in row) or dict.fromkeys(["path"])
        columns = {name: pa.array([row.get(name) for row in rows], COLUMNS.get(name)) for name in names}
        return cls(pa.table(columns), root, classes)

    @classmethod
    def read(cls, path: str | PathLike[str]) -> "Manifest":
        """Reads what ``write`` wrote; relative paths start from the file's own folder.

        A CSV needs a header with ``path``. In ``labels``, several are separated by semicolons. Its other columns are
        text, and its classes are the labels that occur, sorted: only Parquet keeps types and vocabulary.

        Raises:
            DataError: the file is no manifest.
        """
        path = Path(path)
        try:
            if path.suffix == ".parquet":
                table = pq.read_table(path)
                classes = (table.schema.metadata or {}).get(VOCABULARY)
                return cls(table, path.parent, json.loads(classes) if classes else None)
            with path.open(encoding="utf-8-sig", newline="") as file:
                return cls.from_rows(map(_parsed, csv.DictReader(file)), path.parent)
        except (pa.ArrowInvalid, UnicodeDecodeError, ValueError, OSError) as error:
            raise DataError(f"{path} is not a readable manifest: {error}") from error

    def write(self, path: str | PathLike[str]) -> None:
        """Writes ``.parquet`` or ``.csv``, with paths made relative to where it is written (absolute across drives).

        Raises:
            DataError: another suffix, or a label with a semicolon in a CSV.
        """
        path = Path(path)
        table = self.table.set_column(0, "path", pa.array([_relative(p, path.parent) for p in self.paths], pa.string()))
        if path.suffix == ".parquet":
            metadata = {VOCABULARY: json.dumps(self.classes).encode()}
            pq.write_table(table.replace_schema_metadata(metadata), path)
        elif path.suffix == ".csv":
            if bad := [name for name in self.classes if SEPARATOR in name]:
                raise DataError(f"The label {bad[0]!r} cannot stand in a CSV", "Write Parquet, or rename it")
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, table.column_names, lineterminator="\n")
                writer.writeheader()
                writer.writerows({**row, "labels": SEPARATOR.join(row["labels"])} for row in table.to_pylist())
        else:
            raise DataError(f"{path.name} names no format of manifests", "Use .parquet or .csv")

    def __len__(self) -> int:
        return self.table.num_rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows, as dictionaries."""
        return iter(self.table.to_pylist())

    def __repr__(self) -> str:
        return f"Manifest({len(self)} clips, {len(self.classes)} classes, root={fspath(self.root)!r})"

    def __add__(self, other: "Manifest") -> "Manifest":
        """The clips of both. Paths become absolute where the roots differ; new classes go to the end."""
        ours, theirs = self, other
        if self.root != other.root:
            ours, theirs = self._absolute(), other._absolute()
        table = pa.concat_tables([ours.table, theirs.table], promote_options="default")
        return Manifest(table, ours.root, tuple(dict.fromkeys(self.classes + other.classes)))

    @property
    def paths(self) -> list[Path]:
        """Where the clips' files are, one a row."""
        return [self.root / path for path in self.table["path"].to_pylist()]

    def column(self, name: str) -> list[Any]:
        """The values of one column.

        Raises:
            DataError: there is none of this name.
        """
        if name not in self.table.column_names:
            raise DataError(f"The manifest has no column {name!r}", f"It has {', '.join(self.table.column_names)}")
        return self.table[name].to_pylist()

    def with_column(self, name: str, values: Sequence[Any]) -> "Manifest":
        """The same clips with column ``name`` set to ``values``, one a row."""
        values = pa.array(list(values), COLUMNS.get(name))
        table = self.table
        if name in table.column_names:
            return self._of(table.set_column(table.column_names.index(name), name, values))
        return self._of(table.append_column(name, values))

    def take(self, rows: Sequence[int] | NDArray[np.integer]) -> "Manifest":
        """The clips of these rows, in this order."""
        return self._of(self.table.take(pa.array(np.asarray(rows, np.int64))))

    def filter(self, keep: Callable[[dict[str, Any]], bool] | None = None, /, **columns: Any) -> "Manifest":
        """The clips for which ``keep(row)`` is true and each named column holds the value, or one of the values.

        >>> manifest.filter(source="wesnoth")
        >>> manifest.filter(lambda row: "bird" in row["labels"], split=("train", "valid"))
        """
        chosen = np.ones(len(self), bool)
        for name, wanted in columns.items():
            values = {wanted} if isinstance(wanted, str) or not isinstance(wanted, Iterable) else set(wanted)
            chosen &= [value in values for value in self.column(name)]
        if keep:
            chosen &= [bool(keep(row)) for row in self]
        return self._of(self.table.filter(pa.array(chosen)))

    def split(self, name: str) -> "Manifest":
        """The clips of one split.

        Raises:
            DataError: no clip is in it.
        """
        part = self.filter(split=name)
        if not len(part):
            known = ", ".join(sorted(filter(None, set(self.column("split"))))) or "none"
            raise DataError(f"There is no split {name!r}", f"The splits are: {known}")
        return part

    def keep_classes(self, classes: Sequence[str]) -> "Manifest":
        """The clips with any of ``classes``, which become the vocabulary; their other labels are dropped."""
        wanted = set(classes)
        kept = [[label for label in labels if label in wanted] for labels in self.column("labels")]
        table = self.with_column("labels", kept).table.filter(pa.array([bool(labels) for labels in kept]))
        return Manifest(table, self.root, classes)

    def targets(self, classes: Sequence[str] | None = None, multilabel: bool = False) -> NDArray[Any]:
        """Class numbers int64 [clips], or with ``multilabel`` 0 and 1 as float32 [clips, classes].

        Raises:
            DataError: a label is not in ``classes``, or a clip has not exactly one while ``multilabel`` is off.
        """
        classes = self.classes if classes is None else classes
        number = {name: i for i, name in enumerate(classes)}
        labels = self.column("labels")
        if unknown := {name for row in labels for name in row} - set(number):
            raise DataError(f"The label {min(unknown)!r} is not one of the {len(number)} classes")
        if multilabel:
            targets = np.zeros((len(self), len(number)), np.float32)
            for target, row in zip(targets, labels, strict=True):
                target[[number[name] for name in row]] = 1
            return targets
        for path, row in zip(self.paths, labels, strict=True):
            if len(row) != 1:
                raise DataError(f"{path} has {len(row)} labels", "Ask for multilabel targets, or leave it out")
        return np.array([number[name] for (name,) in labels], np.int64)

    def fingerprint(self) -> str:
        """SHA-256 of all rows and the vocabulary, in hex: the same wherever the files lie, another after any change."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for row in self:
            digest.update(json.dumps(row, sort_keys=True, default=str).encode())
        return digest.hexdigest()

    def _of(self, table: pa.Table) -> "Manifest":
        return Manifest(table, self.root, self.classes)

    def _absolute(self) -> "Manifest":
        return self.with_column("path", [path.absolute().as_posix() for path in self.paths])


def _conformed(table: pa.Table) -> pa.Table:
    """``table`` with all of ``COLUMNS`` first, in their types, and no nulls but in ``end``."""
    if "path" not in table.column_names:
        raise DataError(f"A manifest needs a column 'path'; this one has {', '.join(table.column_names) or 'none'}")
    defaults = {"start": 0.0, "labels": [], "source": "", "split": ""}
    columns = {}
    for name, kind in COLUMNS.items():
        try:
            values = table[name].cast(kind) if name in table.column_names else pa.nulls(len(table), kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(f"The column {name!r} holds no {kind}: {error}") from error
        if name in defaults and values.null_count:
            values = pa.array([defaults[name] if value is None else value for value in values.to_pylist()], kind)
        columns[name] = values
    return pa.table(columns | {name: table[name] for name in table.column_names if name not in COLUMNS})


def _parsed(row: dict[str, str]) -> dict[str, Any]:
    """A row of a CSV with the standard columns in their types."""
    times = {name: float(row[name]) if row[name] else None for name in ("start", "end") if name in row}
    labels = [label.strip() for label in (row.get("labels") or "").split(SEPARATOR) if label.strip()]
    return row | times | {"labels": labels}


def _relative(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # on another drive
        return path.absolute().as_posix()
