"""Searching: by words, by stretches of recordings, by sounds that were sent."""

from typing import Annotated

from fastapi import APIRouter, File, Request, Response, UploadFile

from auricle.serve import schemas
from auricle.serve.context import Here, Lib, errors
from auricle.serve.searching import examples_of

router = APIRouter(tags=["search"])


@router.post("/search", response_model=schemas.SearchAnswer)
async def search(body: schemas.SearchRequest, lib: Lib, here: Here, request: Request) -> Response:
    """Stretches of sound that fit words and examples best, by falling score."""
    uploads = [
        here.uploads(lib.name, one.upload).vector(one.start, one.end).tolist()
        for one in examples_of(body)
        if one.upload is not None
    ]
    return Response(await here.searches(request, lib.name, body, uploads), media_type="application/json")


@router.post("/uploads", status_code=201, responses=errors(413, 415))
async def upload(
    file: Annotated[UploadFile, File(description="A sound file")], lib: Lib, here: Here, request: Request
) -> schemas.Upload:
    """Hears a sound, so that it can be searched with. Only what the ear made of it is kept, for an hour."""
    ear = lib.library.listener
    heard = await here.listening(request, lambda: here.uploads.hear(lib.name, ear, file.file, file.filename or ""))
    return schemas.Upload(upload=heard.id, duration=round(heard.duration, 3), expires=heard.expires)
