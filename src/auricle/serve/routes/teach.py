"""Teaching: tags of one's own from examples, what they find, and what to ask about next."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from auricle.errors import LibraryError
from auricle.library.teach import Example, Taught, Teacher
from auricle.serve import schemas
from auricle.serve.context import Here, Lib
from auricle.serve.errors import not_found
from auricle.serve.shelf import Served, hit_fields
from auricle.types import Hit

router = APIRouter(prefix="/teach", tags=["teaching"])

Name = Annotated[str, Path(description="A tag of one's own")]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("")
def taught(lib: Lib) -> list[schemas.Taught]:
    """The tags that were taught, by name."""
    return [_told(one) for one in lib.library.teacher()] if lib.library.store.exists else []


@router.post("")
async def teach(body: schemas.Lesson, lib: Lib, here: Here, request: Request) -> schemas.Taught:
    """Teaches a tag. All recordings get it at once, others while they are indexed."""
    positives, negatives = _examples(body.positives), _examples(body.negatives)
    return _told(await here.listening(request, lambda: lib.library.teacher.teach(body.name, positives, negatives)))


@router.delete("/{name:path}", status_code=204)
async def forget(name: Name, lib: Lib, here: Here, request: Request) -> None:
    """Takes a tag from all recordings; undoing brings it back."""
    await here.listening(request, lambda: _teacher(lib, name).forget(name))


@router.post("/{name:path}/undo")
async def undo(name: Name, lib: Lib, here: Here, request: Request) -> schemas.Taught | None:
    """Takes back the latest lesson of a tag, or that it was forgotten; null when no classifier is left."""
    left = await here.listening(request, lambda: lib.library.teacher.undo(name))
    return left and _told(left)


@router.get("/{name:path}/ranked")
async def ranked(name: Name, lib: Lib, here: Here, request: Request, limit: Limit = 20) -> list[schemas.Hit]:
    """Where a tag is most surely heard, by falling score."""
    return await here.listening(request, lambda: _hits(lib, _teacher(lib, name).ranked(name, limit)))


@router.get("/{name:path}/uncertain")
async def uncertain(name: Name, lib: Lib, here: Here, request: Request, limit: Limit = 20) -> list[schemas.Hit]:
    """What would teach most: sounds whose score is nearest to 0.5, examples left out."""
    return await here.listening(request, lambda: _hits(lib, _teacher(lib, name).uncertain(name, limit)))


def _teacher(lib: Served, name: str) -> Teacher:
    """Who knows the tag ``name``."""
    try:
        lib.library.teacher.get(name)
    except LibraryError as error:
        raise not_found(f"tag {name!r} of one's own", error.remedy) from None
    return lib.library.teacher


def _examples(stretches: list[schemas.Stretch]) -> list[Example]:
    return [Example(one.recording, one.start, one.end) for one in stretches]


def _hits(lib: Served, hits: list[Hit]) -> list[schemas.Hit]:
    names = lib.names
    return [schemas.Hit(**hit_fields(hit, names)) for hit in hits]


def _told(taught: Taught) -> schemas.Taught:
    return schemas.Taught(**{name: getattr(taught, name) for name in schemas.Taught.model_fields})
