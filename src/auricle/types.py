"""The words the whole house speaks: what a recording, a window, an event and a hit are, and what an ear must do.

Conventions, everywhere: times in **seconds** from the start of the recording (float), sample rates in **Hz**,
waveforms as float32 in [-1, 1] shaped ``[samples]`` (mono) or ``[samples, channels]``, scores in [0, 1], best first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Waveform = NDArray[np.float32]


class Tag(NamedTuple):
    """A class name and how sure the ear is of it, in [0, 1]."""

    label: str
    score: float


@dataclass(frozen=True, slots=True)
class Event:
    """Something heard from ``start`` to ``end`` seconds in ``path``; ``low``/``high`` bound it in Hz when known."""

    path: str
    start: float
    end: float
    label: str
    score: float = 1.0
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """An answer to a query: ``start`` to ``end`` seconds of ``path``, with the tags that explain the ``score``."""

    path: str
    start: float
    end: float
    score: float
    tags: tuple[Tag, ...] = ()
    recording: str = ""  # content id, the same for every copy of the file
    duration: float = 0.0  # of the whole recording, seconds


@dataclass(frozen=True, slots=True)
class Recording:
    """One indexed file. ``id`` is its content's hash, so copies share it; ``path`` is where it was last seen."""

    id: str
    path: str
    duration: float
    sample_rate: int
    channels: int
    format: str  # container, e.g. "WAV", "OGG"
    size: int = 0  # bytes
    modified: float = 0.0  # POSIX time of the file
    recorded: datetime | None = None  # UTC, from the file's own metadata
    title: str = ""
    artist: str = ""
    latitude: float | None = None
    longitude: float | None = None
    tags: tuple[Tag, ...] = field(default=())


class Heard(NamedTuple):
    """What an ear made of ``k`` windows."""

    embeddings: NDArray[np.float32]  # [k, dim]
    scores: NDArray[np.float32] | None  # [k, classes], each in [0, 1]; None when the ear knows no classes
    hashes: NDArray[np.uint32] | None = None  # [k, hashes]; None for all but a ``PrintEar``


@runtime_checkable
class Ear(Protocol):
    """Anything that turns sound into vectors, window by window (DESIGN: the ``Embedder`` protocol, with tags).

    Window ``i`` of a recording covers samples ``[i * hop, i * hop + window)`` at ``sample_rate``. A recording of ``n``
    samples has ``1 + ceil(max(0, n - window) / hop)`` windows; the last is filled with zeros. See ``windows_in``.
    """

    name: str  # "yamnet@int8": system@tag; names the table its windows are stored in
    sample_rate: int  # Hz
    window: int  # samples heard by one vector
    hop: int  # samples between windows
    dim: int  # length of one vector
    classes: Sequence[str]  # names of the scores' columns; empty when the ear has none

    def hear(self, waveform: Waveform) -> Heard:
        """Hears mono ``waveform`` [samples], already filled so that it holds whole windows.

        ``samples == window + (k - 1) * hop`` gives exactly ``k`` rows. Row ``i`` depends on its own samples only.
        """
        ...


@runtime_checkable
class TextEar(Ear, Protocol):
    """An ear whose vectors live in one space with sentences (CLAP and its family)."""

    text_min_score: float  # cosine between sentence and sound from which a sound probably fits

    def embed_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embeds sentences as unit vectors [texts, dim], comparable with ``hear`` by cosine."""
        ...


@runtime_checkable
class PrintEar(Ear, Protocol):
    """An ear whose unit vectors (fingerprints; zeros for silence) tell which recording is played, and where in it.

    Beside each print it keeps a few robust hashes: most of their 32 bits are the same for the same moment of the same
    recording, in whatever noise, as long as it is played as it was. 0 is silence.
    """

    step: int  # samples between the frames of ``levels``
    hashes: int  # beside each print, evenly over a hop
    ahead: int  # samples from the beginning of a window to what the first of its hashes is of

    def prints_of(
        self, waveform: Waveform, tempo: float = 1.0, pitch: int = 0, step: float = 0.5
    ) -> NDArray[np.float32]:
        """Prints [k, dim] of the recording that sounds like mono ``waveform`` when played otherwise.

        Args:
            waveform: mono [samples].
            tempo: how many times as fast it is played.
            pitch: how many semitones higher it is played.
            step: distance between prints in the recording, in hops.
        """
        ...

    def commonness(self, prints: NDArray[np.float32]) -> NDArray[np.float32]:
        """How alike each of ``prints`` [k, dim] is to sounds of all sorts [k]: cosines; 2 for those of silence."""
        ...

    def hashes_of(self, waveform: Waveform, later: float = 0.0) -> NDArray[np.uint32]:
        """Hashes [k] of mono ``waveform`` from its beginning on, or from ``later`` on (times the step between two)."""
        ...

    def levels(self, waveform: Waveform, tempo: float = 1.0, pitch: float = 0.0) -> NDArray[np.float32]:
        """What prints are made of: the levels [frames, bands] of that recording, against those around.

        Args:
            waveform: mono [samples]; ``window`` of them at least.
            tempo: how many times as fast it is played.
            pitch: how many semitones higher it is played, to half a semitone.
        """
        ...


@runtime_checkable
class Detector(Protocol):
    """What says when it hears what: scores of every step of time.

    A window of ``window`` samples has ``steps`` rows of scores, equally long. A recording is heard in windows every
    ``hop`` samples, a whole number of steps; where windows overlap, the one whose middle is nearer is believed.
    """

    name: str  # system@tag
    sample_rate: int  # Hz
    window: int  # samples heard at once
    hop: int  # samples between windows
    steps: int  # rows of scores of a window
    classes: Sequence[str]  # names of the scores' columns

    def hear(self, waveform: Waveform) -> NDArray[np.float32]:
        """Scores [k, steps, classes] in [0, 1] of mono ``waveform`` [window + (k - 1) * hop]."""
        ...


def windows_in(samples: int, window: int, hop: int) -> int:
    """How many windows a recording of ``samples`` samples has: at least one, and none of its samples is dropped."""
    return 1 + max(0, -(-(samples - window) // hop))


def whole_windows(waveform: Waveform, window: int, hop: int) -> int:
    """How many windows ``waveform`` [window + (k - 1) * hop] has.

    Raises:
        ValueError: the waveform is not mono or does not hold whole windows.
    """
    windows, rest = divmod(len(waveform) - window + hop, hop)
    if waveform.ndim != 1 or windows < 1 or rest:
        raise ValueError(f"a waveform of shape {waveform.shape} where [{window} + n * {hop}] is needed")
    return windows
