"""Options that several verbs share, so that they are spelt and mean the same everywhere."""

import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from auricle.cli.output import say

if TYPE_CHECKING:
    from auricle.library import Library

_NO_DEFAULT = ("None", "False", "()", "")


def option(metavar: str | None = None, *, name: str | None = None, short: str | None = None) -> Any:
    """How an option looks in ``--help``: its placeholder, another name than the field's, a one-letter form."""
    return tyro.conf.arg(
        name=name,
        metavar=metavar,
        aliases=(short,) if short else None,
        help_behavior_hint=lambda default: "" if default in _NO_DEFAULT else f"(default: {default})",
    )


SHARED = tyro.conf.arg(name="")  # marks a field that holds shared options: they show up as if they were the verb's own

Limit = Annotated[int, option("N", short="-n")]
Where = Annotated[str | None, option("SQL")]
MinScore = Annotated[float | None, option("SCORE")]


class _Aloud(logging.Handler):
    """Log records as plain lines on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        say(record.getMessage())


@dataclass
class Anywhere:
    """What every verb takes."""

    json: Annotated[bool, option()] = False
    """Print JSON on standard output and nothing else there."""

    offline: Annotated[bool, option()] = False
    """Fetch nothing: use only the weights that are already here."""

    def apply(self) -> None:
        """Makes ``--offline`` hold for this process and its workers, and what auricle fetches visible."""
        if self.offline:
            os.environ["AURICLE_OFFLINE"] = "1"
        log = logging.getLogger("auricle")
        if not any(isinstance(handler, _Aloud) for handler in log.handlers):
            log.addHandler(_Aloud())
            log.setLevel(logging.INFO)


@dataclass
class InLibrary(Anywhere):
    """What every verb that asks or fills a library takes."""

    library: Annotated[Path | None, option("DIR")] = None
    """Folder of the library (default: $AURICLE_LIBRARY, else one in the user's data directory)."""

    ear: Annotated[str | None, option("NAME[@TAG]")] = None
    """Which ear listens or answers; NAME=FOLDER for weights of one's own (default: the library's first)."""

    def open(self, *, pandas: bool = False) -> "Library":
        """The library these options name; it need not exist yet. ``pandas``: Arrow must get along with it."""
        if not pandas:
            _import_arrow_alone()
        from auricle.library import Library

        self.apply()
        return Library(self.library or os.environ.get("AURICLE_LIBRARY") or None, ear=self.ear)


class _NoPandas:
    """An import finder that knows better."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError("not needed here", name=name)


def _import_arrow_alone() -> None:
    """Imports Arrow as if pandas were not installed: it would import pandas only to look at its version, for a second.

    Nothing in this process turns tables into data frames, and no other process is affected.
    """
    finder: Any = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import pyarrow.dataset  # noqa: F401
    finally:
        sys.meta_path.remove(finder)


@dataclass
class ToFile:
    """Where results that are stretches of time go."""

    out: Annotated[str | None, option("FILE", short="-o")] = None
    """Write to FILE, or to one file for each recording in FOLDER/."""

    format: Annotated[str | None, option("NAME,…")] = None
    """csv, parquet, json, audacity, raven, jams, rttm, m3u8, srt or vtt; several with commas (default: by -o)."""
