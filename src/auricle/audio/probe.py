"""Looking at a recording without decoding it, and the one place where a file finds its decoder."""

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from io import FileIO
from os import PathLike, fspath
from pathlib import PurePath
from typing import Protocol

from auricle.audio._file import explain, open_regular
from auricle.audio._sndfile import SndfileSource, UnreadableError
from auricle.audio.formats import AV_SUFFIXES, HIGHEST_RATE, LOWEST_RATE, AudioInfo
from auricle.errors import AudioError, MissingExtra
from auricle.types import Waveform

# (offset, bytes) by which the containers that need PyAV are known: ISO media, Matroska, ASF, FLV, AVI, WavPack,
# Monkey's Audio, True Audio, AMR, RealMedia, DSD, AC-3, and AAC's two ADTS syncs
_AV_MAGIC = (
    (4, b"ftyp"), (0, b"\x1aE\xdf\xa3"), (0, b"0&\xb2u"), (0, b"FLV\x01"), (8, b"AVI "), (0, b"wvpk"), (0, b"MAC "),
    (0, b"TTA1"), (0, b"#!AMR"), (0, b".RMF"), (0, b"DSD "), (0, b"\x0b\x77"), (0, b"\xff\xf1"), (0, b"\xff\xf9"),
)  # fmt: skip


class Source(Protocol):
    """An open recording, whichever library decodes it."""

    @property
    def info(self) -> AudioInfo: ...

    @property
    def tags(self) -> dict[str, str]: ...

    def chunks(self, start: int = 0) -> Iterator[Waveform]:
        """Decodes from frame ``start`` on: [frames, channels], each valid until the next is asked for."""
        ...

    def close(self) -> None: ...


def probe(path: str | PathLike[str]) -> AudioInfo:
    """Reads the header of a recording: milliseconds, whatever its length.

    Only where a container tells no length (a FLAC written to a pipe, an MPEG stream cut out of another) is the sound
    decoded to count it.

    Raises:
        AudioError: the file cannot be read, is no recording, or holds no samples.
        MissingExtra: its format needs the extra [video].
    """
    with open_source(path) as source:
        info = source.info
        if math.isnan(info.duration):
            frames = sum(len(chunk) for chunk in source.chunks())
            info = replace(info, frames=frames, duration=frames / info.sample_rate)
        if info.duration <= 0:
            raise no_samples(path)
        return info


@contextmanager
def open_source(path: str | PathLike[str]) -> Iterator[Source]:
    """Opens a recording with libsndfile or, where it does not know the content, with FFmpeg.

    Raises:
        AudioError: the file cannot be read, no decoder knows it, or its sample rate is out of bounds.
        MissingExtra: it looks like a format that only FFmpeg reads, and PyAV is not installed.
    """
    with open_regular(path) as file:
        try:
            with closing(_decoder(path, file)) as source:
                rate = source.info.sample_rate
                if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                    raise AudioError(
                        path,
                        f"A sample rate of {rate} Hz is not one of sound",
                        f"Rates from {LOWEST_RATE} to {HIGHEST_RATE} Hz are read; correct the header if it is wrong",
                    )
                yield source
        except OSError as error:
            raise AudioError(path, *explain(path, error)) from error


def no_samples(path: str | PathLike[str]) -> AudioError:
    return AudioError(path, "The recording holds no samples", "Leave it out, or restore it from a good copy")


def _decoder(path: str | PathLike[str], file: FileIO) -> Source:
    head = file.read(16)
    if not head:
        raise AudioError(path, "The file is empty (0 bytes)", "Leave it out, or restore it from a good copy")
    try:
        return SndfileSource(fspath(path), file)
    except UnreadableError as error:
        reasons = f"libsndfile: {error}"
    suffix = PurePath(fspath(path)).suffix.lower()
    try:
        from auricle.audio._av import AvSource
    except ImportError as error:
        if suffix in AV_SUFFIXES or any(head.startswith(magic, at) for at, magic in _AV_MAGIC):
            raise MissingExtra(f"Reading {suffix or 'such'} files", "video") from error
    else:
        try:
            return AvSource(fspath(path), file)
        except UnreadableError as error:
            reasons += f"; FFmpeg: {error}"
    raise AudioError(path, f"No sound could be found in it ({reasons})", "Check that the file plays elsewhere")
