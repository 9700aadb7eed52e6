"""What was heard in a recording and what people say about it: machine events, labels, and both as files."""

import io
import os
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from auricle.library import formats, timeline
from auricle.library.labels import Label
from auricle.serve import schemas
from auricle.serve.context import Lib, Rec
from auricle.serve.errors import RefusalError, not_found
from auricle.serve.ranges import disposition
from auricle.serve.shelf import Served, quoted
from auricle.types import Event

router = APIRouter(tags=["labels"])

Threshold = Annotated[schemas.Score, Query()]
FormatName = Literal["csv", "parquet", "json", "audacity", "raven", "jams", "rttm", "m3u8", "srt", "vtt"]


@router.get("/recordings/{rec}/events")
def events(
    rec: Rec,
    lib: Lib,
    on: Threshold = timeline.ON,
    off: Threshold = timeline.OFF,
    labels: Annotated[list[schemas.Text], Query(max_length=100)] = [],  # noqa: B006  # FastAPI copies it
) -> list[schemas.MachineEvent]:
    """What the ear heard when, by start time; nothing for an ear without classes."""
    heard = _heard(lib, rec, on, min(on, off), labels)
    return [schemas.MachineEvent(start=e.start, end=e.end, label=e.label, score=e.score) for e in heard]


@router.get("/recordings/{rec}/labels")
def labels(rec: Rec, lib: Lib) -> list[schemas.Label]:
    """What people said about a recording, by start time."""
    lib.recording(rec)
    return [_told(label) for label in lib.labels(rec)]


@router.post("/recordings/{rec}/labels", status_code=201)
def add(rec: Rec, body: schemas.NewLabel, lib: Lib) -> schemas.Label:
    """Confirms, rejects or renames a machine event, or draws a region of one's own. Events themselves never change."""
    lib.recording(rec)
    facts = body.model_dump(exclude={"start", "end", "label"})
    return _told(lib.labels.add(rec, body.start, body.end, body.label, **facts))


@router.patch("/labels/{id}")
def change(id: str, body: schemas.LabelChange, lib: Lib) -> schemas.Label:
    """Changes what is given of a label."""
    facts = body.model_dump(exclude_unset=True)
    for name in ("start", "end", "label", "verdict"):
        if name in facts and facts[name] is None:
            raise RefusalError(422, f"A label cannot be without {name}", "Leave out what is to stay as it is")
    _known(lib, id)
    return _told(lib.labels.change(id, **facts))


@router.delete("/labels/{id}", status_code=204)
def remove(id: str, lib: Lib) -> None:
    """Removes a label; undoing brings it back."""
    _known(lib, id)
    lib.labels.remove(id)


@router.post("/labels/undo")
def undo(lib: Lib) -> schemas.Undone:
    """Takes back the latest change to the library's labels that still stands."""
    undone = lib.labels.undo()
    if undone is None:
        raise RefusalError(409, "There is nothing to undo", "Nothing has been labelled, or all of it was undone")
    return schemas.Undone(action=undone["action"], label=_told(undone["label"]))


@router.get(
    "/recordings/{rec}/export",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
def export(
    rec: Rec, lib: Lib, format: FormatName = "audacity", what: Literal["labels", "events"] = "labels"
) -> Response:
    """Labels (without rejected events) or machine events as a file for other programs."""
    recording = lib.recording(rec)
    if what == "labels":
        rows = [label.as_event(recording.path) for label in lib.labels(rec) if label.verdict != "rejected"]
    else:
        rows = _heard(lib, rec)
    file = io.BytesIO()
    formats.write(format, rows, file)
    stem = os.path.splitext(os.path.basename(recording.path))[0]
    headers = {"content-disposition": disposition(stem + formats.FORMATS[format].extension)}
    return Response(file.getvalue(), media_type="application/octet-stream", headers=headers)


def _heard(
    lib: Served, rec: str, on: float = timeline.ON, off: float = timeline.OFF, names: list[str] | None = None
) -> list[Event]:
    recording = lib.recording(rec)
    if not lib.library.listener.classes:
        return []
    found = lib.library.events(labels=names or None, where=f"id = {quoted(rec)}", on=on, off=off)
    return [event for event in found if event.path == recording.path]  # the copies hold the same


def _known(lib: Served, id: str) -> None:
    if not any(label.id == id for label in lib.labels()):
        raise not_found(f"label {id!r}", "It may have been removed or undone; reload the labels")


def _told(label: Label) -> schemas.Label:
    return schemas.Label(**{name: getattr(label, name) for name in schemas.Label.model_fields})
