"""A part of a file, shown to libsndfile as a file of its own."""

from io import SEEK_CUR, SEEK_END, SEEK_SET, FileIO
from typing import Any

_TAIL = 128  # bytes at the end where decoders look for an ID3v1 tag


class View:
    """The bytes of ``file`` from ``begin`` on, claimed to be ``size``, which may be more than there are.

    Attributes:
        error: of the disk, None if there was none; libsndfile would take it for the end of the file.
    """

    def __init__(self, file: FileIO, begin: int, size: int):
        self._file, self._begin, self._size = file, begin, size
        self._at = 0
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        self._at = offset + {SEEK_SET: 0, SEEK_CUR: self._at, SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        try:
            self._file.seek(self._begin + self._at)
            count = self._file.readinto(buffer)
        except OSError as error:
            self.error, count = error, 0
        if count == 0 and self._size - _TAIL <= self._at < self._size:  # claimed, but not there
            count = min(len(buffer), self._size - self._at)
            buffer[:count] = bytes(count)
        self._at += count
        return count
