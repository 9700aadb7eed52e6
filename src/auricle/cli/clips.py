"""Hits as sound files: each stretch cut out of its recording."""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from auricle.cli.output import warn
from auricle.errors import AudioError, AuricleError

if TYPE_CHECKING:
    from auricle.types import Hit


def save_clips(hits: "Sequence[Hit]", folder: Path) -> Iterator[Path]:
    """Writes every hit into ``folder`` at its own rate and with all its channels, and yields the paths.

    Names tell recording and time, as in ``storm_3.36-5.28s.flac``; nothing that is there is overwritten. A recording
    that cannot be read any more is reported and passed over.

    Raises:
        AuricleError: the folder cannot be written.
    """
    from auricle.audio import read, write

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AuricleError(f"Cannot make the folder {folder} ({error.strerror})", "Choose another one") from None
    for hit in hits:
        try:
            sound, rate = read(hit.path, mono=False, start=hit.start, end=hit.end)
        except AudioError as error:
            warn(error)
            continue
        clip = _free(folder, f"{Path(hit.path).stem}_{hit.start:.2f}-{hit.end:.2f}s")
        write(clip, sound, rate)
        yield clip


def _free(folder: Path, stem: str) -> Path:
    """A name in ``folder`` that nothing has: ``stem.flac``, then ``stem (2).flac`` …"""
    names = (f"{stem}.flac" if number == 1 else f"{stem} ({number}).flac" for number in count(1))
    return next(path for name in names if not (path := folder / name).exists())
