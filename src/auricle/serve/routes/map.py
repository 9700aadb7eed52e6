"""The map: all that was heard on one plane."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from auricle.library import atlas
from auricle.serve import schemas
from auricle.serve.context import Here, Lib
from auricle.serve.maps import told
from auricle.serve.ranges import FRESH, not_modified

router = APIRouter(tags=["map"])

Colour = Annotated[Literal["tag", "folder"], Query(description="What the colours tell apart")]


@router.get(
    "/map",
    response_model=schemas.Map,
    responses={
        202: {"model": schemas.MapProgress, "description": "It is being drawn; ask again"},
        304: {"description": "The client has it already"},
    },
)
async def drawn(lib: Lib, here: Here, request: Request, colour: Colour = "tag") -> Response:
    """Everything the ear has heard, as points of which those that sound alike lie close together."""

    def prepare() -> Response:
        library = lib.library
        if not library.store.exists:
            return JSONResponse({"points": [], "recordings": [], "colours": []})
        progress = here.maps.progress(lib)
        if progress is not None:
            return JSONResponse({"progress": progress}, 202)
        index = library.searcher.index
        state = (index.version, lib.edition, colour)
        tag = '"' + "-".join(map(str, state)) + '"'
        if unchanged := not_modified(request, tag):
            return unchanged

        def draw() -> bytes:
            made = atlas.atlas(library.store, index, library.listener.classes, colour=colour)
            return told(lib, made).model_dump_json().encode()

        headers = {"etag": tag, "cache-control": FRESH}
        return Response(here.drawn(("map", lib.name, *state), draw), headers=headers, media_type="application/json")

    return await here.listening(request, prepare)
