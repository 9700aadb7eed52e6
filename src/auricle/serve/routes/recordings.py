"""Recordings: lists of them, and what is known of one."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from auricle.serve import schemas
from auricle.serve.context import Lib, Rec
from auricle.serve.errors import RefusalError
from auricle.serve.ranges import FRESH, not_modified
from auricle.serve.shelf import recording_fields

router = APIRouter(prefix="/recordings", tags=["recordings"])


@router.get("")
def recordings(
    lib: Lib,
    request: Request,
    response: Response,
    tag: Annotated[list[schemas.Text], Query(max_length=schemas.MOST_PARTS)] = [],  # noqa: B006  # FastAPI copies it
    folder: Annotated[str | None, Query(max_length=4096)] = None,
    min_duration: schemas.Seconds | None = None,
    max_duration: schemas.Seconds | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
    where: Annotated[str | None, Query(max_length=schemas.LONGEST_SQL, description="SQL over the recordings")] = None,
    q: Annotated[str | None, Query(max_length=500, description="Part of the path, in any case")] = None,
    sort: Literal["path", "duration", "recorded"] = "path",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    offset: Annotated[int, Query(ge=0, le=10**9)] = 0,
) -> schemas.RecordingPage:
    """The recordings that pass all filters, each once whatever the number of its copies."""
    etag = f'"{lib.edition}"'
    if unchanged := not_modified(request, etag):
        return unchanged  # pyright: ignore[reportReturnType]  # FastAPI sends a response as it is
    filters = schemas.Filters(
        tags=tag,
        folder=folder,
        min_duration=min_duration,
        max_duration=max_duration,
        after=after,
        before=before,
        where=where,
    )
    found, total = lib.page(lib.where(filters, q), sort, limit, offset)
    names = lib.names
    response.headers.update({"etag": etag, "cache-control": FRESH})
    items = [schemas.Recording(**recording_fields(recording, names)) for recording in found]
    return schemas.RecordingPage(items=items, total=total, limit=limit, offset=offset)


@router.get("/{rec}")
def recording(rec: Rec, lib: Lib, request: Request, response: Response) -> schemas.RecordingDetail:
    """What is known of one recording."""
    rows = lib.copies(rec)
    try:
        lib.open(rec).close()
        available = True
    except RefusalError:
        available = False
    etag = f'"{lib.edition}-{available:d}"'
    if unchanged := not_modified(request, etag):
        return unchanged  # pyright: ignore[reportReturnType]  # FastAPI sends a response as it is
    response.headers.update({"etag": etag, "cache-control": FRESH})
    names = lib.names
    return schemas.RecordingDetail(
        **recording_fields(lib.recording(rec), names),
        paths=[names.shown(row["path"]) for row in rows],
        available=available,
        comment=rows[0]["comment"] or "",
        device=rows[0]["device"] or "",
    )
