"""Annotation software: Audacity, Raven Pro, JAMS and RTTM."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import PureWindowsPath
from typing import IO
from urllib.parse import quote, unquote

from auricle.library.formats._format import Format, Lines, escape, number, optional, unescape
from auricle.library.formats.tables import to_json
from auricle.types import Event

# Audacity label tracks (https://manual.audacityteam.org/man/importing_and_exporting_labels.html): start, end and label
# between tabs; a second line, a backslash and two frequencies, follows where a label has some. -1 stands for unknown.


def write_audacity(events: Iterable[Event], file: IO[str]) -> None:
    for event in events:
        file.write(f"{number(event.start)}\t{number(event.end)}\t{escape(event.label)}\n")
        if event.low is not None or event.high is not None:
            low, high = (-1.0 if bound is None else bound for bound in (event.low, event.high))
            file.write(f"\\\t{number(low)}\t{number(high)}\n")


def read_audacity(lines: Lines, path: str) -> Iterator[Event]:
    event = None
    for line in filter(None, lines.stripped()):
        first, *rest = line.split("\t", 2)
        if first.startswith("\\"):
            if event and first == "\\" and len(rest) == 2:
                low, high = (None if float(bound) < 0 else float(bound) for bound in rest)
                event = replace(event, low=low, high=high)
            continue  # later versions may add more such lines
        if event:
            yield event
        start, end = float(first), float(first)
        with suppress(IndexError, ValueError):  # a point may have no end
            end = float(rest[0])
            rest = rest[1:]
        event = Event(path, start, end, unescape(rest[0]) if rest else "")
    if event:
        yield event


# Raven Pro selection tables (Raven Pro user's manual): tab-separated, with a header. "Begin Time (s)" counts from the
# start of all that is open in Raven, "File Offset (s)" from the start of "Begin Path"; they are the same here, since
# each recording stands alone. Unknown frequencies are left empty.

_RAVEN = (
    "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)", "Begin Path",
    "Begin File", "File Offset (s)", "Annotation", "Score",
)  # fmt: skip
_RAVEN_PATHS = ("Begin Path", "Begin File")
_RAVEN_LABELS = ("Annotation", "Label", "Common Name", "Species")  # annotation columns are the user's to name
_RAVEN_SCORES = ("Score", "Confidence")


def write_raven(events: Iterable[Event], file: IO[str]) -> None:
    file.write("\t".join(_RAVEN) + "\n")
    for selection, event in enumerate(events, 1):
        start, name = number(event.start), PureWindowsPath(event.path).name  # it splits at / and at \
        cells = (
            str(selection), "Spectrogram 1", "1", start, number(event.end), number(event.low), number(event.high),
            escape(event.path), escape(name), start, escape(event.label), number(event.score),
        )  # fmt: skip
        file.write("\t".join(cells) + "\n")


def read_raven(lines: Lines, path: str) -> Iterator[Event]:
    rows = (line.split("\t") for line in lines.stripped() if line)
    header = next(rows, [])
    seen = set()
    for cells in rows:
        row = dict(zip(header, cells, strict=False))
        where = _first(row, _RAVEN_PATHS)
        selection = (row.get("Selection"), where)
        if selection in seen:  # Raven lists a selection once for each view of the sound
            continue
        if row.get("Selection"):
            seen.add(selection)
        begin, end = float(row["Begin Time (s)"]), float(row["End Time (s)"])
        start = optional(row.get("File Offset (s)"))
        shift = 0.0 if start is None else start - begin
        score = optional(_first(row, _RAVEN_SCORES))
        yield Event(
            path=unescape(where) or path,
            start=begin + shift,
            end=end + shift,
            label=unescape(_first(row, _RAVEN_LABELS)),
            score=1.0 if score is None else score,
            low=optional(row.get("Low Freq (Hz)")),
            high=optional(row.get("High Freq (Hz)")),
        )


def _first(row: dict[str, str], columns: Iterable[str]) -> str:
    return next((row[column] for column in columns if row.get(column)), "")


# JAMS 0.3 (https://jams.readthedocs.io), one object for a recording. It stores durations; an end is thus kept to 1 ns.
# Frequency bounds have no place in ``tag_open``, so they lie in the annotation's sandbox, one for each observation. The
# file's duration, which the jams package demands, is that of the part the events tell of.


def write_jams(events: Iterable[Event], file: IO[str]) -> None:
    events = list(events)
    path = events[0].path if events else ""
    observations = [
        {"time": e.start, "duration": _duration(e), "value": e.label, "confidence": e.score} for e in events
    ]
    bounded = any(e.low is not None or e.high is not None for e in events)
    annotation = {
        "namespace": "tag_open",
        "annotation_metadata": {"annotation_tools": "auricle", "data_source": "program"},
        "data": observations,
        "sandbox": {"auricle": {"low": [e.low for e in events], "high": [e.high for e in events]}} if bounded else {},
    }
    document = {
        "file_metadata": {
            "title": PureWindowsPath(path).stem,
            "duration": max((e.end for e in events), default=0.0),
            "identifiers": {"path": path},
            "jams_version": "0.3.4",
        },
        "annotations": [annotation],
        "sandbox": {},
    }
    file.write(to_json(document) + "\n")


def read_jams(lines: Lines, path: str) -> Iterator[Event]:
    """Every observation whose value is text, of every annotation."""
    document = json.loads(lines.read())
    if not isinstance(document, dict):
        raise TypeError("it holds no JAMS object")
    path = document.get("file_metadata", {}).get("identifiers", {}).get("path", path)
    for annotation in document["annotations"]:
        observations = annotation["data"]
        if not isinstance(observations, list):  # a dense series, such as a pitch contour
            continue
        bounds = annotation.get("sandbox", {}).get("auricle", {})
        unknown = [None] * len(observations)
        lows, highs = bounds.get("low", unknown), bounds.get("high", unknown)
        for observation, low, high in zip(observations, lows, highs, strict=True):
            if isinstance(observation["value"], str):
                start, score = float(observation["time"]), optional(observation["confidence"])
                end = _end(start, observation["duration"])
                yield Event(path, start, end, observation["value"], 1.0 if score is None else score, low, high)


def _duration(event: Event) -> float:
    return round(event.end - event.start, 9)


def _end(start: float, duration: float) -> float:
    return max(start, round(start + duration, 9))


# RTTM (NIST RT-09 evaluation plan, appendix A): ten fields between blanks, the first SPEAKER because scoring tools read
# nothing else. Blanks and % in paths and labels are percent-encoded. A file may describe many recordings.

_MISSING = "<NA>"
_BLANK = re.compile(r"[\s%\x00-\x1f\x7f-\x9f]|^<(?=NA>$)")


def write_rttm(events: Iterable[Event], file: IO[str]) -> None:
    for event in events:
        file.write(
            f"SPEAKER {_encoded(event.path)} 1 {number(event.start)} {number(_duration(event))} {_MISSING} {_MISSING} "
            f"{_encoded(event.label)} {number(event.score)} {_MISSING}\n"
        )


def read_rttm(lines: Lines, path: str) -> Iterator[Event]:
    for line in lines:
        fields = line.split()
        if not fields or line.startswith(";;") or fields[0] == "SPKR-INFO":  # comments; facts about a speaker
            continue
        if len(fields) < 9:
            raise ValueError(f"it has {len(fields)} fields instead of 9 or 10")
        _, file, _, start, duration, words, _, name, score = fields[:9]
        label = words if name == _MISSING else name
        begin = float(start)
        yield Event(
            path=_decoded(file) or path,
            start=begin,
            end=_end(begin, float(duration)),
            label=_decoded(label),
            score=1.0 if score == _MISSING else float(score),
        )


def _encoded(text: str) -> str:
    return _BLANK.sub(lambda match: quote(match[0], safe=""), text) or _MISSING


def _decoded(field: str) -> str:
    return "" if field == _MISSING else unquote(field)


AUDACITY = Format(
    "audacity",
    ".txt",
    "Audacity labels",
    write_audacity,
    read_audacity,
    keeps=("start", "end", "label", "low", "high"),
    one_recording=True,
)
RAVEN = Format("raven", ".selections.txt", "Raven selection tables", write_raven, read_raven)
JAMS = Format("jams", ".jams", "JAMS files", write_jams, read_jams, precision=1e-9, one_recording=True)
RTTM = Format(
    "rttm",
    ".rttm",
    "RTTM files",
    write_rttm,
    read_rttm,
    keeps=("path", "start", "end", "label", "score"),
    precision=1e-9,
)
