"""MPEG audio (MP1, MP2, MP3) whose beginning or end libsndfile would miss.

libsndfile believes a Xing header about the length, and without one multiplies size by the first frame's bit rate; it
then stops there, even where sound goes on: variable bit rates without a header, files joined end to end. It also knows
MPEG audio only by its very first bytes. ``repaired`` shows it such a file from its first frame on and as if it had no
end, so that it decodes until the bytes run out. Frame layout: ISO/IEC 11172-3 and 13818-3, section 2.4.2.3.
"""

import os
from functools import lru_cache
from io import SEEK_CUR, BufferedReader, FileIO
from typing import NamedTuple, cast

from auricle.audio._view import View

_SEARCH = 2**16  # bytes within which a first frame must begin, after the tags
_PIECE = 2**20  # bytes read at once while counting
_SAME = 0xFFFE0C00  # header bits all frames of a stream share: sync, version, layer, sample rate

_KBITS = {  # (MPEG-1?, layer) -> bit rate by index, kbit/s
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}  # by version bits, Hz


class _Frame(NamedTuple):
    size: int  # bytes, header included
    samples: int  # per channel


@lru_cache(maxsize=1024)
def _frame(header: int) -> _Frame | None:
    """What a frame header (four bytes, big-endian) announces; None if it is none."""
    version, layer = header >> 19 & 3, 4 - (header >> 17 & 3)
    kbits, rate = (header >> 12 & 15) - 1, header >> 10 & 3
    if header >> 21 != 0x7FF or version == 1 or layer == 4 or not 0 <= kbits < 14 or rate == 3:
        return None
    first = version == 3
    samples = {1: 384, 2: 1152, 3: 1152 if first else 576}[layer]
    slot = 4 if layer == 1 else 1  # bytes
    slots = samples // 8 // slot * 1000 * _KBITS[first, layer][kbits] // _RATES[version][rate]
    return _Frame((slots + (header >> 9 & 1)) * slot, samples)


def _header(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4])


def _find(data: bytes, at: int) -> int | None:
    """The first place from ``at`` on where three frames of one stream follow each other."""
    while (at := data.find(b"\xff", at)) >= 0:
        following, header = at, _header(data, at)
        for _ in range(2):
            frame = _frame(_header(data, following))
            if frame is None:
                break
            following += frame.size
            if (_header(data, following) ^ header) & _SAME:
                break
        else:
            return at
        at += 1
    return None


def repaired(file: FileIO) -> tuple[View, int | None] | None:
    """The view of an MPEG file that libsndfile decodes whole, and the samples per channel in its frames, if countable.

    None if libsndfile does right with the file itself, or if it is no MPEG audio.
    """
    before = file.tell()
    try:
        begin = _after_tags(file)
        file.seek(begin)
        head = file.read(_SEARCH)
        first = _find(head, 0)
        if first is None:
            return None
        size = cast(_Frame, _frame(_header(head, first))).size
        info = head[first : first + size]
        if _is_joined(file, begin + first, info):
            return _endless(file, begin + first + size)
        if first == 0 and (b"Xing" in info[:64] or b"Info" in info[:64] or b"VBRI" in info[:64]):
            return None
        return _endless(file, begin + first)
    finally:
        file.seek(before)


def _endless(file: FileIO, begin: int) -> tuple[View, int | None]:
    size = 64 * os.fstat(file.fileno()).st_size  # bit rates differ less than that
    return View(file, begin, size), _count(file, begin)


def _after_tags(file: FileIO) -> int:
    """Where the ID3v2 tags at the beginning end: each gives its size in four bytes of seven bits."""
    at = 0
    while True:
        file.seek(at)
        tag = file.read(10)
        if len(tag) < 10 or not tag.startswith(b"ID3"):
            return at
        at += 10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))


def _is_joined(file: FileIO, begin: int, info: bytes) -> bool:
    """Whether MPEG frames go on after the stream whose Xing header is in its first frame, ``info`` at ``begin``."""
    at = max(info[:64].find(b"Xing"), info[:64].find(b"Info"))
    flags = _header(info, at + 4)
    if at < 0 or not flags & 2:  # no size in bytes
        return False
    file.seek(begin + _header(info, at + 8 + 4 * (flags & 1)))  # a number of frames may come first
    return _find(file.read(_SEARCH), 0) is not None


def _count(file: FileIO, begin: int) -> int | None:
    """Samples per channel by the frame headers; None where they do not lead to the last frame."""
    reader, total = BufferedReader(file, _PIECE), 0
    try:
        reader.seek(begin)
        while frame := _frame(int.from_bytes(reader.read(4))):
            total += frame.samples
            reader.seek(frame.size - 4, SEEK_CUR)
        rest = reader.read(_SEARCH + 1)
        return total if len(rest) <= _SEARCH and _find(rest, 0) is None else None
    finally:
        reader.detach()
