"""The chunks of a RIFF, RF64 or BW64 WAVE file, read without decoding and without believing their sizes."""

import os
import struct
from collections.abc import Iterator
from io import FileIO

_MOST_CHUNKS = 4096
_MOST_BYTES = 2**20  # of one chunk's content


def read_chunks(file: FileIO, wanted: frozenset[bytes]) -> list[tuple[bytes, bytes]] | None:
    """(id, content) of the wanted chunks in file order, each cut to 1 MiB; None if the file is no WAVE file."""
    file.seek(0)
    magic, _, form = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
    if magic not in (b"RIFF", b"RF64", b"BW64") or form != b"WAVE":
        return None
    size_of_file = os.fstat(file.fileno()).st_size
    size_of_data = 0  # as ds64 tells it, where 32 bits do not reach
    chunks: list[tuple[bytes, bytes]] = []
    position = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        name, size = struct.unpack("<4sI", file.read(8).ljust(8, b"\0"))
        if name == b"ds64":
            _, size_of_data = struct.unpack("<QQ", file.read(16).ljust(16, b"\0"))
        elif name == b"data" and size == 0xFFFFFFFF:
            size = size_of_data
        elif name in wanted:
            chunks.append((name, file.read(min(size, _MOST_BYTES))))
        position += 8 + size + size % 2  # forward only, so that no sizes make a loop
        if position + 8 > size_of_file:
            break
    return chunks


def info_items(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(id, content) of each item in a LIST chunk of type INFO; nothing for other types."""
    position = 4 if content.startswith(b"INFO") else len(content)
    while position + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, position)
        yield name, content[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
