"""Sound for ears and eyes of a browser: recordings in a form it can play, excerpts as WAV, peaks of the waveform."""

import struct
from collections.abc import Iterator
from pathlib import PurePath

import numpy as np

from auricle.audio import AudioInfo, stream
from auricle.serve.work import go_on
from auricle.types import Waveform

PLAYED = {  # containers browsers play -> media type and the codecs they play in it
    "WAV": ("audio/wav", ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")),
    "WAVEX": ("audio/wav", ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")),
    "FLAC": ("audio/flac", ("PCM_S8", "PCM_16", "PCM_24")),
    "OGG": ("audio/ogg", ("VORBIS", "OPUS")),
    "MP3": ("audio/mpeg", ("MPEG_LAYER_III",)),
    "MP4": ("audio/mp4", ("aac",)),
}
MEDIA_TYPES = {".aiff": "audio/aiff", ".aif": "audio/aiff", ".au": "audio/basic", ".webm": "audio/webm"}
PLAYED_RATE, PLAYED_CHANNELS = 48_000, 2  # most, of what is converted for playing
HEADER = 44  # bytes of a WAV header
LARGEST = 2**32 - 2**16  # bytes of a WAV file
BLOCK_SECONDS = 4.0


def is_played(info: AudioInfo) -> bool:
    """Whether browsers play a file of this kind as it is."""
    return info.format in PLAYED and info.codec in PLAYED[info.format][1] and info.channels <= PLAYED_CHANNELS


def media_type(path: str, format: str) -> str:
    """The media type of a file as it is."""
    known = PLAYED[format][0] if format in PLAYED else MEDIA_TYPES.get(PurePath(path).suffix.lower())
    return known or "application/octet-stream"


class Wav:
    """A stretch of a recording as the bytes of a 16-bit WAV file, decoded when they are asked for.

    The size is known before anything is decoded, so ranges of it can be asked for.

    Args:
        path: the recording.
        start, end: seconds.
        rate: Hz of the file.
        channels: 1, or as many as the recording has.
    """

    media_type = "audio/wav"

    def __init__(self, path: str, start: float, end: float, rate: int, channels: int):
        self.path, self.rate, self.channels = path, rate, channels
        self.first = round(start * rate)
        self.frames = max(1, round(end * rate) - self.first)
        self.frame = 2 * channels  # bytes
        self.size = HEADER + self.frames * self.frame

    @classmethod
    def original(cls, path: str, start: float, end: float, info: AudioInfo) -> "Wav":
        """With all channels at the recording's own rate."""
        return cls(path, start, end, info.sample_rate, info.channels)

    @classmethod
    def playable(cls, path: str, start: float, end: float, info: AudioInfo) -> "Wav":
        """As browsers play it: at most 48 kHz, mono or stereo, and small enough for a WAV file."""
        rate = min(info.sample_rate, PLAYED_RATE)
        channels = info.channels if info.channels <= PLAYED_CHANNELS else 1
        if (end - start) * rate * 2 * channels > LARGEST:
            channels = 1
        while (end - start) * rate * 2 * channels > LARGEST:
            rate //= 2
        return cls(path, start, end, rate, channels)

    def chunks(self, first: int, last: int) -> Iterator[bytes]:
        """Bytes ``first`` … ``last`` (exclusive) of the file.

        Raises:
            AudioError: the recording cannot be decoded there.
        """
        if first < HEADER:
            yield self._header()[first:last]
        at = max(0, first - HEADER)  # byte within the samples
        need = max(0, last - HEADER) - at
        skip = at % self.frame
        for block in self._samples(at // self.frame):
            go_on()
            if need <= 0:
                return
            piece = _pcm16(block)[skip : skip + need]
            need, skip = need - len(piece), 0
            yield piece
        while need > 0:  # the recording is a little shorter than its header says
            piece = bytes(min(need, 2**16))
            need -= len(piece)
            yield piece

    def _samples(self, frame: int) -> Iterator[Waveform]:
        start, end = (self.first + frame) / self.rate, (self.first + self.frames) / self.rate
        if start < end:
            yield from stream(self.path, self.rate, mono=self.channels == 1, block=BLOCK_SECONDS, start=start, end=end)

    def _header(self) -> bytes:
        data = self.size - HEADER
        form = struct.pack("<HHIIHH", 1, self.channels, self.rate, self.rate * self.frame, self.frame, 16)
        return struct.pack("<4sI4s4sI16s4sI", b"RIFF", data + 36, b"WAVE", b"fmt ", 16, form, b"data", data)


def _pcm16(block: Waveform) -> bytes:
    """Samples as little-endian 16-bit integers; those that were such integers before come out unchanged."""
    return np.clip(np.rint(block * 32768.0), -32768, 32767).astype("<i2").tobytes()


def peaks(path: str, start: float, end: float, rate: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest sample of each of ``points`` equal parts of [start, end] seconds, channels averaged.

    Fewer parts where the stretch has fewer samples than that.
    """
    total = max(1, round(end * rate) - round(start * rate))
    points = min(points, total)
    edges = np.linspace(0, total, points + 1).astype(np.int64)
    low, high = np.full(points, np.inf, np.float32), np.full(points, -np.inf, np.float32)
    at = 0
    for block in stream(path, block=BLOCK_SECONDS, start=start, end=end):
        go_on()
        block = block[: total - at]
        if not len(block):
            break
        inner = edges[(edges > at) & (edges < at + len(block))] - at
        cuts = np.concatenate([[0], inner])
        first = int(np.searchsorted(edges, at, "right")) - 1
        here = slice(first, first + len(cuts))
        np.minimum(low[here], np.minimum.reduceat(block, cuts), out=low[here])
        np.maximum(high[here], np.maximum.reduceat(block, cuts), out=high[here])
        at += len(block)
    heard = high >= low
    return np.where(heard, low, 0), np.where(heard, high, 0)
