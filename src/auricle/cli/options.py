"""Options that several verbs share, so that they are spelt and mean the same everywhere."""

import logging
import os
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

    def open(self) -> "Library":
        """The library these options name; it need not exist yet."""
        from auricle.library import Library

        self.apply()
        return Library(self.library or os.environ.get("AURICLE_LIBRARY") or None, ear=self.ear)


@dataclass
class ToFile:
    """Where results that are stretches of time go."""

    out: Annotated[str | None, option("FILE", short="-o")] = None
    """Write to FILE, or to one file for each recording in FOLDER/."""

    format: Annotated[str | None, option("NAME,…")] = None
    """csv, parquet, json, audacity, raven, jams, rttm, m3u8, srt or vtt; several with commas (default: by -o)."""
