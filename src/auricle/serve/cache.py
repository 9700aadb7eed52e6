"""A small cache for what is costly to draw and asked for again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class Cache:
    """Keeps the bytes used last, up to ``size`` of them; safe to use from several threads."""

    def __init__(self, size: int):
        self.size, self.used = size, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """The bytes kept under ``key``, made if there are none."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self.used += len(made) - len(self._kept.pop(key, b""))
            self._kept[key] = made
            while self.used > self.size:
                self.used -= len(self._kept.popitem(last=False)[1])
        return made
