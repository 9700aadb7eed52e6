"""What the routes of one server share, and how they get it."""

import os
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Path, Request

from auricle.serve.cache import Cache
from auricle.serve.jobs import Jobs
from auricle.serve.limits import MIB, Limits
from auricle.serve.maps import Maps
from auricle.serve.schemas import ErrorBody, RecordingId
from auricle.serve.searches import Searches
from auricle.serve.shelf import Served, Shelf
from auricle.serve.uploads import Uploads
from auricle.serve.work import Workers


@dataclass
class Context:
    """One server: its libraries, its threads and processes, what it keeps in memory."""

    shelf: Shelf
    limits: Limits
    jobs: Jobs
    maps: Maps = field(default_factory=Maps)
    uploads: Uploads = field(init=False)
    searches: Searches = field(init=False)
    listening: Workers = field(init=False)
    drawn: Cache = field(default_factory=lambda: Cache(64 * MIB))

    def __post_init__(self):
        folders = {name: served.library.path for name, served in self.shelf.all.items()}
        self.uploads = Uploads(self.limits)
        self.searches = Searches(folders, self.shelf.ear, self.limits.wait)
        self.listening = Workers(max(2, os.cpu_count() or 1), self.limits.wait)

    async def close(self) -> None:
        await self.searches.close()
        self.jobs.close()
        self.maps.close()
        self.listening.close()
        self.uploads.close()


async def context(request: Request) -> Context:
    return request.app.state.context


Here = Annotated[Context, Depends(context)]


async def _served(lib: Annotated[str, Path(description="Name of a library, or `default`")], here: Here) -> Served:
    return here.shelf[lib]


Lib = Annotated[Served, Depends(_served)]
Rec = Annotated[RecordingId, Path(description="Content id of a recording")]


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may answer besides its result, for the schema."""
    always = (400, 401, 403, 404, 408, 409, 422, 500, 503)
    return {status: {"model": ErrorBody} for status in sorted({*always, *statuses})}
