"""Events to and from the files of other programs.

>>> from auricle.library import formats
>>> formats.write("audacity", events, "dog.txt")
>>> formats.read("audacity", "dog.txt", path="dog.wav")

========  ==============================================================  =====================================
name      for                                                             what survives the way there and back
========  ==============================================================  =====================================
csv       spreadsheets, pandas                                            everything
parquet   pandas, Polars, DuckDB, Arrow                                   everything
json      programs                                                        everything
raven     Raven Pro, and what reads its selection tables                  everything
m3u8      players: a playlist of the stretches (VLC keeps to the times)   everything
audacity  Audacity's label tracks                                         start, end, label, low, high
jams      MIR tools (JAMS 0.3, namespace ``tag_open``)                    everything, ends to the nanosecond
rttm      diarisation tools                                               all but low, high; to the nanosecond
srt vtt   video players and editors                                       start, end, label, to the millisecond
========  ==============================================================  =====================================

Audacity, JAMS, SRT and WebVTT files describe one recording. Given a folder, `write` makes one file for each.

Files are UTF-8. Labels and paths may hold any character: where a format has no way to say a tab or a line break, it is
written ``\\u{9}`` or ``\\u{a}`` (its code point, hexadecimal) and read back as it was. Bytes of a path that are not
UTF-8, as Linux allows, are written as they are (except in Parquet, which refuses them).
"""

import csv
import io
import os
import secrets
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import IO, Any

from auricle.errors import QueryError
from auricle.library.formats import annotation, captions, playlist, tables
from auricle.library.formats._format import Format, Lines
from auricle.library.formats._names import file_names
from auricle.types import Event

__all__ = ["FORMATS", "Format", "formats", "read", "write"]

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        tables.CSV,
        tables.PARQUET,
        tables.JSON,
        annotation.AUDACITY,
        annotation.RAVEN,
        annotation.JAMS,
        annotation.RTTM,
        playlist.M3U8,
        captions.SRT,
        captions.VTT,
    )
}


def formats() -> list[Format]:
    """Every format there is, spreadsheets first."""
    return list(FORMATS.values())


def write(format: str, events: Iterable[Event], out: str | PathLike[str] | IO[Any] | None = None) -> None:
    """Writes ``events`` in ``format``.

    Args:
        format: one of `FORMATS`.
        events: times in seconds with ``0 <= start <= end``; a file holds them in this order.
        out: a file, which appears whole or not at all; an existing folder, which gets one file for each recording,
            named after it; an open file; or None for the standard output.

    Raises:
        QueryError: an unknown format, an event it cannot hold, or several recordings for a format that describes one.
    """
    spec = _named(format)
    checked = map(_checked, events)
    try:
        if isinstance(out, str | PathLike) and Path(out).is_dir():
            groups = _by_recording(checked)
            names = file_names(groups, spec.extension)
            for path, group in groups.items():
                _write_one(spec, group, Path(out) / names[path])
        else:
            _write_one(spec, list(checked) if spec.one_recording else checked, out)
    except UnicodeEncodeError as error:
        problem = f"{spec.description} cannot hold {error.object[error.start : error.end]!r}, which is not Unicode"
        raise QueryError(problem, "Rename the recording, or choose json") from error


def read(format: str, source: str | PathLike[str] | IO[Any], *, path: str = "") -> list[Event]:
    """Reads what `write`, or the program the format belongs to, has written.

    Args:
        format: one of `FORMATS`.
        source: a file, by name or open.
        path: of the recording, for the formats that do not hold it.

    Raises:
        QueryError: an unknown format, or a file that is not in it; the message says where and why.
        OSError: the file cannot be opened.
    """
    spec = _named(format)
    if isinstance(source, str | PathLike):
        with open(source, "rb") as file:
            return _read_one(spec, file, path, os.fspath(source))
    return _read_one(spec, source, path, getattr(source, "name", "the file"))


def _named(format: str) -> Format:
    if format not in FORMATS:
        raise QueryError(f"There is no format named {format!r}", f"Use one of {', '.join(FORMATS)}")
    return FORMATS[format]


def _checked(event: Event) -> Event:
    numbers = (event.start, event.end, event.score, event.low or 0.0, event.high or 0.0)
    if not all(map(isfinite, numbers)) or not 0 <= event.start <= event.end or min(numbers[3:]) < 0:
        raise QueryError(f"{event} is no event", "Times and frequencies are finite, and 0 <= start <= end")
    return event


def _by_recording(events: Iterable[Event]) -> dict[str, list[Event]]:
    groups: dict[str, list[Event]] = {}
    for event in events:
        groups.setdefault(event.path, []).append(event)
    return groups


def _write_one(spec: Format, events: Iterable[Event], out: str | PathLike[str] | IO[Any] | None) -> None:
    if spec.one_recording and isinstance(events, list):
        paths = {event.path for event in events}
        if len(paths) > 1:
            raise QueryError(
                f"{spec.description} describe one recording, and these events come from {len(paths)}",
                "Write into an existing folder to get one file for each recording, or choose csv, json or raven",
            )
    if isinstance(out, str | PathLike):
        with _whole(Path(out)) as file:
            _encode(spec, events, file)
    else:
        _encode(spec, events, sys.stdout if out is None else out)


@contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """Opens a file beside ``path`` that takes its place when it is complete; pipes and devices are written directly."""
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    if not path.parent.is_dir():
        raise QueryError(f"There is no folder {path.parent}", "Make it first")
    draft = path.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _encode(spec: Format, events: Iterable[Event], out: IO[Any]) -> None:
    raw = getattr(out, "buffer", out)  # the bytes below a text file, since the encoding is the format's
    if hasattr(raw, "encoding"):  # text without bytes below: io.StringIO
        if spec.binary:
            raise QueryError(f"{spec.description} are not text", "Write to a file")
        spec.write(events, raw)
        return
    if raw is not out:
        out.flush()
    if spec.binary:
        if raw.isatty():
            raise QueryError(f"{spec.description} are not text", "Write to a file")
        spec.write(events, raw)
        return
    text = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        spec.write(events, text)
    finally:
        text.detach()


def _read_one(spec: Format, source: IO[Any], path: str, name: str) -> list[Event]:
    raw = getattr(source, "buffer", source)
    if spec.binary or hasattr(raw, "encoding"):
        return _decode(spec, raw, path, name)
    text = io.TextIOWrapper(raw, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        return _decode(spec, text, path, name)
    finally:
        text.detach()


def _decode(spec: Format, file: IO[Any], path: str, name: str) -> list[Event]:
    lines = Lines(file)
    try:
        return [_checked(event) for event in spec.read(file if spec.binary else lines, path)]
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error, QueryError) as error:
        place = f"{name}, line {lines.number}" if lines.number else name
        problem = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise QueryError(f"{place}: not {spec.name}: {problem}", "Check that the file is in this format") from error
