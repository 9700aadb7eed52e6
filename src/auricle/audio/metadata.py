"""What a recording tells about itself: title, time, place, device, from the tags each kind of recorder leaves.

Read are: Broadcast Wave's ``bext`` (EBU Tech 3285), GUANO (github.com/riggsd/guano-spec), RIFF INFO, the sentence an
AudioMoth leaves in its comment, ID3 and Vorbis tags, and the tags of MP4 and Matroska when PyAV is installed.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from io import FileIO
from os import PathLike
from typing import Any

from auricle.audio._file import open_regular
from auricle.audio._riff import info_items, read_chunks
from auricle.audio.probe import open_source
from auricle.errors import AudioError, MissingExtra

_LONGEST_TEXT = 4096  # characters kept of any one text
_UNSET_CLOCK = 1970  # the year a recorder without the time writes; MP4's zero is 1904

_AUDIOMOTH = re.compile(
    r"Recorded at (?P<time>\d\d:\d\d:\d\d(?:\.\d+)?) (?P<day>\d\d)/(?P<month>\d\d)/(?P<year>\d{4})"
    r"(?: \(UTC(?P<hours>[+-]\d{1,2}(?:\.\d+)?)?(?::(?P<minutes>\d\d))?\))?"
    r"(?: by (?P<device>AudioMoth(?: [0-9A-Fa-f]{4,16})?))?"
)
_ISO_6709 = re.compile(r"([+-]\d{1,2}(?:\.\d+)?)([+-]\d{1,3}(?:\.\d+)?)")  # +27.5916+086.5640/
_DATE = re.compile(r"(\d{4})\D(\d\d)\D(\d\d)")
_TIME = re.compile(r"(\d\d)\D(\d\d)\D(\d\d)")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file tells of its recording. Empty or None where it tells nothing that makes sense.

    Attributes:
        recorded: when the recording began, in UTC. A time written without its zone is taken as UTC.
        latitude: degrees north, -90 to 90.
        longitude: degrees east, -180 to 180.
        device: maker, model or serial number of the recorder.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    comment: str = ""
    recorded: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    device: str = ""


def metadata(path: str | PathLike[str]) -> Metadata:
    """Reads the tags of a recording: the more specific source wins, GUANO before ``bext`` before a comment's text.

    Odd, broken or absent tags are no error, and neither is a file that is no recording.

    Raises:
        AudioError: the file cannot be opened.
    """
    with open_regular(path) as file:
        sources = _wave(file)
    if sources is None:
        try:
            with open_source(path) as source:
                sources = [_tags(source.tags)]
        except (AudioError, MissingExtra):
            sources = []
    merged: dict[str, Any] = {}
    for facts in sources:
        merged = {**{name: value for name, value in facts.items() if value not in ("", None)}, **merged}
    merged = {**_audiomoth(merged.get("comment", "")), **merged}
    return Metadata(**{field.name: merged[field.name] for field in fields(Metadata) if field.name in merged})


def _wave(file: FileIO) -> list[dict[str, Any]] | None:
    """What each chunk of a WAVE file tells, the best source first; None if the file is none."""
    readers = {b"guan": _guano, b"bext": _bext, b"LIST": _info}
    chunks = read_chunks(file, frozenset(readers))
    if chunks is None:
        return None
    return [readers[name](content) for wanted in readers for name, content in chunks if name == wanted]


def _guano(content: bytes) -> dict[str, Any]:
    fields = dict(_pairs(_text(content)))
    place = fields.get("loc position", "").split()
    return {
        "comment": fields.get("note", "").replace("\\n", "\n"),
        "recorded": _iso_time(fields.get("timestamp", "")),
        "device": f"{fields.get('make', '')} {fields.get('model', '')}".strip(),
        **(_place(*place) if len(place) == 2 else {}),
    }


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            yield key.strip().lower(), value.strip()


def _bext(content: bytes) -> dict[str, Any]:
    # Description [256], Originator [32], OriginatorReference [32], OriginationDate [10], OriginationTime [8], …
    date, time = _DATE.match(_text(content[320:330])), _TIME.match(_text(content[330:338]))
    return {
        "comment": _text(content[:256]),
        "device": _text(content[256:288]),
        "recorded": _time(*date.groups(), *(time.groups() if time else ())) if date else None,
    }


def _info(content: bytes) -> dict[str, Any]:
    items = {name: _text(value) for name, value in info_items(content)}
    named = {"title": b"INAM", "artist": b"IART", "album": b"IPRD", "comment": b"ICMT"}
    facts: dict[str, Any] = {field: items.get(name, "") for field, name in named.items()}
    return {**facts, "recorded": _iso_time(items.get(b"ICRD", ""))}


def _tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """ID3, Vorbis and container tags. Their ``date`` is a release's unless it has a time of day."""
    quicktime = "com.apple.quicktime."
    date = tags.get(quicktime + "creationdate") or tags.get("creation_time") or tags.get("date", "")
    place = _ISO_6709.match(tags.get(quicktime + "location.iso6709") or tags.get("location", ""))
    return {
        **{name: _text(tags.get(name, "")) for name in ("title", "artist", "album")},
        "comment": _text(tags.get("comment") or tags.get("description", "")),
        "recorded": _iso_time(date) if ":" in date else None,
        "device": _text(f"{tags.get(quicktime + 'make', '')} {tags.get(quicktime + 'model', '')}"),
        **(_place(*place.groups()) if place else {}),
    }


def _audiomoth(comment: str) -> dict[str, Any]:
    """``Recorded at 19:17:30 08/12/2019 (UTC+3) by AudioMoth 0FE081F80FE081F0 at gain …``"""
    found = _AUDIOMOTH.search(comment)
    if not found:
        return {}
    hours, minutes = float(found["hours"] or 0), int(found["minutes"] or 0)
    offset = timedelta(hours=hours, minutes=-minutes if hours < 0 else minutes)
    day = _time(found["year"], found["month"], found["day"], *found["time"].split(":"))
    facts = {"recorded": day and _utc(day - offset), "device": found["device"] or ""}
    return {name: value for name, value in facts.items() if value}


def _place(latitude: str, longitude: str) -> dict[str, float]:
    try:
        north, east = float(latitude), float(longitude)
    except ValueError:
        return {}
    return {"latitude": north, "longitude": east} if abs(north) <= 90 and abs(east) <= 180 else {}


def _iso_time(text: str) -> datetime | None:
    try:
        return _utc(datetime.fromisoformat(text.strip()))
    except ValueError:
        return None


def _time(*parts: str) -> datetime | None:
    """Year, month, day and what follows of hour, minute, second, as UTC."""
    try:
        return _utc(datetime(*(int(float(part)) for part in parts)))  # pyright: ignore[reportArgumentType]
    except ValueError:
        return None


def _utc(when: datetime) -> datetime | None:
    if when.year <= _UNSET_CLOCK or when.year >= 9999:  # at either end a zone could lead out of the calendar
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _text(value: bytes | str) -> str:
    """Readable text: up to the first NUL, UTF-8 or else Latin-1, without control characters, of bounded length."""
    if isinstance(value, bytes):
        value = value.split(b"\0", 1)[0]
        try:
            value = value.decode()
        except UnicodeDecodeError:
            value = value.decode("latin-1")
    return "".join(c for c in value[:_LONGEST_TEXT] if c.isprintable() or c in "\n\t").strip()
