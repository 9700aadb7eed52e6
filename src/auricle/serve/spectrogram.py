"""Spectrogram tiles: a stretch of a recording as a PNG, time to the right, frequency upwards, level as colour.

    samples ─→ Hann frames, at most 8 for each column ─→ power, the loudest frame of the column ─→ rows of equal
    height on a linear or mel axis ─→ decibels below a full-scale sine ─→ 256 colours

Neighbouring tiles fit together: a column depends only on its own stretch of time, and frames reach over the edges.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from auricle.audio import stream
from auricle.features.mel import hertz_to_mel, periodic_hann
from auricle.serve.work import go_on

SHORTEST, LONGEST = 128, 4096  # samples in a frame
FRAME_SECONDS = (0.006, 0.046)  # of a frame, from closely looked at to far away
FRAMES = 8  # most, in a column
BLOCK_SECONDS = 8.0

# Colours at equal steps from the faintest to the loudest, after matplotlib's inferno (CC0); light is for a white page.
DARK = ("000004", "1b0c41", "4a0c6b", "781c6d", "a52c60", "cf4446", "ed6925", "fb9b06", "f7d13d", "fcffa4")
LIGHT = ("ffffff", "fdeed3", "fbd49b", "f7a667", "ec7045", "cf4446", "a52c60", "781c6d", "4a0c6b", "160b39")

Scale = Literal["mel", "linear"]
Theme = Literal["dark", "light"]


@dataclass(frozen=True, slots=True)
class View:
    """What a tile shows. ``floor`` and ``ceiling`` are the levels in dB (0 is a full-scale sine) of the end colours."""

    start: float  # seconds
    end: float
    width: int  # pixels
    height: int
    scale: Scale
    max_frequency: float  # Hz, at the upper edge; the lower edge is 0
    floor: float
    ceiling: float
    theme: Theme


def tile(path: str, rate: int, view: View) -> bytes:
    """The PNG of one view of a recording at its own ``rate`` in Hz.

    Raises:
        AudioError: the recording cannot be decoded there.
    """
    power = columns(path, rate, view)
    rows = power @ row_weights(power.shape[1], rate, view.height, view.scale, view.max_frequency)
    level = 10 * np.log10(rows + 1e-20)
    shade = np.clip((level - view.floor) / (view.ceiling - view.floor), 0, 1)
    return png(np.rint(255 * shade.T[::-1]).astype(np.uint8), palette(view.theme))


def columns(path: str, rate: int, view: View) -> NDArray[np.float32]:
    """Power of each column [width, bins], at each frequency that of its loudest frame; 1 is a full-scale sine."""
    step = (view.end - view.start) * rate / view.width  # samples in a column
    size = frame_size(step / rate, rate)
    count = int(np.clip(np.ceil(2 * step / size), 1, FRAMES))
    middles = (np.arange(view.width * count) + 0.5) * (step / count)
    begins = np.rint(view.start * rate + middles).astype(np.int64) - size // 2  # [frames], may reach over both ends
    window = periodic_hann(size).astype(np.float32) * np.float32(4 / size)
    power = np.zeros((view.width, size // 2 + 1), np.float32)
    for first, frames in _frames(path, rate, begins, size):
        loud = np.abs(np.fft.rfft(frames * window)) ** 2
        here, cuts = np.unique((first + np.arange(len(frames))) // count, return_index=True)
        power[here] = np.maximum(power[here], np.maximum.reduceat(loud, cuts))
    return power


def frame_size(seconds: float, rate: int) -> int:
    """Samples of a frame, a power of two: short where a column shows little time, long where it shows much."""
    wanted = rate * np.clip(8 * seconds, *FRAME_SECONDS)
    return int(np.clip(2 ** round(np.log2(wanted)), SHORTEST, LONGEST))


def _frames(path: str, rate: int, begins: NDArray[np.int64], size: int) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yields (ordinal of the first, frames [k, size]) in order; silence before the beginning and after the end."""
    position = max(0, int(begins[0]))
    held = np.zeros(max(0, -int(begins[0])), np.float32)  # samples from `origin` on that are still needed
    origin, done = position - len(held), 0
    for block in stream(path, block=BLOCK_SECONDS, start=position / rate, end=(int(begins[-1]) + size) / rate):
        go_on()
        held = np.concatenate([held, block])
        ready = int(np.searchsorted(begins, origin + len(held) - size, "right"))
        if ready > done:
            yield done, held[begins[done:ready, None] - origin + np.arange(size)]
            done = ready
        if done < len(begins) and begins[done] > origin:
            drop = min(len(held), int(begins[done]) - origin)
            held, origin = held[drop:], origin + drop
    if done < len(begins):
        rest = np.zeros(int(begins[-1]) + size - origin, np.float32)
        rest[: len(held)] = held[: len(rest)]
        yield done, rest[begins[done:, None] - origin + np.arange(size)]


@lru_cache(maxsize=16)
def row_weights(bins: int, rate: int, height: int, scale: Scale, max_frequency: float) -> NDArray[np.float32]:
    """How much each bin counts in each row [bins, height]: rows are the mean over their stretch of the spectrum."""
    if scale == "mel":
        top = float(hertz_to_mel(max_frequency))
        edges = 700.0 * np.expm1(np.linspace(0, top, height + 1) / 1127.0)
    else:
        edges = np.linspace(0, max_frequency, height + 1)
    edges = edges * (2 * (bins - 1) / rate)  # Hz -> bins, of which each is one wide
    low, high = edges[:-1], edges[1:]
    bin = np.arange(bins)[:, None]
    overlap = np.clip(np.minimum(high, bin + 0.5) - np.maximum(low, bin - 0.5), 0, None)
    return (overlap / np.maximum(high - low, 1e-12)).astype(np.float32)


@lru_cache(maxsize=2)
def palette(theme: Theme) -> NDArray[np.uint8]:
    """256 colours [256, 3] from the faintest to the loudest."""
    stops = np.array([list(bytes.fromhex(colour)) for colour in (DARK if theme == "dark" else LIGHT)])
    at = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(at, np.arange(len(stops)), channel) for channel in stops.T]
    return np.rint(np.stack(channels, 1)).astype(np.uint8)


def png(pixels: NDArray[np.uint8], colours: NDArray[np.uint8]) -> bytes:
    """A PNG of colour numbers [height, width] into ``colours`` [256, 3] (W3C PNG, third edition)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape
    lines = np.pad(pixels, ((0, 0), (1, 0)))  # each line begins with its filter: 0, none
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            chunk(b"PLTE", colours.tobytes()),
            chunk(b"IDAT", zlib.compress(lines.tobytes(), 6)),
            chunk(b"IEND", b""),
        )
    )
