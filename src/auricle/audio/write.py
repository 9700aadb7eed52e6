"""Writing recordings: the suffix names the format, and a file appears whole or not at all."""

import os
import secrets
from os import PathLike, fspath
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from auricle.audio._file import explain
from auricle.errors import AudioError
from auricle.types import Waveform

_FORMATS = {  # suffix -> libsndfile's format and the subtype written unless another is asked for
    ".wav": ("WAV", "PCM_16"),
    ".rf64": ("RF64", "PCM_16"),
    ".w64": ("W64", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".oga": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
    ".aiff": ("AIFF", "PCM_16"),
    ".aif": ("AIFF", "PCM_16"),
    ".au": ("AU", "PCM_16"),
    ".caf": ("CAF", "PCM_16"),
}
_BLOCK = 2**16  # frames; the Vorbis encoder keeps what it gets at once on its stack


def write(path: str | PathLike[str], waveform: Waveform, sample_rate: int, *, subtype: str | None = None) -> None:
    """Writes ``waveform`` [samples] or [samples, channels] to ``path``, in the format of its suffix.

    The file is written beside its place and then moved there, so a reader never sees half of it and a failure leaves
    what was there before. Integer formats clip beyond [-1, 1]; NaN becomes 0 and infinite values ±1 in all.

    Args:
        path: ending in one of .wav .rf64 .w64 .flac .ogg .oga .opus .mp3 .aiff .aif .au .caf.
        waveform: floating point, at least one sample.
        sample_rate: Hz. Opus takes 8, 12, 16, 24 and 48 kHz, MP3 8 to 48 kHz in the usual steps.
        subtype: libsndfile's name, e.g. "PCM_24" or "FLOAT"; None for 16 bit, or the suffix's lossy codec.

    Raises:
        AudioError: the suffix is unknown, the format cannot hold such sound, or the disk refuses it.
        TypeError: ``waveform`` is not floating point.
    """
    place = Path(fspath(path))
    if place.suffix.lower() not in _FORMATS:
        known = " ".join(_FORMATS)
        raise AudioError(path, f"Writing {place.suffix or 'files without a suffix'} is not supported", f"Use {known}")
    if not np.issubdtype(waveform.dtype, np.floating):
        raise TypeError(f"waveform must be floating point in [-1, 1], not {waveform.dtype}")
    if waveform.ndim not in (1, 2) or waveform.size == 0:
        raise AudioError(path, f"A waveform of shape {list(waveform.shape)} holds no sound", "Give at least one sample")
    container, default = _FORMATS[place.suffix.lower()]
    subtype = (subtype or default).upper()
    channels = 1 if waveform.ndim == 1 else waveform.shape[1]
    if not soundfile.check_format(container, subtype):
        known = ", ".join(soundfile.available_subtypes(container))
        raise AudioError(path, f"{container} files hold no {subtype}", f"Use one of {known}")

    draft = place.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with open(draft, "xb") as file:
            _encode(file, waveform, sample_rate, channels, container, subtype)
        os.replace(draft, place)
    except soundfile.LibsndfileError as error:
        problem = f"{subtype} at {sample_rate} Hz with {channels} channels could not be written"
        raise AudioError(
            path,
            f"{problem} (libsndfile: {error.error_string.rstrip('. ')})",
            "Check that the format takes this rate and number of channels, and that the disk has room",
        ) from error
    except OSError as error:
        raise AudioError(path, *explain(place.parent, error)) from error
    finally:
        draft.unlink(missing_ok=True)


def _encode(file: BinaryIO, waveform: Waveform, sample_rate: int, channels: int, container: str, subtype: str) -> None:
    # Windows hands no file numbers to libraries with a C runtime of their own.
    target = file if os.name == "nt" else file.fileno()
    with soundfile.SoundFile(
        target, "w", sample_rate, channels, format=container, subtype=subtype, closefd=False
    ) as sound:
        for at in range(0, len(waveform), _BLOCK):
            sound.write(np.nan_to_num(waveform[at : at + _BLOCK], nan=0.0, posinf=1.0, neginf=-1.0))
