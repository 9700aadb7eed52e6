"""Searching: by words, by stretches of recordings, by sounds that were sent."""

import time
from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, File, Request, UploadFile

from auricle.library import Part
from auricle.library.search import Searcher
from auricle.serve import schemas
from auricle.serve.context import Context, Here, Lib, errors
from auricle.serve.errors import not_found
from auricle.serve.shelf import Served, hit_fields

router = APIRouter(tags=["search"])


@router.post("/search")
async def search(body: schemas.SearchRequest, lib: Lib, here: Here, request: Request) -> schemas.SearchAnswer:
    """Stretches of sound that fit words and examples best, by falling score."""
    texts = [one.text for one in (*body.words, *body.without) if isinstance(one, schemas.Words)]
    await here.embedding(lib.name, texts, lib.prepare)
    return await here.searching(request, lambda: _answer(body, lib, here))


@router.post("/uploads", status_code=201, responses=errors(413, 415))
async def upload(
    file: Annotated[UploadFile, File(description="A sound file")], lib: Lib, here: Here, request: Request
) -> schemas.Upload:
    """Hears a sound, so that it can be searched with. Only what the ear made of it is kept, for an hour."""
    ear = lib.library.listener
    heard = await here.listening(request, lambda: here.uploads.hear(lib.name, ear, file.file, file.filename or ""))
    return schemas.Upload(upload=heard.id, duration=round(heard.duration, 3), expires=heard.expires)


def _answer(body: schemas.SearchRequest, lib: Served, here: Context) -> schemas.SearchAnswer:
    began = time.perf_counter()
    if not lib.library.store.exists:
        return schemas.SearchAnswer(hits=[], more=False, windows=0, served_by="exact", best=0.0, took=0.0)
    searcher = lib.library.searcher
    wanted, unwanted = [*body.words, *body.like], body.without
    parts = [*_parts(wanted, 1, searcher, lib, here), *_parts(unwanted, -1, searcher, lib, here)]
    last = body.offset + body.limit
    answer = searcher.search(
        parts,
        where=lib.where(body.filters),
        limit=last + 1,  # one more tells whether there are more
        min_score=body.min_score,
        one_per_recording=body.one_per_recording,
    )
    names = lib.names
    return schemas.SearchAnswer.model_validate(
        {
            "hits": [hit_fields(hit, names) for hit in answer.hits[body.offset : last]],
            "more": len(answer.hits) > last,
            "windows": answer.windows,
            "served_by": answer.served_by,
            "best": answer.best,
            "took": round(time.perf_counter() - began, 6),
        }
    )


def _parts(
    asked: Iterable[schemas.Words | schemas.Example], sign: int, searcher: Searcher, lib: Served, here: Context
) -> Iterable[Part]:
    """The parts of a query as the library takes them; examples as the vectors that are there already."""
    for one in asked:
        if isinstance(one, schemas.Words):
            yield Part(text=one.text, weight=sign * one.weight)
            continue
        if one.upload is not None:
            vector = here.uploads(lib.name, one.upload).vector(one.start, one.end)
        else:
            vector = searcher.vector_of(one.recording or "", one.start, one.end)
            if vector is None:
                raise not_found(f"recording {one.recording}", "Search again: it may have been removed")
        yield Part(vector=vector, weight=sign * one.weight)
