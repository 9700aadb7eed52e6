"""Maps that are drawn while nobody waits: one thread for all libraries, and how far it has got with each."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

from auricle.library import atlas
from auricle.library.atlas import Atlas
from auricle.serve import schemas
from auricle.serve.errors import RefusalError
from auricle.serve.shelf import Served
from auricle.serve.work import AbandonedError

Progress = Callable[[float], None]


class Maps:
    """The maps of one server's libraries. The layouts themselves are kept in the libraries."""

    def __init__(self):
        self._pool = ThreadPoolExecutor(1, "auricle-map")
        self._drawn: dict[str, Future[None]] = {}  # by library
        self._share: dict[str, float] = {}
        self._closed = Event()

    def progress(self, served: Served) -> float | None:
        """How far the map of a library is drawn, in [0, 1]; begins to draw it. None: it is there.

        Raises:
            Exception: drawing failed; the next call tries again.
        """
        library, name = served.library, served.name
        index = library.searcher.index
        drawing = self._drawn.get(name)
        if drawing is not None:
            if not drawing.done():
                return self._share[name]
            del self._drawn[name]
            if error := drawing.exception():
                raise error
        if atlas.cached(library.store, index):
            return None

        def tell(share: float) -> None:
            self._share[name] = share
            if self._closed.is_set():
                raise AbandonedError

        self._share[name] = 0.0
        self._drawn[name] = self._pool.submit(self._draw, served, tell)
        return 0.0

    def close(self) -> None:
        """Gives up what is being drawn."""
        self._closed.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    @staticmethod
    def _draw(served: Served, tell: Progress) -> None:
        library = served.library
        atlas.atlas(library.store, library.searcher.index, library.listener.classes, progress=tell)


def told(served: Served, drawn: Atlas) -> schemas.Map:
    """A map as it goes over the wire.

    Raises:
        RefusalError: a recording was pruned meanwhile.
    """
    rows, names = served.library.store.rows_by("id", drawn.recordings), served.names
    recordings = []
    for id in drawn.recordings:
        if id not in rows:
            raise RefusalError(503, "The library has just changed", "Ask again")
        folder, _, name = names.shown(rows[id]["path"]).rpartition("/")
        tag = next(iter(rows[id]["tags"] or ()), "")
        facts = {"id": id, "name": name, "folder": folder, "tag": tag, "duration": rows[id]["duration"]}
        recordings.append(schemas.MapRecording(**facts))
    points = zip(
        drawn.points[:, 0].round(4).tolist(),
        drawn.points[:, 1].round(4).tolist(),
        drawn.colour.tolist(),
        drawn.recording.tolist(),
        drawn.start.round(3).tolist(),
        drawn.end.round(3).tolist(),
        strict=True,
    )
    return schemas.Map(points=[*points], recordings=recordings, colours=[*drawn.colours])
