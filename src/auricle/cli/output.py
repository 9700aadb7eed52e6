"""What commands print: JSON for programs, tables on a terminal, plain lines (tab-separated) in a pipe."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any, NamedTuple

BAR = 6  # characters of a score bar
STRIP = 28  # characters of a timeline
LABELS = 3  # tags shown to people
SPANS = 2  # stretches of one class shown to people
FIXED = {"", "name", "score", "length"}  # columns that never wrap


def say(text: str) -> None:
    """Tells the person something that is not the answer: standard error, so that pipes stay clean."""
    print(text, file=sys.stderr, flush=True)


def warn(problem: object) -> None:
    """Reports something that went wrong without ending the command."""
    say(f"auricle: warning: {problem}")


def print_json(value: Any) -> None:
    """The whole of a command's standard output under ``--json``: one array, or one object."""
    print(json.dumps(jsonable(value), ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def jsonable(value: Any) -> Any:
    """Dataclasses and tags as objects, dates as ISO 8601, containers item by item."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: jsonable(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):  # a named tuple, such as a tag
        return jsonable(value._asdict())  # pyright: ignore[reportAttributeAccessIssue]
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value.isoformat() if isinstance(value, datetime) else value


class Cell(NamedTuple):
    """One value of a table: exact for pipes, readable for people."""

    plain: str
    pretty: str
    style: str = ""


def text(value: object, style: str = "") -> Cell:
    return Cell(str(value), str(value), style)


def path(name: str) -> Cell:
    """Relative on a terminal when it lies below the current folder."""
    return Cell(name, short(name), "cyan")


def span(start: float, end: float) -> Cell:
    return Cell(f"{start:.3f}\t{end:.3f}", f"{clock(start)}–{clock(end)}")


def spans(stretches: Sequence[tuple[float, float]]) -> Cell:
    """The first of several stretches, and how many more there are."""
    shown = ", ".join(span(*stretch).pretty for stretch in stretches[:SPANS])
    return Cell(shown, shown + (f" +{len(stretches) - SPANS} more" if len(stretches) > SPANS else ""))


def score(value: float) -> Cell:
    filled = round(value * BAR)
    return Cell(f"{value:.4f}", f"{'█' * filled}{'░' * (BAR - filled)} {value:.2f}", "green")


def tags(found: Iterable[Any]) -> Cell:
    """Labels with their scores, best first."""
    found = list(found)
    pretty = "  ".join(f"{brief(label)} {score:.2f}" for label, score in found[:LABELS])
    return Cell("; ".join(f"{label} {score:.2f}" for label, score in found), pretty, "dim")


def labels(found: Iterable[Any]) -> Cell:
    """As ``tags``, the scores left out for people."""
    found = list(found)
    return tags(found)._replace(pretty=", ".join(brief(label) for label, _ in found[:LABELS]))


def strip(stretches: Sequence[tuple[float, float]], whole: float) -> Cell:
    """Where in a recording of ``whole`` seconds some stretches lie, as a picture; nothing in a pipe."""
    cells = ["·"] * STRIP
    for start, end in stretches:
        first = min(int(start / whole * STRIP), STRIP - 1) if whole else 0
        last = max(first + 1, round(end / whole * STRIP)) if whole else STRIP
        cells[first:last] = "━" * (last - first)
    return Cell("", "".join(cells), "magenta")


def brief(label: str) -> str:
    """A class name up to its first comma; the rest are other names for the same."""
    return label.partition(",")[0]


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]], *, titled: bool = True) -> None:
    """Prints rows: aligned under ``headers`` on a terminal, else one line each, cells separated by tabs."""
    rows = list(rows)
    if not for_people():
        for row in rows:
            print("\t".join(cell.plain for cell in row if cell.plain))
    elif rows:
        from rich.table import Table
        from rich.text import Text

        grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=titled)
        for header in headers:
            grid.add_column(header, overflow="fold", no_wrap=header in FIXED)
        for row in rows:
            grid.add_row(*(Text(cell.pretty, cell.style) for cell in row))
        _console().print(grid)


def facts(values: dict[str, Cell]) -> None:
    """Prints names with their values, one a line."""
    table(["name", "value"], ([text(name, "bold"), cell] for name, cell in values.items()), titled=False)


def heading(cell: Cell) -> None:
    """Prints what the table below is about, for people only."""
    if for_people():
        from rich.text import Text

        _console().print(Text(cell.pretty, cell.style))


def _console():
    from rich.console import Console

    return Console(highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")


def for_people() -> bool:
    """Whether somebody looks at standard output; ``FORCE_COLOR`` says so when it is a pipe, e.g. into a pager."""
    return sys.stdout.isatty() or bool(os.environ.get("FORCE_COLOR"))


def clock(seconds: float) -> str:
    """Seconds as ``m:ss.s``, or ``h:mm:ss.s`` from an hour on."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    ending = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{ending}" if hours else f"{minutes}:{ending}"


def short(name: str) -> str:
    """A path relative to the current folder when it lies below it."""
    relative = os.path.relpath(name)
    return name if relative.startswith(os.pardir) else relative


def amount(count: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
