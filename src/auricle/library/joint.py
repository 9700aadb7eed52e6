"""Calls that several threads make at the same time, done as one."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


class Joint(Generic[Asked, Answered]):
    """Does together what is asked for while it is busy; for work that costs as much for one item as for several."""

    def __init__(self, work: Callable[[list[Asked]], Sequence[Answered]], most: int):
        """Takes ``work``, which answers up to ``most`` items at a time, in their order."""
        self._work, self._most = work, most
        self._waiting: list[tuple[Asked, Future[Answered]]] = []
        self._guard, self._busy = threading.Lock(), threading.Lock()

    def __call__(self, items: Sequence[Asked]) -> list[Answered]:
        """What ``work`` answers to ``items``; what it raises reaches everybody who was waiting for that batch."""
        futures: list[Future[Answered]] = [Future() for _ in items]
        with self._guard:
            self._waiting += zip(items, futures, strict=True)
        while not all(future.done() for future in futures):
            with self._busy:  # whoever gets in works for all who wait
                self._one_batch()
        return [future.result() for future in futures]

    def _one_batch(self) -> None:
        with self._guard:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        if not batch:
            return
        try:
            for (_, future), answer in zip(batch, self._work([item for item, _ in batch]), strict=True):
                future.set_result(answer)
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
