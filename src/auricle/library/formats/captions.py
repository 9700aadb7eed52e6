"""Captions: SubRip and WebVTT (https://www.w3.org/TR/webvtt1/), a cue for each event.

Times are rounded to the millisecond, and a cue lasts at least one, since players drop empty ones. Hours may pass 99.
SubRip has no way to escape anything, so players may take ``<i>`` in a label for italics; WebVTT has.
"""

import re
from collections.abc import Iterable, Iterator
from html import escape as html_escape
from html import unescape as html_unescape
from typing import IO

from auricle.library.formats._format import Format, Lines, escape, unescape
from auricle.types import Event

_TIME = r"(?:(\d+):)?(\d+):(\d+)[.,](\d{3})"
_TIMES = re.compile(rf"\s*{_TIME}\s+-->\s+{_TIME}")
_TAG = re.compile(r"<[^>]*>")


def write_srt(events: Iterable[Event], file: IO[str]) -> None:
    for count, event in enumerate(events, 1):
        file.write(f"{count}\n{_times(event).replace('.', ',')}\n{escape(event.label)}\n\n")


def read_srt(lines: Lines, path: str) -> Iterator[Event]:
    for start, end, text in _cues(lines):
        yield Event(path, start, end, unescape(text))


def write_vtt(events: Iterable[Event], file: IO[str]) -> None:
    file.write("WEBVTT\n\n")
    for event in events:
        file.write(f"{_times(event)}\n{html_escape(escape(event.label), quote=False)}\n\n")


def read_vtt(lines: Lines, path: str) -> Iterator[Event]:
    for start, end, text in _cues(lines):
        yield Event(path, start, end, unescape(html_unescape(_TAG.sub("", text))))


def _times(event: Event) -> str:
    start = round(event.start * 1000)
    end = max(start + 1, round(event.end * 1000))
    return f"{_clock(start)} --> {_clock(end)}"


def _clock(milliseconds: int) -> str:
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds / 1000:06.3f}"


def _cues(lines: Lines) -> Iterator[tuple[float, float, str]]:
    """Start and end in seconds, and text, of every block that has times in its first or second line."""
    for block in _blocks(lines):
        for i, line in enumerate(block[:2]):
            if match := _TIMES.match(line):
                yield _seconds(*match.groups()[:4]), _seconds(*match.groups()[4:]), "\n".join(block[i + 1 :])
                break
        else:
            if any("-->" in line for line in block):
                raise ValueError("a cue has no times like 00:01:02.345 --> 00:01:03.456")


def _blocks(lines: Lines) -> Iterator[list[str]]:
    block = []
    for line in lines.stripped():
        if line:
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _seconds(hours: str | None, minutes: str, seconds: str, milliseconds: str) -> float:
    return (int(hours or 0) * 3_600_000 + int(minutes) * 60_000 + int(seconds) * 1000 + int(milliseconds)) / 1000


_KEEPS = ("start", "end", "label")
_OFF = 1.5e-3  # seconds: half a millisecond, and one more at the end of an instant
SRT = Format("srt", ".srt", "SubRip captions", write_srt, read_srt, keeps=_KEEPS, precision=_OFF, one_recording=True)
VTT = Format("vtt", ".vtt", "WebVTT captions", write_vtt, read_vtt, keeps=_KEEPS, precision=_OFF, one_recording=True)
