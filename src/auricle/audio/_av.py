"""Decoding with FFmpeg through PyAV: M4A, AAC, WMA, MP4, MKV, WebM and what else libsndfile leaves. Extra: [video]."""

from collections.abc import Iterator
from io import FileIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.error import FFmpegError

from auricle.audio._sndfile import CHUNK, UnreadableError
from auricle.audio.formats import AudioInfo
from auricle.errors import AudioError
from auricle.types import Waveform

# Only containers that hold sound themselves: playlists and scripts, which name other files, are not opened.
_DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,matroska,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,ogg,rm,tak,tta,w64,wav,wv"
)
_TIMED = {"mov": "MP4", "matroska": "MKV"}  # containers whose time stamps can be trusted, and their common names
_DRIFT = 0.05  # seconds a stamp may be off before it counts as a gap; MKV rounds to 0.001
_LONGEST_GAP = 3600  # seconds


class AvSource:
    """One open recording, decoded by FFmpeg from an already opened file, which stays the caller's to close.

    Raises:
        UnreadableError: FFmpeg does not know the content.
        AudioError: it holds no sound.
    """

    def __init__(self, path: str, file: FileIO):
        self._path, self._file = path, file
        # The first frame is asked, not the header, which for AAC may tell half the rate or the channels.
        with self._open() as container:
            first = self._first_frame(container)
        self._container = self._open()
        self._stream = self._container.streams.audio[0]
        name = self._container.format.name.split(",")[0]
        self._timed = name in _TIMED
        self._origin = (self._container.start_time or 0) / av.time_base if self._timed else 0.0  # seconds
        self.info = AudioInfo(
            duration=self._duration(),
            sample_rate=first.sample_rate,
            channels=first.layout.nb_channels,
            format=_TIMED.get(name, name.upper()),
            codec=self._stream.codec_context.name or "",
        )

    def _open(self) -> InputContainer:
        self._file.seek(0)
        try:
            return av.open(self._file, "r", metadata_errors="replace", options={"format_whitelist": _DEMUXERS})
        except FFmpegError as error:
            raise UnreadableError(error.strerror) from error

    def _first_frame(self, container: InputContainer) -> AudioFrame:
        if not container.streams.audio:
            raise AudioError(self._path, "The file has no audio track", "Leave it out")
        try:
            return next(container.decode(container.streams.audio[0]))
        except (FFmpegError, StopIteration) as error:
            raise UnreadableError(getattr(error, "strerror", "nothing in it decodes")) from error

    def _duration(self) -> float:
        """Seconds as the track or else the container tells, NaN where neither does."""
        track, total = self._stream, self._container.duration
        if track.duration and track.time_base:
            return float(((track.start_time or 0) + track.duration) * track.time_base) - self._origin
        return total / av.time_base if total else float("nan")

    def close(self) -> None:
        self._container.close()

    @property
    def tags(self) -> dict[str, str]:
        """The container's tags over the track's, by lower-case name."""
        tags = {**self._stream.metadata, **self._container.metadata}
        return {name.lower(): value for name, value in tags.items()}

    def chunks(self, start: int = 0) -> Iterator[Waveform]:
        """Decodes from frame ``start`` on: [frames, channels].

        MP4 and Matroska are sought by their time stamps, exact to the stamps (one sample, and 1 ms); gaps between them
        become silence, so that times stay true. Other containers are decoded from their beginning: slower, but exact.

        Raises:
            AudioError: sound follows after something that does not decode. Only at its end may a stream be broken.
        """
        for position, chunk in self._placed(start):
            wanted = chunk[max(0, start - position) :]
            if len(wanted):
                yield wanted

    def _placed(self, start: int) -> Iterator[tuple[int, Waveform]]:
        """Decoded and silent chunks, each with the frame it begins at, from some frame at or before ``start``."""
        rate = self.info.sample_rate
        position = None if self._seek(start) else 0
        for frame in self._frames():
            due = self._due(frame)
            if position is None:
                position = due or 0
            gap = 0 if due is None else due - position
            if gap > _LONGEST_GAP * rate:
                raise AudioError(self._path, f"The stream is damaged: its clock jumps by {gap / rate:.0f} s")
            if gap > _DRIFT * rate:
                yield from _silence(position, gap, self.info.channels)
                position += gap
            yield position, _floats(frame)
            position += frame.samples

    def _seek(self, start: int) -> bool:
        """Moves to some packet at or before ``start``, whose stamp will tell where; False if still at the beginning."""
        if not self._timed or start == 0:
            return False
        seconds = start / self.info.sample_rate
        try:
            self._container.seek(round((self._origin + seconds) * av.time_base))
        except FFmpegError as error:
            raise self._damaged(seconds, error) from error
        return True

    def _due(self, frame: AudioFrame) -> int | None:
        """The frame index that the time stamp asks for."""
        if not self._timed or frame.pts is None or frame.time_base is None:
            return None
        return round((float(frame.pts * frame.time_base) - self._origin) * self.info.sample_rate)

    def _frames(self) -> Iterator[AudioFrame]:
        """The frames that decode, as long as none of them follows something that does not."""
        broken: FFmpegError | None = None
        seconds = 0.0
        for item in self._decoded():
            if isinstance(item, FFmpegError):
                broken = broken or item
                continue
            if broken:
                raise self._damaged(seconds, broken)
            if (item.sample_rate, item.layout.nb_channels) != (self.info.sample_rate, self.info.channels):
                raise self._damaged(seconds, "the sample rate or the channels change")
            seconds = item.time if item.time is not None else seconds + item.samples / item.sample_rate
            yield item

    def _decoded(self) -> Iterator[AudioFrame | FFmpegError]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                frames = packet.decode()
            except FFmpegError as error:
                yield error
            else:
                yield from frames

    def _damaged(self, seconds: float, reason: FFmpegError | str) -> AudioError:
        reason = reason if isinstance(reason, str) else reason.strerror or "unknown error"
        problem = f"The stream is damaged {seconds:.1f} s after its start (FFmpeg: {reason})"
        return AudioError(self._path, problem, "Restore the file from a good copy, or convert what is left of it")


def _floats(frame: AudioFrame) -> Waveform:
    """The samples of a decoded frame as [frames, channels] in [-1, 1], whatever their type."""
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(frame.samples, -1)
    if values.dtype == np.uint8:
        return (values.astype(np.float32) - np.float32(128)) / np.float32(128)
    if values.dtype.kind == "i":
        return values.astype(np.float32) * np.float32(0.5 ** (8 * values.itemsize - 1))
    with np.errstate(over="ignore"):  # 64-bit floats beyond the range become infinite
        return values.astype(np.float32, copy=False)


def _silence(position: int, frames: int, channels: int) -> Iterator[tuple[int, Waveform]]:
    step = max(1, CHUNK // channels)
    for at in range(0, frames, step):
        yield position + at, np.zeros((min(step, frames - at), channels), np.float32)
