"""Libraries: which there are, and what is in them altogether."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from auricle.serve import schemas
from auricle.serve.context import Context, Here, Lib
from auricle.serve.ranges import FRESH, not_modified
from auricle.serve.shelf import Served

router = APIRouter(tags=["libraries"])
one = APIRouter(tags=["libraries"])


@router.get("/libraries")
def libraries(here: Here) -> list[schemas.LibrarySummary]:
    """All libraries of this server, the default one first."""
    return [_summary(served, here) for served in here.shelf.all.values()]


@one.get("/stats")
def stats(lib: Lib) -> schemas.LibraryStats:
    """The library in numbers; all of them nothing while nothing has been indexed."""
    return schemas.LibraryStats(**lib.stats())


@one.get("/facets")
def facets(lib: Lib, request: Request, response: Response) -> schemas.Facets:
    """What recordings can be filtered by, and how many files each choice leaves."""
    tag = f'"{lib.edition}"'
    if unchanged := not_modified(request, tag):
        return unchanged  # pyright: ignore[reportReturnType]  # FastAPI sends a response as it is
    response.headers.update({"etag": tag, "cache-control": FRESH})
    return lib.facets()


@one.get("/classes")
def classes(lib: Lib) -> list[str]:
    """What the ear can name; nothing for ears that understand sentences instead."""
    return list(lib.library.listener.classes)


@one.get("/quarantine")
def quarantine(
    lib: Lib, limit: Annotated[int, Query(ge=1, le=1000)] = 100, offset: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> schemas.RefusedPage:
    """Files that could not be heard, and why, by path."""
    refused = sorted(lib.library.store.quarantine.items())
    names = lib.names
    items = [
        schemas.Refused(path=names.shown(path), reason=facts["reason"])
        for path, facts in refused[offset : offset + limit]
    ]
    return schemas.RefusedPage(items=items, total=len(refused), limit=limit, offset=offset)


def _summary(served: Served, here: Context) -> schemas.LibrarySummary:
    job = here.jobs.under_way(served)
    library = served.library
    return schemas.LibrarySummary(
        name=served.name,
        path=str(library.path),
        exists=library.store.exists,
        ear=library.ear if library.store.exists else "",
        writable=here.jobs.writable,
        job=job.id if job else None,
        **served.stats(),
    )
