"""Threads for what takes long, and an end to work that nobody waits for any more."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from auricle.serve.errors import RefusalError

LOOK_SECONDS = 1.0  # between two looks whether the client is still there

_Result = TypeVar("_Result")
_here = threading.local()


class AbandonedError(Exception):
    """Ends work that nobody waits for; never reaches a client."""


def go_on() -> None:
    """To be called between the steps of long work.

    Raises:
        AbandonedError: nobody waits for it any more.
    """
    abandoned: threading.Event | None = getattr(_here, "abandoned", None)
    if abandoned is not None and abandoned.is_set():
        raise AbandonedError


async def waited(request: Request, work: asyncio.Future[_Result], seconds: float) -> _Result:
    """The result of ``work``, which may take so many seconds and is done while ``request``'s client waits.

    Raises:
        RefusalError: it took too long, or the client has left.
    """
    due = time.monotonic() + seconds
    while not (await asyncio.wait({work}, timeout=LOOK_SECONDS))[0]:
        if time.monotonic() > due:
            raise RefusalError(503, "The answer takes too long", "Try again, or ask for less at once")
        if await request.is_disconnected():
            raise RefusalError(499, "The client has left")
    return work.result()


class Workers:
    """A few threads, first come, first served."""

    def __init__(self, threads: int, seconds: float):
        self.pool, self.seconds = ThreadPoolExecutor(threads, "auricle"), seconds

    async def __call__(self, request: Request, work: Callable[[], _Result]) -> _Result:
        """Does ``work`` in one of the threads while ``request``'s client waits.

        Raises:
            RefusalError: as ``waited``.
        """
        abandoned = threading.Event()

        def run() -> _Result:
            _here.abandoned = abandoned
            go_on()
            return work()

        future = asyncio.get_running_loop().run_in_executor(self.pool, run)
        try:
            return await waited(request, future, self.seconds)
        finally:
            if not future.done():
                abandoned.set()
                future.add_done_callback(lambda done: done.cancelled() or done.exception())  # it is nobody's error

    def close(self) -> None:
        """Lets the threads end; what is queued is not begun."""
        self.pool.shutdown(wait=False, cancel_futures=True)
