"""Sounds that people search with: heard once, in bounded time and memory, and kept for a while as vectors only."""

import secrets
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath
from typing import BinaryIO

import numpy as np

from auricle.audio import SUFFIXES, stream
from auricle.audio.probe import open_source
from auricle.library.listen import hear_blocks
from auricle.library.search import is_silent, mean_vector
from auricle.serve.errors import RefusalError, not_found
from auricle.serve.limits import Limits
from auricle.serve.work import go_on
from auricle.types import Ear, Waveform

BLOCK_SECONDS = 10.0
COPY_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Heard:
    """An upload as one ear heard it."""

    library: str
    vectors: np.ndarray  # [windows, dim]
    silent: np.ndarray  # [windows]
    middles: np.ndarray  # [windows], seconds
    duration: float
    expires: datetime
    id: str = field(default_factory=lambda: secrets.token_hex(16))

    def vector(self, start: float, end: float | None) -> np.ndarray:
        """Mean embedding [dim] of the windows whose middle lies in [start, end] seconds (the nearest if none does)."""
        inside = (self.middles >= start) & (self.middles <= (np.inf if end is None else end))
        if not inside.any():
            inside = np.abs(self.middles - start) == np.abs(self.middles - start).min()
        return mean_vector(self.vectors[inside], self.silent[inside])


class Uploads:
    """The uploads of one server. The files themselves live in a private folder, and only while they are heard."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self.folder = Path(tempfile.mkdtemp(prefix="auricle-"))  # only its owner may enter
        self.close = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self._heard: dict[str, Heard] = {}
        self._lock = threading.Lock()

    def hear(self, library: str, ear: Ear, file: BinaryIO, filename: str) -> Heard:
        """Listens to an upload and keeps what was heard.

        Raises:
            AudioError: it is no sound.
            RefusalError: it is too long, or has too many channels.
        """
        with self._decoded(ear.sample_rate, file, filename) as samples:
            blocks = [heard for _, _, heard in hear_blocks(ear, iter(samples))]
        vectors = np.concatenate([block.embeddings for block in blocks])
        silent = np.concatenate([is_silent(block, ear) for block in blocks])
        middles = (np.arange(len(vectors)) * ear.hop + ear.window / 2) / ear.sample_rate
        expires = datetime.now(UTC) + timedelta(seconds=self.limits.upload_age)
        heard = Heard(library, vectors, silent, middles, samples.count / ear.sample_rate, expires)
        with self._lock:
            self._forget_old()
            self._heard[heard.id] = heard
        return heard

    def read(self, rate: int, file: BinaryIO, filename: str) -> Waveform:
        """The sound of an upload, of which nothing is kept: mono at ``rate`` Hz.

        Raises:
            AudioError: it is no sound.
            RefusalError: it is too long, or has too many channels.
        """
        with self._decoded(rate, file, filename) as samples:
            return np.concatenate([np.zeros(0, np.float32), *samples])

    @contextmanager
    def _decoded(self, rate: int, file: BinaryIO, filename: str) -> "Iterator[_Counted]":
        suffix = PurePath(filename).suffix.lower()
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=suffix if suffix in SUFFIXES else "") as copy:
            shutil.copyfileobj(file, copy, COPY_BYTES)
            copy.flush()
            with open_source(copy.name) as source:  # the header only: to count what it does not tell takes decoding
                channels = source.info.channels
            if channels > self.limits.upload_channels:
                raise RefusalError(
                    413, f"The sound has {channels} channels", f"Send {self.limits.upload_channels} or fewer"
                )
            yield _Counted(stream(copy.name, rate, block=BLOCK_SECONDS), rate, self.limits.upload_seconds)

    def __call__(self, library: str, id: str) -> Heard:
        """The upload ``id`` of a library.

        Raises:
            RefusalError: there is none any more.
        """
        with self._lock:
            heard = self._heard.get(id)
        if heard is None or heard.library != library or heard.expires < datetime.now(UTC):
            raise not_found(f"upload {id!r}", "Send the sound again: uploads are kept for an hour")
        return heard

    def _forget_old(self) -> None:
        now = datetime.now(UTC)
        living = [heard for heard in self._heard.values() if heard.expires > now]
        self._heard = {heard.id: heard for heard in living[-(self.limits.uploads_kept - 1) :]}


class _Counted:
    """Blocks of sound, refused once there are more than ``most`` seconds of them, whatever the header said."""

    def __init__(self, blocks: Iterator[Waveform], rate: int, most: float):
        self._blocks, self.rate, self.most = blocks, rate, most
        self.count = 0  # samples

    def __iter__(self) -> Iterator[Waveform]:
        for block in self._blocks:
            go_on()
            self.count += len(block)
            if self.count > self.most * self.rate:
                raise RefusalError(413, f"The sound is longer than {self.most:g} s", "Send a shorter excerpt")
            yield block
