"""Decoding a recording to float32 at a wanted rate, in blocks of bounded size or whole."""

import math
from collections.abc import Iterable, Iterator
from os import PathLike

import numpy as np
import soxr

from auricle.audio._sndfile import CHUNK
from auricle.audio.probe import Source, no_samples, open_source
from auricle.errors import AudioError
from auricle.types import Waveform

LARGEST_BLOCK = 2**25  # values in one block (128 MiB), whatever length and number of channels are asked for
LOUDEST = 2.0**31  # beyond what 32-bit integers stored unscaled as floats reach, a value is no sound


def stream(
    path: str | PathLike[str],
    sample_rate: int | None = None,
    *,
    mono: bool = True,
    block: float = 30.0,
    start: float = 0.0,
    end: float | None = None,
) -> Iterator[Waveform]:
    """Decodes a recording of any length in bounded memory.

    The blocks concatenate to the same samples whatever ``block`` is, bit by bit, and an excerpt is the slice
    ``[round(start * rate), round(end * rate))`` of the whole, to within the resampler's rounding (1e-5): decoding
    begins at a whole second, where both rates have a sample, at least one second ahead of ``start``. Excerpts of WAV,
    FLAC, AIFF, MP3, Vorbis and Opus are exact to the sample; of Matroska to 1 ms, as its time stamps are. (AAC may
    fill in noise of its decoder's own, which differs from pass to pass.) Of joined Ogg streams the first is read.

    NaN becomes 0, infinite values (and any beyond 2³¹) become ±1. Finite values above 1 are kept: floating-point
    recordings may be louder than full scale. Resampling is soxr's HQ: flat to 0.91 of the lower Nyquist frequency,
    aliases below -100 dB. ``n`` samples become ``ceil(n * sample_rate / rate)``.

    Args:
        path: the recording.
        sample_rate: Hz wanted; None keeps the recording's own.
        mono: average the channels.
        block: seconds in each block but the last. Shorter where a block would exceed ``LARGEST_BLOCK`` values.
        start: seconds where the excerpt begins.
        end: seconds where it ends; None for the end of the recording. A later one is cut there.

    Yields:
        float32 ``[samples]``, or ``[samples, channels]`` unless ``mono``.

    Raises:
        AudioError: when the first block is asked for, if the recording cannot be opened, holds no samples or ends
            before ``start``; later, if its stream is damaged. A stream cut off at its end is read up to there.
        MissingExtra: its format needs the extra [video].
    """
    with open_source(path) as source:
        yield from _blocks(path, source, sample_rate or source.info.sample_rate, mono, block, start, end)


def read(
    path: str | PathLike[str],
    sample_rate: int | None = None,
    *,
    mono: bool = True,
    start: float = 0.0,
    end: float | None = None,
) -> tuple[Waveform, int]:
    """Decodes a recording, or an excerpt of it, into memory: ``stream`` with its blocks joined.

    Returns:
        float32 ``[samples]``, or ``[samples, channels]`` unless ``mono``, and its sample rate in Hz.
    """
    with open_source(path) as source:
        rate = sample_rate or source.info.sample_rate
        return np.concatenate(list(_blocks(path, source, rate, mono, 30.0, start, end))), rate


def _blocks(
    path: str | PathLike[str], source: Source, rate: int, mono: bool, block: float, start: float, end: float | None
) -> Iterator[Waveform]:
    if not (0 <= start < math.inf and (end is None or start < end)):
        span = f"The excerpt from {start:g} s to {'the end' if end is None else f'{end:g} s'} is empty"
        raise AudioError(path, span, "Give a start of 0 or more and an end after it, in seconds")
    info = source.info
    ahead = max(0, math.floor(start) - 1)  # seconds
    skip = round(start * rate) - ahead * rate
    length = None if end is None or math.isinf(end) else max(1, round(end * rate) - round(start * rate))

    chunks = (_mixed(chunk, mono) for chunk in source.chunks(ahead * info.sample_rate))
    chunks = _resampled(chunks, info.sample_rate, rate, 1 if mono else info.channels)
    size = min(round(block * rate), LARGEST_BLOCK // (1 if mono else info.channels))
    blocks = _joined(_cut(chunks, skip, length), max(1, size))
    first = next(blocks, None)
    if first is None:
        raise AudioError(path, f"It ends before the excerpt's start at {start:g} s") if start else no_samples(path)
    yield first
    yield from blocks


def _mixed(chunk: Waveform, mono: bool) -> Waveform:
    """[frames, channels] -> [frames] if ``mono``, with every value made finite."""
    with np.errstate(all="ignore"):
        mixed = _mean(chunk) if mono else chunk
        if mixed.max() <= LOUDEST and mixed.min() >= -LOUDEST:  # both False if there is a NaN
            return mixed
        bounded = np.where(np.abs(chunk) <= LOUDEST, chunk, np.nan_to_num(np.sign(chunk)))
    return _mean(bounded) if mono else bounded


def _mean(chunk: Waveform) -> Waveform:
    """Average of the channels. Column by column: a tenth of the time of ``chunk.mean(axis=1)``."""
    mean = chunk[:, 0]
    if chunk.shape[1] > 1:
        mean = mean + chunk[:, 1]
        for channel in range(2, chunk.shape[1]):
            mean += chunk[:, channel]
        mean *= np.float32(1 / chunk.shape[1])
    return mean


def _resampled(chunks: Iterator[Waveform], rate_in: int, rate_out: int, channels: int) -> Iterator[Waveform]:
    if rate_in == rate_out:
        yield from chunks
        return
    resampler = soxr.ResampleStream(rate_in, rate_out, channels, dtype="float32", quality="HQ")
    step = max(1, CHUNK * rate_in // (rate_out * channels))  # frames that become a chunk, also when there are more
    taken = given = 0
    shape: tuple[int, ...] = ()
    for chunk in chunks:
        shape = chunk.shape[1:]
        taken += len(chunk)
        for at in range(0, len(chunk), step):
            result = resampler.resample_chunk(np.ascontiguousarray(chunk[at : at + step]))
            given += len(result)
            yield result
    # Silence behind the end brings out the last sample even where rounding would drop it.
    silence = np.zeros((-(-rate_in // rate_out), *shape), np.float32)
    yield resampler.resample_chunk(silence, last=True)[: -(-taken * rate_out // rate_in) - given]


def _cut(chunks: Iterable[Waveform], skip: int, length: int | None) -> Iterator[Waveform]:
    """Drops the first ``skip`` samples and whatever follows the ``length`` after them."""
    for chunk in chunks:
        dropped = min(skip, len(chunk))
        skip -= dropped
        chunk = chunk[dropped:][:length]
        yield chunk
        if length is not None:
            length -= len(chunk)
            if length == 0:
                return


def _joined(chunks: Iterable[Waveform], size: int) -> Iterator[Waveform]:
    """Re-blocks to ``size`` samples each; the last may be shorter, none is empty."""
    filled = 0
    block = np.empty(0, np.float32)
    for chunk in chunks:
        while len(chunk):
            if filled == 0:
                block = np.empty((size, *chunk.shape[1:]), np.float32)
            part = chunk[: size - filled]
            block[filled : filled + len(part)] = part
            filled += len(part)
            chunk = chunk[len(part) :]
            if filled == size:
                yield block
                filled = 0
    if filled:
        yield block[:filled]
