"""Filling a library: indexing runs, followed as they go."""

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from auricle.serve import schemas
from auricle.serve.context import Here, Lib
from auricle.serve.jobs import events

router = APIRouter(prefix="/jobs", tags=["indexing"])
one = APIRouter(tags=["indexing"])


@one.post("/index", status_code=202)
def index(body: schemas.IndexRequest, lib: Lib, here: Here) -> schemas.Job:
    """Starts to listen to what is new below some folders. One run at a time for each library."""
    return schemas.Job(**here.jobs.start(lib, body.paths, body.retry).told())


@router.get("")
def jobs(here: Here) -> list[schemas.Job]:
    """The runs since the server started, latest first."""
    return [schemas.Job(**job.told()) for job in here.jobs.all()]


@router.get("/{job}")
def job(job: str, here: Here) -> schemas.Job:
    """How a run stands."""
    return schemas.Job(**here.jobs(job).told())


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def follow(job: str, here: Here) -> StreamingResponse:
    """Server-sent events, each a job as `GET /jobs/{job}` answers it; the last one is not `running` or `stopping`."""
    return StreamingResponse(events(here.jobs(job)), media_type="text/event-stream")


@router.delete("/{job}", status_code=202)
def stop(job: str, here: Here) -> schemas.Job:
    """Asks a run to stop; what it has heard stays."""
    found = here.jobs(job)
    found.stop()
    return schemas.Job(**found.told())
