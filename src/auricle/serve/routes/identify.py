"""Identifying: which recording a clip is from, which recordings are of the same work, who speaks."""

from typing import Annotated, Any

from fastapi import APIRouter, File, Query, Request, UploadFile

from auricle.serve import schemas
from auricle.serve.context import Here, Lib, Rec, errors
from auricle.serve.shelf import Served

router = APIRouter(tags=["identify"])

Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("/identify", responses=errors(413, 415))
async def identify(
    file: Annotated[UploadFile, File(description="A sound file; five seconds or more tell best")],
    lib: Lib,
    here: Here,
    request: Request,
    limit: Limit = 10,
) -> schemas.Matches:
    """Which recordings a clip is from, and where in them. Nothing of the clip is kept."""

    def work() -> schemas.Matches:
        identifier = lib.library.identifier
        sound = here.uploads.read(identifier.ear.sample_rate, file.file, file.filename or "")
        return schemas.Matches(items=[schemas.Match(**row) for row in _rows(lib, identifier.hear(sound, limit=limit))])

    return await here.listening(request, work)


@router.get("/recordings/{rec}/versions")
async def versions(rec: Rec, lib: Lib, here: Here, request: Request, limit: Limit = 10) -> schemas.Versions:
    """Other performances of the work that a recording is of."""

    def work() -> schemas.Versions:
        found = lib.library.versions(lib.copies(rec)[0]["path"], limit=limit)
        return schemas.Versions(items=[schemas.Version(**row) for row in _rows(lib, found)])

    return await here.listening(request, work)


@router.get("/recordings/{rec}/speakers")
async def speakers(rec: Rec, lib: Lib, here: Here, request: Request) -> schemas.Turns:
    """Who speaks when in a recording."""

    def work() -> schemas.Turns:
        paths = {row["path"] for row in lib.copies(rec)}
        turns = [turn for turn in lib.turns() if turn.path in paths]
        first = min((turn.path for turn in turns), default="")  # its copies hold the same
        items = [
            schemas.Turn(speaker=turn.speaker, start=turn.start, end=turn.end, score=turn.score)
            for turn in sorted(turns, key=lambda turn: turn.start)
            if turn.path == first
        ]
        return schemas.Turns(items=items)

    return await here.listening(request, work)


def _rows(lib: Served, found: list[Any]) -> list[dict[str, Any]]:
    """What the library found, with the recordings' ids and the names under which they are shown."""
    rows = lib.library.store.rows_by("path", {each.path for each in found})
    names = lib.names
    told = []
    for each in found:
        if each.path in rows:
            shown = names.shown(each.path)
            facts = {name: getattr(each, name) for name in each.__dataclass_fields__ if name != "path"}
            told.append(facts | {"recording": rows[each.path]["id"], "path": shown, "name": shown.rpartition("/")[2]})
    return told
