"""The page: one HTML file and what it loads, from the package itself."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from starlette.staticfiles import StaticFiles

from auricle.serve.ranges import FRESH

FOLDER = Path(__file__).parents[1] / "page"


def attach(app: FastAPI) -> None:
    """Serves the page at ``/`` and its files below ``/static``."""

    @app.get("/", include_in_schema=False)
    def index() -> FileResponse:
        return FileResponse(FOLDER / "index.html", headers={"cache-control": FRESH})

    app.mount("/static", StaticFiles(directory=FOLDER))
