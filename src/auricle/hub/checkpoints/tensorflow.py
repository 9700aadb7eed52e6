"""Checkpoints of TensorFlow ("V2 bundles"), read without it.

A bundle is an index and one or more shards of raw bytes. The index is a table as LevelDB writes it: blocks of entries
``name -> BundleEntryProto`` (type, shape, shard, offset, size), found through a block of handles whose own handle is in
the footer, the last 48 bytes. Names share prefixes: an entry says how much of the name before it stays.
"""

import struct
from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.errors import WeightsError

MAGIC = bytes.fromhex("57fb808b247547db")
FOOTER = 48  # bytes
DTYPES = {1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("<i4"), 9: np.dtype("<i8"), 19: np.dtype("<f2")}
TYPE, SHAPE, OFFSET, SIZE = 1, 2, 4, 5  # fields of a BundleEntryProto


def read(index: str | PathLike[str], data: str | PathLike[str]) -> dict[str, NDArray[Any]]:
    """The tensors of a bundle with one shard, by name; those that are not numbers are left out.

    Raises:
        WeightsError: the files are no bundle, or its index is compressed.
    """
    try:
        table, values = Path(index).read_bytes(), Path(data).read_bytes()
        if table[-len(MAGIC) :] != MAGIC:
            raise ValueError("its last bytes are not those of an index")
        handles = _handle(table[-FOOTER:], at=_handle(table[-FOOTER:])[2])  # behind that of the unused meta index
        return {
            name.decode(): tensor
            for _, handle in _entries(table, *handles[:2])
            for name, entry in _entries(table, *_handle(handle)[:2])
            if name and (tensor := _tensor(_fields(entry), values)) is not None
        }
    except (OSError, ValueError, IndexError, struct.error) as error:
        raise WeightsError(f"{fspath(index)} cannot be read as a TensorFlow checkpoint: {error}") from error


def _tensor(entry: dict[int, Any], values: bytes) -> NDArray[Any] | None:
    dtype = DTYPES.get(entry.get(TYPE, 0))
    if dtype is None:
        return None
    shape = [_fields(length).get(1, 0) for length in _repeated(entry.get(SHAPE, b""), field=2)]
    return np.frombuffer(values, dtype, entry[SIZE] // dtype.itemsize, entry.get(OFFSET, 0)).reshape(shape)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number in 7-bit groups at ``at``, and where the next one begins."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _handle(data: bytes, at: int = 0) -> tuple[int, int, int]:
    """Offset and size of a block, and where the handle ends."""
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return offset, size, at


def _entries(table: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """The entries of a block: key and value."""
    if table[offset + size]:
        raise ValueError("its blocks are compressed")
    block = table[offset : offset + size]
    (restarts,) = struct.unpack_from("<I", block, size - 4)
    at, end, key = 0, size - 4 - 4 * restarts, b""
    while at < end:
        kept, at = _varint(block, at)
        new, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:kept] + block[at : at + new]
        at += new
        yield key, block[at : at + length]
        at += length


def _wire(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer message: number, and an integer or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        match tag & 7:
            case 0:
                value, at = _varint(message, at)
            case 2:
                length, at = _varint(message, at)
                value, at = message[at : at + length], at + length
            case 1 | 5 as kind:
                length = 8 if kind == 1 else 4
                value, at = message[at : at + length], at + length
            case kind:
                raise ValueError(f"a field of wire type {kind}")
        yield tag >> 3, value


def _fields(message: bytes) -> dict[int, Any]:
    return dict(_wire(message))


def _repeated(message: bytes, field: int) -> list[Any]:
    return [value for number, value in _wire(message) if number == field]
