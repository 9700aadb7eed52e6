"""Opening a file for reading: only regular files, never waiting, every refusal said in words."""

import errno
import os
import stat
from io import FileIO
from os import PathLike, fspath

from auricle.errors import AudioError

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

_REASONS = {
    errno.EACCES: ("The file may not be read", "Give yourself permission to read it, or leave it out"),
    errno.EPERM: ("The file may not be read", "Give yourself permission to read it, or leave it out"),
    errno.ELOOP: ("The link leads back to itself", "Remove the link"),
    errno.ENAMETOOLONG: ("The path is longer than the system allows", "Move the file to a shorter path"),
    errno.ENOTDIR: ("A part of the path is not a folder", "Check the path"),
    errno.EIO: ("The disk failed to read the file", "Check the disk, then try again"),
    errno.EMFILE: ("Too many files are open", "Close some, or raise the limit with ulimit -n"),
}


def open_regular(path: str | PathLike[str]) -> FileIO:
    """Opens a regular file for unbuffered reading.

    The kind is checked before opening, since opening a pipe may wait and opening a device may act, and once more on
    what was opened, since the path may have changed in between.

    Raises:
        AudioError: the path leads to no file, to something that is no regular file, or to one that may not be read.
    """
    try:
        _check_regular(path, os.stat(path).st_mode)
        # O_NONBLOCK and O_BINARY each exist on the systems that need them.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        file = FileIO(os.open(path, flags))
    except OSError as error:
        raise AudioError(path, *explain(path, error)) from error
    except ValueError as error:  # Python refuses the name before the system sees it
        raise AudioError(path, "The path holds a NUL character", "Check the path") from error
    try:
        _check_regular(path, os.fstat(file.fileno()).st_mode)
    except BaseException:
        file.close()
        raise
    return file


def explain(path: str | PathLike[str], error: OSError) -> tuple[str, str]:
    """The problem and the remedy behind a system error about ``path``."""
    if error.errno == errno.ENOENT:
        if os.path.islink(path):
            return "The link points to a file that does not exist", "Remove the link, or restore the file"
        return "There is no such file", "Check the path"
    default = f"The system refuses the file ({error.strerror})", "Check the file and its disk"
    return _REASONS.get(error.errno or 0, default)


def _check_regular(path: str | PathLike[str], mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "no regular file")
        raise AudioError(fspath(path), f"This is {kind}, not a sound file", "Give the path of a recording")
