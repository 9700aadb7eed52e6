"""Sound in and out of files: float32 at any rate, in bounded memory, and what files tell about themselves.

libsndfile decodes WAV, FLAC, Ogg, Opus, MP3, AIFF and their kin; FFmpeg, through the extra [video], all the rest.
"""

from auricle.audio._file import open_regular
from auricle.audio.formats import SUFFIXES, AudioInfo, is_audio_name
from auricle.audio.metadata import Metadata, metadata
from auricle.audio.probe import probe
from auricle.audio.read import read, stream
from auricle.audio.write import write

__all__ = [
    "SUFFIXES",
    "AudioInfo",
    "Metadata",
    "is_audio_name",
    "metadata",
    "open_regular",
    "probe",
    "read",
    "stream",
    "write",
]
