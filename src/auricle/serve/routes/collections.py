"""Collections: stretches of sound that people keep under a name, to hear again and to take away."""

import hashlib
import io
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from starlette.responses import StreamingResponse

from auricle.errors import LibraryError
from auricle.library.collections import Collection, Item
from auricle.serve import schemas
from auricle.serve.context import Lib
from auricle.serve.errors import RefusalError, not_found
from auricle.serve.ranges import disposition
from auricle.serve.shelf import Served, hit_fields

router = APIRouter(prefix="/collections", tags=["collections"])

FILE = {"schema": {"type": "string", "format": "binary"}}
DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/zip": FILE, "application/vnd.apple.mpegurl": FILE}}
}


@router.get("")
def collections(
    lib: Lib, limit: Annotated[int, Query(ge=1, le=1000)] = 100, offset: Annotated[int, Query(ge=0, le=10**9)] = 0
) -> schemas.CollectionPage:
    """All collections, by name."""
    found = lib.collections()
    items = [_summary(collection) for collection in found[offset : offset + limit]]
    return schemas.CollectionPage(items=items, total=len(found), limit=limit, offset=offset)


@router.post("", status_code=201)
def create(body: schemas.CollectionName, lib: Lib) -> schemas.Collection:
    """Makes an empty collection."""
    if not lib.library.store.exists:
        raise not_found("library here yet", "Index a folder first")
    return _summary(lib.collections.create(body.name))


@router.post("/undo")
def undo(lib: Lib) -> schemas.CollectionUndone:
    """Takes back the latest change to the library's collections that still stands."""
    undone = lib.collections.undo()
    if undone is None:
        raise RefusalError(409, "There is nothing to undo", "Nothing has been collected, or all of it was undone")
    collection: Collection | None = undone["collection"]
    return schemas.CollectionUndone(action=undone["action"], collection=collection and _summary(collection))


@router.get("/{id}")
def collection(id: str, lib: Lib) -> schemas.CollectionDetail:
    """A collection with its stretches, in the order they were added."""
    return _detail(lib, _one(lib, id))


@router.patch("/{id}")
def rename(id: str, body: schemas.CollectionName, lib: Lib) -> schemas.Collection:
    """Gives a collection another name."""
    _one(lib, id)
    return _summary(lib.collections.rename(id, body.name))


@router.delete("/{id}", status_code=204)
def remove(id: str, lib: Lib) -> None:
    """Removes a collection with its stretches; undoing brings both back."""
    _one(lib, id)
    lib.collections.remove(id)


@router.post("/{id}/items")
def add(id: str, body: schemas.NewItems, lib: Lib) -> schemas.CollectionDetail:
    """Adds stretches at the end; those already there stay where they are."""
    _one(lib, id)
    items = [Item(item.recording, item.start, item.end) for item in body.items]
    return _detail(lib, lib.collections.add(id, items))


@router.delete("/{id}/items/{item}", status_code=204)
def take_out(id: str, item: str, lib: Lib) -> None:
    """Takes one stretch out."""
    named = {_item_id(one): one for one in _one(lib, id).items}
    if item not in named:
        raise not_found(f"item {item!r}")
    lib.collections.take_out(id, [named[item]])


@router.get("/{id}/download", response_class=Response, responses=DOWNLOAD)
def download(id: str, lib: Lib, kind: Annotated[Literal["zip", "m3u8"], Query(alias="as")] = "zip") -> Response:
    """The stretches as a ZIP archive of clips (FLAC, with a manifest), or as a playlist."""
    found = _one(lib, id)
    headers = {"content-disposition": disposition(f"{found.name}.{kind}")}
    if kind == "m3u8":
        playlist = io.StringIO()
        lib.collections.export_m3u8(id, playlist)
        return Response(playlist.getvalue(), media_type="application/vnd.apple.mpegurl", headers=headers)
    for recording in {item.recording for item in found.items}:
        lib.check_confined(recording)
    return StreamingResponse(lib.collections.zipped(id), media_type="application/zip", headers=headers)


def _one(lib: Served, id: str) -> Collection:
    try:
        return lib.collections.get(id)
    except LibraryError:
        raise not_found(f"collection {id!r}") from None


def _item_id(item: Item) -> str:
    """A name for a stretch within its collection."""
    return hashlib.sha256(f"{item.recording} {item.start!r} {item.end!r}".encode()).hexdigest()[:16]


def _summary(collection: Collection) -> schemas.Collection:
    seconds = sum(item.end - item.start for item in collection.items)
    return schemas.Collection(
        id=collection.id,
        name=collection.name,
        count=len(collection.items),
        seconds=round(seconds, 3),
        created=collection.created,
    )


def _detail(lib: Served, collection: Collection) -> schemas.CollectionDetail:
    names = lib.names
    items = [
        schemas.CollectionItem(id=_item_id(Item(hit.recording, hit.start, hit.end)), **hit_fields(hit, names))
        for hit in lib.collections.hits(collection.id)
    ]
    return schemas.CollectionDetail(**_summary(collection).model_dump(), items=items)
