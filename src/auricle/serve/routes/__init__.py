"""The routes: one module a resource, each a ``router``; they translate between HTTP and the library, nothing more."""

from fastapi import APIRouter, FastAPI

from auricle.serve.context import errors
from auricle.serve.routes import (
    collections,
    identify,
    index,
    labels,
    libraries,
    login,
    page,
    recordings,
    search,
    sound,
    teach,
)
from auricle.serve.routes import map as atlas

LIBRARY = (
    libraries.one,
    recordings.router,
    search.router,
    identify.router,
    sound.router,
    labels.router,
    collections.router,
    atlas.router,
    teach.router,
    index.one,
)


def attach(app: FastAPI, base: str) -> None:
    """Adds every route: the API below ``base``, the page and the login beside it."""
    library = APIRouter(prefix="/libraries/{lib}")
    for router in LIBRARY:
        library.include_router(router)
    api = APIRouter(prefix=base, responses=errors())
    for router in (libraries.router, library, index.router):
        api.include_router(router)
    app.include_router(api)
    app.include_router(login.router)
    page.attach(app)
