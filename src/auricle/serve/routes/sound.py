"""The sound of one recording: to hear, and to see as waveform and spectrogram."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from auricle.audio import probe
from auricle.serve import schemas
from auricle.serve.confine import Confined
from auricle.serve.context import Here, Lib, Rec, errors
from auricle.serve.errors import RefusalError
from auricle.serve.ranges import FRESH, Chunks, not_modified, ranged
from auricle.serve.sound import LARGEST, Wav, is_played, media_type, peaks
from auricle.serve.spectrogram import Scale, Theme, View, tile
from auricle.types import Recording

router = APIRouter(prefix="/recordings/{rec}", tags=["sound"])

SHORTEST = 0.001  # seconds that can be looked at
SENT = 2**18  # bytes at a time

Start = Annotated[schemas.Seconds, Query(description="Seconds")]
End = Annotated[schemas.Seconds | None, Query(description="Seconds; the end of the recording if left out")]
AUDIO = {
    200: {"description": "The sound", "content": {"audio/*": {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "The range asked for"},
    304: {"description": "The client has it already"},
}
PNG = {200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}}, 304: {"description": ""}}


@router.head("/audio", include_in_schema=False)
@router.get("/audio", response_class=Response, responses={**AUDIO, **errors(413, 415, 416)})
async def audio(
    rec: Rec, lib: Lib, here: Here, request: Request, start: Start = 0.0, end: End = None, play: bool = False
) -> Response:
    """The file as it is; with `start` or `end` an excerpt as WAV; with `play` in a form that browsers play.

    Ranges of bytes can be asked for in every case.
    """

    def prepare() -> Response:
        recording, file = lib.recording(rec), lib.open(rec)
        whole = start == 0.0 and end is None
        info = probe(file.path) if play or not whole else None
        if whole and (info is None or is_played(info)):
            kind = media_type(file.path, recording.format)
            return _ranged(request, file.size, lambda a, b: _read(file, a, b), kind, f'"{file.tag}"', file)
        assert info is not None
        with file:
            first, last = _stretch(recording, start, end)
            if not whole and last - first > here.limits.excerpt_seconds:
                longest = f"{here.limits.excerpt_seconds:g} s"
                raise RefusalError(413, f"The excerpt is longer than {longest}", "Ask for less, or for the whole file")
            wav = (Wav.playable if play else Wav.original)(file.path, first, last, info)
            if wav.size > LARGEST:
                raise RefusalError(413, "The excerpt is larger than a WAV file can be", "Ask for less, or with play=1")
            return _ranged(request, wav.size, wav.chunks, wav.media_type, f'"{file.tag}-{first:g}-{last:g}-{play:d}"')

    return await here.listening(request, prepare)


@router.get("/peaks", responses=errors(413, 415, 416))
async def waveform(
    rec: Rec,
    lib: Lib,
    here: Here,
    request: Request,
    response: Response,
    start: Start = 0.0,
    end: End = None,
    points: Annotated[int, Query(ge=1, le=8000)] = 1000,
) -> schemas.Peaks:
    """Lowest and highest sample of each of `points` equal parts of a stretch; fewer where it has fewer samples."""

    def draw() -> bytes | Response:
        recording = lib.recording(rec)
        with lib.open(rec) as file:
            etag = f'"{file.tag}"'
            if unchanged := not_modified(request, etag):
                return unchanged
            first, last = _stretch(recording, start, end)

            def make() -> bytes:
                low, high = peaks(file.path, first, last, recording.sample_rate, points)
                lists = {"min": [round(float(v), 4) for v in low], "max": [round(float(v), 4) for v in high]}
                made = schemas.Peaks(start=first, end=last, points=len(low), **lists)
                return made.model_dump_json().encode()

            body = here.drawn((file.path, file.tag, first, last, points), make)
        return Response(body, media_type="application/json", headers={"etag": etag, "cache-control": FRESH})

    return await here.listening(request, draw)  # pyright: ignore[reportReturnType]  # a response, sent as it is


@router.get("/spectrogram", response_class=Response, responses={**PNG, **errors(415, 416)})
async def spectrogram(
    rec: Rec,
    lib: Lib,
    here: Here,
    request: Request,
    start: Start = 0.0,
    end: End = None,
    width: Annotated[int, Query(ge=1, le=2048, description="Pixels")] = 512,
    height: Annotated[int, Query(ge=1, le=1024, description="Pixels")] = 256,
    scale: Scale = "mel",
    max_frequency: Annotated[
        float | None,
        Query(gt=0, le=400_000, allow_inf_nan=False, description="Hz at the upper edge; default: half the rate"),
    ] = None,
    floor: Annotated[float, Query(ge=-200, le=0, description="dB of the first colour")] = -100.0,
    ceiling: Annotated[float, Query(ge=-200, le=20, description="dB of the last colour")] = -25.0,
    theme: Theme = "dark",
) -> Response:
    """A tile of the spectrogram as PNG: time to the right, frequency from 0 upwards, mel after HTK or linear."""
    if floor >= ceiling:
        raise RefusalError(422, "The floor is not below the ceiling", "Give floor < ceiling, in dB")

    def draw() -> Response:
        recording = lib.recording(rec)
        with lib.open(rec) as file:
            etag = f'"{file.tag}"'
            if unchanged := not_modified(request, etag):
                return unchanged
            first, last = _stretch(recording, start, end)
            top = max_frequency or recording.sample_rate / 2
            view = View(first, last, width, height, scale, top, floor, ceiling, theme)
            png = here.drawn((file.path, file.tag, view), lambda: tile(file.path, recording.sample_rate, view))
        return Response(png, media_type="image/png", headers={"etag": etag, "cache-control": FRESH})

    return await here.listening(request, draw)


def _stretch(recording: Recording, start: float, end: float | None) -> tuple[float, float]:
    """A stretch within the recording, seconds.

    Raises:
        RefusalError: it is empty.
    """
    last = recording.duration if end is None else min(end, recording.duration)
    if last - start < SHORTEST:
        span = f"{start:g} s to {'the end' if end is None else f'{end:g} s'}"
        raise RefusalError(416, f"From {span} there is no sound", f"The recording is {recording.duration:g} s long")
    return start, last


def _ranged(request: Request, size: int, chunks: Chunks, kind: str, tag: str, file: Confined | None = None) -> Response:
    """The answer, with its first bytes at hand: what cannot be decoded is told instead of broken off.

    ``file`` is what ``chunks`` reads and closes; it is closed here when nothing is to be sent of it.
    """

    def begun(first: int, last: int) -> Iterator[bytes]:
        pieces = chunks(first, last)
        return itertools.chain([next(pieces, b"")], pieces)

    with ExitStack() as unused:
        if file:
            unused.enter_context(file)
        if unchanged := not_modified(request, tag):
            return unchanged
        answer = ranged(request, size, begun, media_type=kind, tag=tag)
        if isinstance(answer, StreamingResponse):
            unused.pop_all()
        return answer


def _read(file: Confined, first: int, last: int) -> Iterator[bytes]:
    with file:
        file.file.seek(first)
        while first < last:
            piece = file.file.read(min(SENT, last - first))
            if not piece:
                return
            first += len(piece)
            yield piece
