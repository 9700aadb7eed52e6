"""Threads for what takes long, and an end to work that nobody waits for any more."""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
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


class Together:
    """Does at once what several requests need: what comes in while one batch is worked on makes up the next."""

    def __init__(self):
        self._pool = ThreadPoolExecutor(1, "auricle-together")
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next: dict[str, tuple[list[str], asyncio.Task[None]]] = {}

    async def __call__(self, key: str, items: Sequence[str], work: Callable[[list[str]], None]) -> None:
        """Returns when ``work`` has been given ``items``, perhaps with others of the same ``key``."""
        if not items:
            return
        if key not in self._next:
            self._next[key] = [], asyncio.create_task(self._run(key, work))
        waiting, task = self._next[key]
        waiting += items
        await asyncio.shield(task)

    async def _run(self, key: str, work: Callable[[list[str]], None]) -> None:
        async with self._turns[key]:
            items, _ = self._next.pop(key)
            await asyncio.get_running_loop().run_in_executor(self._pool, work, items)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class Workers:
    """A few threads for one kind of work, first come, first served."""

    def __init__(self, threads: int, seconds: float):
        self.pool, self.seconds = ThreadPoolExecutor(threads, "auricle"), seconds

    async def __call__(self, request: Request, work: Callable[[], _Result]) -> _Result:
        """Does ``work`` in one of the threads while ``request``'s client waits.

        Raises:
            RefusalError: it took too long, or the client has left.
        """
        abandoned, due = threading.Event(), time.monotonic() + self.seconds

        def run() -> _Result:
            _here.abandoned = abandoned
            go_on()
            return work()

        future = asyncio.get_running_loop().run_in_executor(self.pool, run)
        try:
            while not (await asyncio.wait({future}, timeout=LOOK_SECONDS))[0]:
                if time.monotonic() > due:
                    raise RefusalError(503, "The answer takes too long", "Try again, or ask for less at once")
                if await request.is_disconnected():
                    raise RefusalError(499, "The client has left")
            return future.result()
        finally:
            if not future.done():
                abandoned.set()
                future.add_done_callback(lambda done: done.cancelled() or done.exception())  # it is nobody's error

    def close(self) -> None:
        """Lets the threads end; what is queued is not begun."""
        self.pool.shutdown(wait=False, cancel_futures=True)
