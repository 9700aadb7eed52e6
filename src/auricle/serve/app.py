"""The application: libraries over HTTP.

    request ─→ Headed ─→ Bounds ─→ Guard ─→ FastAPI ─→ a route ─→ a thread, or a process ─→ the library
               headers   how much  who      what

Everything below ``/api/v1`` is described by ``/api/v1/openapi.json``; ``/`` is the page.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from auricle import __version__
from auricle.errors import AuricleError
from auricle.serve.context import Context
from auricle.serve.errors import tell_errors
from auricle.serve.jobs import Jobs
from auricle.serve.limits import Bounds, Limits
from auricle.serve.routes import attach
from auricle.serve.security import Guard, Headed, Session, check_token, is_loopback
from auricle.serve.shelf import Shelf

BASE = "/api/v1"


def create_app(
    libraries: Mapping[str, Path],
    *,
    host: str = "127.0.0.1",
    token: str | None = None,
    ear: str | None = None,
    write_paths: bool | None = None,
    limits: Limits | None = None,
    warm: bool = False,
) -> FastAPI:
    """Makes the application that serves some libraries.

    Args:
        libraries: name -> folder; the first is also called ``default``. A folder may still be empty.
        host: the address it will be reached at: on a loopback address only requests that name it are answered.
        token: what clients must know; needed unless ``host`` is a loopback address.
        ear: which ear answers; by default each library's own.
        write_paths: whether new folders can be indexed through it; by default on a loopback address only.
        limits: bounds on what clients may ask.
        warm: whether to get ready for searches at once, not with the first.

    Raises:
        AuricleError: there is no library, a bad name, or no token where one is needed.
    """
    if not libraries:
        raise AuricleError("There is no library to serve", "Name one with --library DIR")
    check_token(host, token)
    limits = limits or Limits()
    session = Session(token) if token else None
    here = Context(Shelf(libraries, ear), limits, Jobs(is_loopback(host) if write_paths is None else write_paths))

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        if warm:
            await here.searches.start()
        yield
        await here.close()

    app = FastAPI(
        title="auricle",
        version=__version__,
        summary="Search recordings by words, by example, by excerpt.",
        openapi_url=f"{BASE}/openapi.json",
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        lifespan=running,
        redirect_slashes=False,
    )
    app.state.context, app.state.session = here, session
    tell_errors(app)
    attach(app, BASE)
    app.add_middleware(Guard, host=host, session=session)
    app.add_middleware(Bounds, limits=limits)
    app.add_middleware(Headed)
    return app
