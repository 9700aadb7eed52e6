"""The chunks of a RIFF, RF64 or BW64 WAVE file, found without decoding and without believing their sizes."""

import os
import struct
from collections.abc import Iterator
from io import FileIO

_MOST_CHUNKS = 4096
_MOST_BYTES = 2**20  # of one chunk's content


def read_chunks(file: FileIO, wanted: frozenset[bytes]) -> list[tuple[bytes, bytes]] | None:
    """(id, content) of the wanted chunks in file order, each cut to 1 MiB; None if the file is no WAVE file."""
    if not _is_wave(file):
        return None
    chunks = []
    for name, position, size in _chunks(file):
        if name in wanted:
            file.seek(position)
            chunks.append((name, file.read(min(size, _MOST_BYTES))))
    return chunks


def unclosed_data(file: FileIO) -> int | None:
    """Where the sound of a WAVE file begins whose size was never filled in, because the recorder lost its power.

    None for a file that says how much it holds, and for one that holds nothing: there, another chunk may follow.
    """
    if not _is_wave(file):
        return None
    for name, position, size in _chunks(file):
        if name == b"data":
            file.seek(position)
            follows = file.read(4)
            is_chunk = len(follows) < 4 or all(0x20 <= byte < 0x7F for byte in follows)
            return None if size or is_chunk else position
    return None


def info_items(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(id, content) of each item in a LIST chunk of type INFO; nothing for other types."""
    position = 4 if content.startswith(b"INFO") else len(content)
    while position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        yield name, content[position + 8 : position + 8 + size]
        position += 8 + size + size % 2


def _is_wave(file: FileIO) -> bool:
    file.seek(0)
    head = file.read(12)
    return head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE"


def _chunks(file: FileIO) -> Iterator[tuple[bytes, int, int]]:
    """(id, position of the content, size) of each chunk; the file may be moved in between."""
    end = os.fstat(file.fileno()).st_size
    size_of_data = 0  # as ds64 tells it, where 32 bits do not reach
    position = 12
    for _ in range(_MOST_CHUNKS):
        if position + 8 > end:
            return
        file.seek(position)
        name, size = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
        if name == b"ds64":
            _, size_of_data = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))
        elif name == b"data" and size == 0xFFFFFFFF:
            size = size_of_data
        yield name, position + 8, size
        position += 8 + size + size % 2  # forward only, so that no sizes make a loop
