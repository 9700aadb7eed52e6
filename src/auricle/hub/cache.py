"""Where auricle keeps things: weights it fetched, files it derived from them, the default library."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from auricle.errors import WeightsError

UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


def home() -> Path:
    """auricle's own folder: ``$AURICLE_HOME``, else the platform's data directory (XDG). Not created here."""
    if chosen := os.environ.get("AURICLE_HOME"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_data_path("auricle", appauthor=False)


def weights_dir() -> Path:
    """Folder of fetched and derived weights; safe to delete, everything in it can be had again."""
    return home() / "weights"


def library_dir() -> Path:
    """Folder of the library used when none is named."""
    return home() / "library"


def make_once(target: Path, make: Callable[[Path], None], ready: Callable[[Path], bool] = Path.is_file) -> Path:
    """Returns ``target``, made by ``make(part)`` under a name of its own and moved into place when whole.

    Of several processes that want the same file, one makes it and the others wait for it; what a killed process left
    half done is overwritten.

    Args:
        target: the file wanted; its folder is created.
        make: writes the file to the path that it is given; what it raises leaves ``target`` as it was.
        ready: whether the file in place is good as it is.

    Raises:
        WeightsError: the folder cannot be written.
    """
    if ready(target):
        return target
    from filelock import FileLock

    part = target.with_name(f".{target.name}.part")
    with writing_in(target.parent), FileLock(target.with_name(f".{target.name}.lock")):
        if not ready(target):
            try:
                make(part)
                with part.open("r+b") as whole:
                    os.fsync(whole.fileno())  # or a power cut could leave the name without the bytes
                part.replace(target)
            finally:
                part.unlink(missing_ok=True)
    return target


@contextmanager
def writing_in(folder: Path) -> Iterator[Path]:
    """Yields ``folder``, created; says what to do when it, or the disk, does not take what is written there.

    Raises:
        WeightsError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        raise WeightsError(
            f"{folder} cannot be written: {os.strerror(error.errno)}",
            "Make room there, or set AURICLE_HOME to a folder that can be written",
        ) from error
