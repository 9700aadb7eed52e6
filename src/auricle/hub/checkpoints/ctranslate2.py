"""Checkpoints of CTranslate2 (``model.bin``), read without it.

The file is little-endian: version of the format, name of the architecture and its revision, the number of tensors, and
for each its name, shape, type, number of bytes and values. A string is its length with the zero that ends it, then
both.
"""

import struct
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.errors import WeightsError

DTYPES = tuple(np.dtype(name) for name in ("<f4", "i1", "<i2", "<i4", "<f2"))  # by the format's own numbers
VERSIONS = (5, 6)


def read(*parts: str | PathLike[str]) -> dict[str, NDArray[Any]]:
    """The tensors of a checkpoint by name; one that was cut into several files is read from all of them, in order.

    Raises:
        WeightsError: the files are no such checkpoint, or hold a type that is not read.
    """
    try:
        data = b"".join(Path(part).read_bytes() for part in parts)
        return _tensors(_Cursor(data))
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise WeightsError(f"{fspath(parts[0])} cannot be read as a CTranslate2 checkpoint: {error}") from error


class _Cursor:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def number(self, kind: str) -> int:
        (value,) = struct.unpack_from(f"<{kind}", self.data, self.at)
        self.at += struct.calcsize(kind)
        return value

    def bytes(self, count: int) -> bytes:
        self.at += count
        if self.at > len(self.data):
            raise ValueError("it is cut short")
        return self.data[self.at - count : self.at]

    def string(self) -> str:
        return self.bytes(self.number("H"))[:-1].decode()


def _tensors(cursor: _Cursor) -> dict[str, NDArray[Any]]:
    version = cursor.number("I")
    if version not in VERSIONS:
        raise ValueError(f"version {version} of the format")
    cursor.string()
    cursor.number("I")
    tensors = {}
    for _ in range(cursor.number("I")):
        name = cursor.string()
        shape = [cursor.number("I") for _ in range(cursor.number("B"))]
        dtype = DTYPES[cursor.number("B")]
        tensors[name] = np.frombuffer(cursor.bytes(cursor.number("I")), dtype).reshape(shape)
    return tensors
