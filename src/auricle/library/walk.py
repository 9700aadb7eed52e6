"""Which files to listen to: recursive walk with globs, that never leaves the tree through a link unless asked."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from auricle.audio import is_audio_name
from auricle.errors import AuricleError


class Candidate(NamedTuple):
    """A file worth trying, as it was when the walk met it."""

    path: str
    size: int  # bytes
    modified: float  # POSIX time


class Refused(NamedTuple):
    """A name that cannot even be tried, and why."""

    path: str
    reason: str


def walk(
    paths: Sequence[str | os.PathLike[str]],
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    follow_links: bool = False,
) -> Iterator[Candidate | Refused]:
    """Yields every sound file below ``paths`` once, in sorted order.

    Args:
        paths: files or folders. A file named here is tried whatever its ending.
        include: globs on the path relative to its root (``**`` not needed: ``*`` matches slashes); empty means every
            name with the ending of a sound file.
        exclude: globs of files and folders to pass over; names starting with a dot always are.
        follow_links: also enter symbolic links that lead out of the tree. Links that stay inside never add anything.

    Raises:
        AuricleError: one of ``paths`` does not exist.
    """
    seen: set[object] = set()  # paths of files, (device, inode) of folders: overlapping roots and link loops
    for root in map(Path, paths):
        root = root.expanduser()
        if not os.path.lexists(root):
            raise AuricleError(f"{root} does not exist", "Check the spelling, or quote a path with spaces")
        root = Path(os.path.abspath(root))
        if root.is_dir():
            yield from _folder(root, root, include, exclude, follow_links, seen)
        else:
            yield from _file(root, seen)


def _folder(
    root: Path, folder: Path, include, exclude, follow_links, seen: set[object]
) -> Iterator[Candidate | Refused]:
    try:
        state = os.stat(folder)
        if (state.st_dev, state.st_ino) in seen:
            return
        seen.add((state.st_dev, state.st_ino))
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        yield Refused(_printable(folder), f"the folder cannot be listed ({error.strerror}); check its permissions")
        return
    for entry in entries:
        relative = os.path.relpath(entry.path, root)
        if entry.name.startswith(".") or any(fnmatch(relative, glob) or fnmatch(entry.name, glob) for glob in exclude):
            continue
        if entry.is_symlink() and not follow_links:
            continue
        try:
            is_folder = entry.is_dir()
            state = entry.stat()
        except OSError as error:
            if is_audio_name(entry.name):
                yield Refused(_printable(entry.path), f"cannot be opened ({error.strerror})")
            continue
        if is_folder:
            yield from _folder(root, Path(entry.path), include, exclude, follow_links, seen)
        elif any(fnmatch(relative, glob) for glob in include) if include else is_audio_name(entry.name):
            yield from _file(Path(entry.path), seen)


def _file(path: Path, seen: set[object]) -> Iterator[Candidate | Refused]:
    try:
        state = path.stat()
    except OSError as error:
        yield Refused(_printable(path), f"cannot be opened ({error.strerror})")
        return
    if str(path) in seen:
        return
    seen.add(str(path))
    try:
        str(path).encode()
    except UnicodeEncodeError:
        yield Refused(_printable(path), "the file name is not valid UTF-8; rename the file")
        return
    yield Candidate(str(path), state.st_size, state.st_mtime)


def _printable(path: str | os.PathLike[str]) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
