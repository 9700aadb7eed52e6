"""Files of recordings: opened only below the indexed folders, whatever the path in the library has become since."""

import os
import stat
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

from auricle.errors import AudioError


def below(path: str, root: str | os.PathLike[str]) -> bool:
    """Whether ``path`` is ``root`` or lies inside it, by their names alone."""
    root = os.fspath(root)
    return path == root or path.startswith(os.path.join(root, ""))


def is_confined(path: str, roots: Iterable[Path]) -> bool:
    """Whether ``path``, with every link in it resolved, leads below one of ``roots``."""
    real = os.path.realpath(path)
    return any(below(real, os.path.realpath(root)) for root in roots)


class Confined:
    """A regular file below one of ``roots``, opened for reading.

    Where the path leads is decided after resolving every link in it, and checked once more against what was opened, so
    that neither a link put in the file's place nor one swapped in at the last moment leads out.

    Attributes:
        path: its real path, for decoders.
        size: bytes.
        tag: changes with the content, for ETags.

    Raises:
        AudioError: the file is gone, may not be read, or lies elsewhere.
    """

    def __init__(self, path: str, roots: Iterable[Path]):
        self.roots = list(roots)
        self.path = self._resolved(path)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            self.file = FileIO(os.open(self.path, flags))
        except OSError as error:
            raise AudioError(path, f"The file cannot be opened ({error.strerror})") from None
        try:
            state = os.fstat(self.file.fileno())
            if not stat.S_ISREG(state.st_mode) or not os.path.samestat(state, os.stat(self._resolved(path))):
                raise AudioError(path, "The file is no longer what was indexed")
        except OSError as error:
            self.file.close()
            raise AudioError(path, f"The file cannot be opened ({error.strerror})") from None
        except AudioError:
            self.file.close()
            raise
        self.size = state.st_size
        self.tag = f"{state.st_mtime_ns:x}-{state.st_size:x}"

    def _resolved(self, path: str) -> str:
        if not is_confined(path, self.roots):
            raise AudioError(path, "The file lies outside the indexed folders")
        return os.path.realpath(path)

    def close(self) -> None:
        self.file.close()

    def __enter__(self) -> "Confined":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
