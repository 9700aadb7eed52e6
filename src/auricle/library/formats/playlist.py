"""Playlists: extended M3U in UTF-8, an entry for each event.

VLC plays the stretch alone, by its ``#EXTVLCOPT`` lines; other players play the recording. The comment ``#AURICLE:``
holds the event itself, in JSON. (It is not called ``#EXT-X-…``: by such names players recognise HTTP live streams.)
"""

import json
from collections.abc import Iterable, Iterator
from typing import IO

from auricle.library.formats._format import Format, Lines, escape, number, unescape
from auricle.library.formats.tables import from_fields, to_fields, to_json
from auricle.types import Event

_EVENT, _TITLE, _START, _STOP = "#AURICLE:", "#EXTINF:", "#EXTVLCOPT:start-time=", "#EXTVLCOPT:stop-time="


def write_m3u8(events: Iterable[Event], file: IO[str]) -> None:
    file.write("#EXTM3U\n")
    for event in events:
        path = escape(event.path)
        file.write(
            f"{_TITLE}{max(1, round(event.end - event.start))},{escape(event.label)}\n"
            f"{_START}{number(event.start)}\n{_STOP}{number(event.end)}\n"
            f"{_EVENT}{to_json(to_fields(event))}\n"
            f"{'./' if path.startswith('#') or not path.strip() else ''}{path}\n"
        )


def read_m3u8(lines: Lines, path: str) -> Iterator[Event]:
    """Events of ``#AURICLE:`` lines, and entries of other playlists that have a start and a stop time."""
    known: dict[str, str] = {}
    for line in lines.stripped():
        if line.startswith(_EVENT):
            yield from_fields(json.loads(line.removeprefix(_EVENT)))
            known[_EVENT] = line
        elif line.startswith("#"):
            known |= {key: line.removeprefix(key) for key in (_TITLE, _START, _STOP) if line.startswith(key)}
        elif line:
            if _EVENT not in known and _START in known and _STOP in known:
                _, _, title = known.get(_TITLE, "").partition(",")
                yield Event(unescape(line), float(known[_START]), float(known[_STOP]), unescape(title))
            known = {}


M3U8 = Format("m3u8", ".m3u8", "M3U playlists", write_m3u8, read_m3u8)
