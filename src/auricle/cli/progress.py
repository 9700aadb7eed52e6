"""How an indexing run shows where it stands, on standard error: a live bar for people, plain lines for logs."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from auricle.cli.output import clock, say

if TYPE_CHECKING:
    from auricle.library import Progress

LINE_SECONDS = 5.0  # between two plain lines
GUESS_FROM = 0.02  # share of the bytes that must be dealt with before the time to go is guessed


def shown() -> "AbstractContextManager[Callable[[Progress], None]]":
    """Gives the callback for ``Library.index``."""
    return _bar() if sys.stderr.isatty() else _lines()


@contextmanager
def _bar() -> "Iterator[Callable[[Progress], None]]":
    """A live bar that is gone when the run is over."""
    from rich.console import Console
    from rich.progress import BarColumn, SpinnerColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (SpinnerColumn(), BarColumn(bar_width=24), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True, highlight=False), transient=True) as bar:
        task = bar.add_task("getting ready", total=None)

        def tell(state: "Progress") -> None:
            total = state.bytes_total or None  # before the walk is over it is not known
            bar.update(task, total=total, completed=state.bytes, description=line(state))

        yield tell


@contextmanager
def _lines() -> "Iterator[Callable[[Progress], None]]":
    """One line every few seconds, and a last one."""
    told, last = time.monotonic(), None

    def tell(state: "Progress") -> None:
        nonlocal told, last
        last = state
        if time.monotonic() - told >= LINE_SECONDS:
            told = time.monotonic()
            say(line(state))

    yield tell
    if last:
        say(line(last))


def line(state: "Progress") -> str:
    """Files, audio hours, speed and time to go, in one line."""
    parts = [
        f"{state.done:,}/{state.total:,} files",
        f"{state.seconds / 3600:.2f} h heard",
        f"{state.speed:,.0f} × real time",
    ]
    if state.remaining and state.bytes >= GUESS_FROM * state.bytes_total:
        parts.append(f"{clock(state.remaining).partition('.')[0]} left")
    return ", ".join(parts)
