"""Manifests from labels as people keep them: folders, tables, and the label files of Audacity and Raven."""

import csv
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from auricle.audio import is_audio_name
from auricle.data.manifest import SEPARATOR, Manifest
from auricle.errors import DataError

RAVEN_BEGIN, RAVEN_END, RAVEN_FILE = "Begin Time (s)", "End Time (s)", "Begin File"
RAVEN_LABELS = ("Annotation", "Species", "Label", "Class", "Tag")  # columns that hold the label, the first there is


def from_folders(folder: str | PathLike[str]) -> Manifest:
    """Every recording below ``folder``, labelled with the name of the folder it lies in directly under ``folder``.

    Recordings of ``folder/train/LABEL``, ``valid`` and ``test``, where all its folders are called so, get that split.

    Raises:
        DataError: there are no recordings in folders below it.
    """
    root = Path(folder)
    tops = {path.name for path in root.iterdir() if path.is_dir()} if root.is_dir() else set()
    depth = 1 if tops and tops <= {"train", "valid", "test"} else 0
    rows = []
    for path in _recordings(root):
        parts = path.relative_to(root).parts
        if len(parts) > depth + 1:
            split = parts[0] if depth else ""
            rows.append({"path": "/".join(parts), "labels": [parts[depth]], "split": split})
    if not rows:
        raise DataError(f"{root} holds no recordings in folders", "Put each class's recordings in a folder of its name")
    return Manifest.from_rows(rows, root)


def from_csv(
    table: str | PathLike[str],
    root: str | PathLike[str] | None = None,
    *,
    path: str = "path",
    label: str = "label",
    separator: str = SEPARATOR,
    **columns: str,
) -> Manifest:
    """A table of clips, comma- or tab-separated (``.tsv``, ``.txt``), with a header.

    Args:
        table: the file.
        root: where its relative paths start; None for its own folder.
        path: the column of paths.
        label: the column of labels.
        separator: what stands between several labels of one clip.
        columns: what other columns are called, as in ``start="onset", end="offset", source="recordist"``. Columns
            that are not named so keep their names; times are in seconds.

    Raises:
        DataError: a column is missing, or a time is not a number.
    """
    table = Path(table)
    rows = list(_table(table))
    named = {"path": path, "labels": label} | columns
    if rows and (missing := [name for name in named.values() if name not in rows[0]]):
        raise DataError(f"{table} has no column {missing[0]!r}", f"Its columns are {', '.join(rows[0])}")
    taken = set(named.values())
    found = []
    for number, row in enumerate(rows, 2):
        clip: dict[str, Any] = {name: value for name, value in row.items() if name not in taken}
        clip |= {name: row[column].strip() for name, column in named.items()}
        clip["labels"] = [part.strip() for part in clip["labels"].split(separator) if part.strip()]
        for name in ("start", "end"):
            if name in clip:
                clip[name] = _seconds(clip[name], f"{table}, line {number}")
        found.append(clip)
    return Manifest.from_rows(found, table.parent if root is None else root)


def from_audacity(folder: str | PathLike[str]) -> Manifest:
    """The labelled stretches of the recordings below ``folder`` that have a label track ``NAME.txt`` beside them.

    Tracks are as Audacity exports them: start, end and label between tabs; lines of frequencies, which begin with a
    backslash, are passed over. Point labels (no length) and empty ones too. A recording is one source.

    Raises:
        DataError: no recording has a label track, or a line is none.
    """

    def stretches(file: Path) -> Iterator[tuple[float, float, str]]:
        for number, line in enumerate(file.read_text("utf-8-sig").splitlines(), 1):
            if not line.strip() or line.startswith("\\"):
                continue
            start, end, label = [*line.split("\t", 2), "", ""][:3]
            where = f"{file}, line {number}"
            yield _required(start, where), _required(end, where), label.strip()

    return _beside(Path(folder), ".txt", stretches, "label track")


def from_raven(folder: str | PathLike[str], label: str | None = None) -> Manifest:
    """The selections of the recordings below ``folder`` that have a Raven selection table beside them.

    A table is called ``NAME.Table.1.selections.txt`` or ``NAME.selections.txt``, or names its recording in the column
    "Begin File". A recording is one source.

    Args:
        folder: where to look, with all folders below it.
        label: the column of labels; None for the first there is of Annotation, Species, Label, Class, Tag.

    Raises:
        DataError: there is no such table, it lacks a column, or a time is not a number.
    """
    root = Path(folder)
    recordings = {path.name: path for path in _recordings(root)}
    stems = {path.stem: path for path in recordings.values()}
    rows = []
    for table in sorted(root.rglob("*.selections.txt")):
        for number, row in enumerate(_table(table, "\t"), 2):
            column = label or next((name for name in RAVEN_LABELS if name in row), "")
            if missing := [name for name in (RAVEN_BEGIN, RAVEN_END, column) if name not in row]:
                needed = missing[0] or " or ".join(RAVEN_LABELS)
                raise DataError(f"{table} has no column {needed}", f"Its columns are {', '.join(row)}")
            name = Path(row.get(RAVEN_FILE) or "").name
            path = recordings.get(name) or stems.get(table.name.removesuffix(".selections.txt").split(".Table.")[0])
            if path is None:
                raise DataError(f"{table} has no recording", "Keep it beside its recording, named after it")
            where = f"{table}, line {number}"
            start, end = _required(row[RAVEN_BEGIN], where), _required(row[RAVEN_END], where)
            rows.append(_stretch(path, root, start, end, row[column].strip()))
    rows = [row for row in dict.fromkeys(rows) if row[2] > row[1] and row[3]]  # a table has a line for every view
    return _stretches(rows, root, "selection table")


def _beside(
    root: Path, suffix: str, parse: Callable[[Path], Iterator[tuple[float, float, str]]], kind: str
) -> Manifest:
    rows = []
    for path in _recordings(root):
        if (labels := path.with_suffix(suffix)).exists():
            rows += [_stretch(path, root, *part) for part in parse(labels) if part[1] > part[0] and part[2]]
    return _stretches(rows, root, kind)


def _stretch(path: Path, root: Path, start: float, end: float, label: str) -> tuple[str, float, float, str]:
    return path.relative_to(root).as_posix(), start, end, label


def _stretches(rows: Sequence[tuple[str, float, float, str]], root: Path, kind: str) -> Manifest:
    if not rows:
        raise DataError(f"{root} holds no recording with a {kind}", f"Put each {kind} beside its recording")
    names = ("path", "start", "end", "labels", "source")
    return Manifest.from_rows(
        [dict(zip(names, (path, start, end, [label], path), strict=True)) for path, start, end, label in rows],
        root,
    )


def _recordings(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if is_audio_name(path.name) and path.is_file())


def _table(path: Path, delimiter: str | None = None) -> Iterator[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            tabs = delimiter or ("\t" if path.suffix in (".tsv", ".txt") else ",")
            for row in csv.DictReader(file, delimiter=tabs):
                yield {name: value or "" for name, value in row.items() if name is not None}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a readable table: {error}") from error


def _seconds(text: str, where: str) -> float | None:
    return _required(text, where) if text.strip() else None


def _required(text: str, where: str) -> float:
    try:
        return float(text.strip().replace(",", "."))  # some locales write a decimal comma
    except ValueError:
        raise DataError(f"{where}: {text!r} is no time in seconds") from None
