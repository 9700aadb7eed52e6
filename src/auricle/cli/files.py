"""Where hits and events go: the terminal, a pipe, JSON, or files in the formats of other programs."""

import os
from collections.abc import Iterator, Sequence
from itertools import count, groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auricle.cli.options import ToFile
from auricle.cli.output import (
    Cell,
    amount,
    brief,
    for_people,
    heading,
    labels,
    path,
    print_json,
    say,
    score,
    span,
    spans,
    strip,
    table,
    text,
)
from auricle.errors import AuricleError, QueryError

if TYPE_CHECKING:
    from auricle.library.formats import Format
    from auricle.types import Event, Hit


def deliver(results: "Sequence[Hit] | Sequence[Event]", to: ToFile, as_json: bool, label: str = "") -> None:
    """Prints results, or writes them where ``-o`` and ``--format`` say; ``--json`` prints them in any case.

    Args:
        label: what hits are called in files; by default after what was heard there.

    Raises:
        AuricleError: an unknown format, a place that cannot be written, two things that want standard output.
    """
    if to.out or to.format:
        write([as_event(result, label) for result in results], to, as_json)
    elif not as_json:
        show(results)
    if as_json:
        print_json(results)


def as_event(result: Any, label: str = "") -> "Event":
    """A hit as files hold it."""
    from auricle.types import Event

    if isinstance(result, Event):
        return result
    name = label or (result.tags[0].label if result.tags else "")
    return Event(result.path, result.start, result.end, name, result.score)


# --- files ----------------------------------------------------------------------------------------------------------


def write(events: "Sequence[Event]", to: ToFile, as_json: bool) -> list[dict[str, Any]]:
    """Writes events in every format asked for and returns what was written where; nothing when it was printed."""
    from auricle.library import formats

    chosen = wanted(to)
    if to.out is None:
        if as_json or len(chosen) > 1:
            others = "--json" if as_json else "Several formats"
            raise QueryError(f"{others} and standard output do not go together here", "Name a file with -o FILE")
        formats.write(chosen[0].name, events)
        return []
    written = []
    for format in chosen:
        place = target(to.out, format, alone=len(chosen) == 1)
        try:
            formats.write(format.name, events, place)
        except OSError as error:
            raise AuricleError(f"{place} cannot be written ({error.strerror})", "Choose another -o FILE") from None
        say(f"wrote {place}, {amount(len(events), 'row')}")
        written.append({"path": str(place), "format": format.name, "rows": len(events)})
    return written


def wanted(to: ToFile) -> "list[Format]":
    """The formats that ``--format`` names, else the one that the ending of ``-o`` tells."""
    from auricle.library.formats import FORMATS

    names = ", ".join(FORMATS)
    if to.format is None:
        endings = sorted(FORMATS.values(), key=lambda format: -len(format.extension))
        for format in endings:
            if (to.out or "").lower().endswith(format.extension):
                return [format]
        raise QueryError(f"The name {to.out!r} does not tell a format", f"Add --format with one of {names}")
    chosen = [name.strip().lower() for name in to.format.split(",")]
    for name in chosen:
        if name not in FORMATS:
            raise QueryError(f"There is no format {name!r}", f"Use one of {names}")
    return [FORMATS[name] for name in dict.fromkeys(chosen)]


def target(out: str, format: "Format", alone: bool) -> Path:
    """Where one format goes: the folder or the file named, its ending the format's own when there are several."""
    place = Path(out).expanduser()
    if out.endswith(os.sep):
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AuricleError(f"Cannot make the folder {out} ({error.strerror})", "Choose another one") from None
    return place if alone or place.is_dir() else place.with_suffix(format.extension)


# --- terminal and pipe ----------------------------------------------------------------------------------------------


def show(results: Sequence[Any]) -> None:
    """Prints hits or events for people, or as lines for a pipe."""
    if not (results and hasattr(results[0], "label")):
        table(["", "file", "when", "score", "heard there"], map(_hit_row, count(1), results))
    elif for_people():
        for name, events in groupby(results, key=lambda event: event.path):
            heading(path(name))
            table(["what", "", "score", "when"], _timeline(list(events)))
    else:
        rows = ([path(e.path), span(e.start, e.end), text(e.label), score(e.score)] for e in results)
        table(["file", "when", "what", "score"], rows)


def _hit_row(rank: int, hit: "Hit") -> list[Cell]:
    return [Cell("", str(rank), "dim"), path(hit.path), span(hit.start, hit.end), score(hit.score), labels(hit.tags)]


def _timeline(events: "Sequence[Event]") -> Iterator[list[Cell]]:
    """The events of one recording, for people: one row for each class, all on the same time line."""
    whole = max(event.end for event in events)
    for label in dict.fromkeys(event.label for event in events):
        same = [event for event in events if event.label == label]
        stretches = [(event.start, event.end) for event in same]
        best = max(event.score for event in same)
        yield [text(brief(label)), strip(stretches, whole), score(best), spans(stretches)]
