"""Decoding with libsndfile: WAV and its kin, FLAC, Ogg Vorbis, Opus, MP3, AIFF, AU, CAF …"""

import os
from collections.abc import Iterator
from io import FileIO
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np
import soundfile

from auricle.audio._file import explain
from auricle.audio._mpeg import repaired
from auricle.audio._riff import unclosed_data
from auricle.audio._view import View
from auricle.audio.formats import AudioInfo
from auricle.errors import AudioError
from auricle.types import Waveform

CHUNK = 2**17  # values decoded at once (512 KiB of float32: fits a core's cache), whatever the channel count

_UNKNOWN = 2**62  # libsndfile counts an unknown length as 2**63 - 1 frames
_MPEG_SUFFIXES = (".mp1", ".mp2", ".mp3", ".mpga")
_MP3_CHUNK = 4 * 1152  # frames; what precedes an error inside one read is lost, so little is read at once
_TAGS = ("title", "artist", "album", "comment", "date")

# libsndfile misjudges positions inside the last page of a Vorbis stream by up to its cut-off end, so a seek must land
# before that page: 255 packets (the most a page holds) × 4096 samples (half the longest block).
_LAST_PAGE = 255 * 4096

_REASONS = {  # what libsndfile's less telling codes mean once the file is open
    7: "its stream breaks off at its start",
    24: "its header tells no usable sample rate or channels",
    29: "its stream cannot be decoded",
    161: "a FLAC frame fails its checksum",
}


class UnreadableError(Exception):
    """A decoder does not know the content; its text says why, for people."""


class _Sequential(soundfile.SoundFile):
    """A SoundFile that does not seek to where it already is after each read, which costs MP3 and Ogg a page search."""

    def seekable(self) -> bool:
        return False


class _Opened(NamedTuple):
    sound: _Sequential
    frames: int | None
    view: View | None = None  # what ``sound`` reads, if not the file itself


class SndfileSource:
    """One open recording, decoded by libsndfile from an already opened file, which stays the caller's to close.

    libsndfile gets no name, so it never takes headerless bytes for sound because of their suffix.

    Raises:
        UnreadableError: libsndfile does not know the content.
    """

    def __init__(self, path: str, file: FileIO):
        self._path, self._file = path, file
        self._sound, frames, self._view = _open(path, file)
        rate = self._sound.samplerate
        self.info = AudioInfo(
            duration=float("nan") if frames is None else frames / max(1, rate),
            sample_rate=rate,
            channels=self._sound.channels,
            format="WAV" if self._sound.format == "RAW" else self._sound.format,
            codec=self._sound.subtype,
            frames=frames,
        )

    def close(self) -> None:
        self._sound.close()

    @property
    def tags(self) -> dict[str, str]:
        """ID3, Vorbis, RIFF or AIFF tags, by lower-case name."""
        return {name: getattr(self._sound, name) for name in _TAGS}

    def chunks(self, start: int = 0) -> Iterator[Waveform]:
        """Decodes from frame ``start`` on: [frames, channels], each valid until the next is asked for.

        Raises:
            AudioError: the stream is damaged. One that is merely shorter than its header says ends early instead.
        """
        position = self._seek(start)
        # 16-bit samples are scaled here: NumPy does it eight times as fast as libsndfile, to the same numbers.
        whole = self.info.codec == "PCM_16"
        most = _MP3_CHUNK if self.info.format == "MP3" else CHUNK
        shape = max(1, min(most, CHUNK // self.info.channels)), self.info.channels
        scaled = np.empty(shape, np.float32)
        raw = np.empty(shape, np.int16) if whole else scaled
        decoded = len(raw)
        while decoded == len(raw):
            decoded = self._read(raw, position)
            if whole:
                np.multiply(raw[:decoded], np.float32(2**-15), out=scaled[:decoded])
            skip = max(0, start - position)
            position += decoded
            if skip < decoded:
                yield scaled[skip:decoded]
        if self._view and self._view.error:
            raise AudioError(self._path, *explain(self._path, self._view.error))
        self._check_whole(position)

    def _seek(self, start: int) -> int:
        """Moves to ``start`` or to a safe place before it; returns the frame reached."""
        if self.info.frames is not None:
            last = self.info.frames - (_LAST_PAGE if self.info.codec == "VORBIS" else 0)
            start = max(0, min(start, last))
        if start == 0:
            return 0
        try:
            return self._sound.seek(start)
        except soundfile.LibsndfileError:  # a file shorter than its header says: decode towards ``start`` instead
            self._sound.close()
            self._sound, _, self._view = _open(self._path, self._file)
            return 0

    def _read(self, raw: np.ndarray, position: int) -> int:
        """Fills ``raw`` with the frames from ``position`` on; returns how many came, fewer only at the end."""
        if self.info.frames is not None:  # what may follow them is not sound
            raw = raw[: max(0, self.info.frames - position)]
        try:
            return len(self._sound.read(out=raw))
        except soundfile.LibsndfileError as error:
            decoded = max(0, self._sound.tell() - position)  # what came before the error is in ``raw`` and good
            if self._at_end():
                return min(decoded, len(raw) - 1)
            raise self._damaged(position + decoded, error) from error

    def _at_end(self) -> bool:
        """Whether an error lost no sound but the last, because the file is cut off or goes on with foreign bytes."""
        if self.info.format == "MP3":
            return not any(self._decodes() for _ in range(64))  # 1 KiB each time
        return self._file.tell() >= os.fstat(self._file.fileno()).st_size

    def _decodes(self) -> bool:
        try:
            return len(self._sound.read(out=np.empty((1, self.info.channels), np.float32))) > 0
        except soundfile.LibsndfileError:
            return False

    def _check_whole(self, frames: int) -> None:
        """Ogg counts time in its pages, so a stream with fewer samples than time has lost some from its middle."""
        missing = 0 if self.info.frames is None else self.info.frames - frames
        if self.info.format == "OGG" and missing > 0.1 * self.info.sample_rate:
            raise AudioError(
                self._path,
                f"The stream is damaged: {missing / self.info.sample_rate:.1f} s are missing from its middle",
                "Restore the file from a good copy",
            )

    def _damaged(self, frame: int, error: soundfile.LibsndfileError) -> AudioError:
        seconds = frame / self.info.sample_rate
        problem = f"The stream is damaged {seconds:.1f} s after its start (libsndfile: {_reason(error)})"
        return AudioError(self._path, problem, "Restore the file from a good copy, or convert what is left of it")


def _open(path: str, file: FileIO) -> _Opened:
    file.seek(0)
    try:
        # Windows hands no file numbers to libraries with a C runtime of their own.
        sound = _sequential(cast(BinaryIO, file) if os.name == "nt" else file.fileno())
    except UnreadableError:
        if path.lower().endswith(_MPEG_SUFFIXES) and (repair := repaired(file)):
            return _open_mpeg(*repair)
        raise
    if sound.format == "MP3" and (repair := repaired(file)):
        sound.close()
        return _open_mpeg(*repair)
    if sound.format in ("WAV", "WAVEX") and sound.frames == 0 and soundfile.check_format("RAW", sound.subtype):
        begin = unclosed_data(file)
        if begin is not None:
            kind = sound.samplerate, sound.channels, sound.subtype
            sound.close()
            view = View(file, begin, os.fstat(file.fileno()).st_size - begin)
            sound = _sequential(view, *kind, "LITTLE", "RAW")
            return _Opened(sound, sound.frames, view)
    return _Opened(sound, sound.frames if 0 <= sound.frames < _UNKNOWN else None)


def _open_mpeg(view: View, frames: int | None) -> _Opened:
    sound = _sequential(view)
    return _Opened(sound, None if frames is None else min(frames, sound.frames), view)


def _sequential(target: BinaryIO | View | int, *kind: Any) -> _Sequential:
    try:
        return _Sequential(cast(BinaryIO, target), "r", *kind, closefd=False)
    except soundfile.LibsndfileError as error:
        raise UnreadableError(_reason(error)) from error


def _reason(error: soundfile.LibsndfileError) -> str:
    return _REASONS.get(error.code) or error.error_string.removeprefix("Error : ").rstrip(". ")
