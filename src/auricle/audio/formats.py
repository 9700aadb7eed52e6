"""What is known of a sound file before it is decoded: its name, its header's facts, and the limits auricle keeps."""

from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import PurePath

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000  # Hz

_SNDFILE_SUFFIXES = (
    ".wav .wave .bwf .rf64 .w64 .flac .ogg .oga .opus .mp1 .mp2 .mp3 .mpga .aif .aiff .aifc .au .snd .caf "
    ".voc .sph .paf .svx .8svx"
)
_AV_SUFFIXES = (
    ".m4a .m4b .m4r .mp4 .m4v .mov .qt .3gp .3g2 .aac .adts .wma .wmv .asf .mkv .mka .webm .weba .avi .flv .ogv .spx "
    ".mts .m2ts .mpg .mpeg .vob .ac3 .eac3 .dts .amr .ape .wv .tta .tak .mpc .dsf .ra .rm"
)

AV_SUFFIXES = frozenset(_AV_SUFFIXES.split())
SUFFIXES = frozenset(_SNDFILE_SUFFIXES.split()) | AV_SUFFIXES
"""Endings, lower case with their dot, of files worth trying. Those of PyAV's own are among them whether or not it is
installed, so that a person learns which extra would read them."""


def is_audio_name(path: str | PathLike[str]) -> bool:
    """Whether the name of ``path`` promises sound. The file is not looked at.

    The ``._`` companions macOS leaves on foreign disks carry the suffix of their file but never its sound.
    """
    name = PurePath(fspath(path))
    return name.suffix.lower() in SUFFIXES and not name.name.startswith("._")


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """The header of a sound file, as the file tells it: a cut-off file may hold less than it says.

    Attributes:
        duration: seconds.
        sample_rate: Hz, ``LOWEST_RATE`` to ``HIGHEST_RATE``.
        channels: at least 1.
        format: container in capitals, e.g. "WAV", "OGG", "MP3", "MP4", "MKV".
        codec: libsndfile's subtype ("PCM_16", "VORBIS") or, for what FFmpeg reads, its codec name ("aac").
        frames: samples per channel; None where the container counts only time.
    """

    duration: float
    sample_rate: int
    channels: int
    format: str
    codec: str
    frames: int | None = None
