"""The local engine: one worker process per core, each hearing whole files on a single thread.

A session of the ear does not scale over threads, processes do. A worker that dies (a decoder bug, the kernel's memory
killer) takes only its own file with it: suspects are retried one by one and the culprit is put aside.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING

from loky import ProcessPoolExecutor

from auricle.errors import AudioError, LibraryError
from auricle.library.listen import Listened, listen

if TYPE_CHECKING:
    from auricle.library.ingest import Run, Task

AHEAD = 2  # files under way per worker: one being heard, one ready
POLL_SECONDS = 0.25
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}


def listen_in_processes(run: "Run", tasks: "Iterator[Task]") -> None:
    """Hears every task and hands the outcome to ``run.accept`` or ``run.refuse``."""
    while suspects := _drain(run, tasks):
        for task in suspects:
            if _drain(run, iter([task]), workers=1):
                run.refuse(task[0], AudioError(task[0].path, "the decoder crashed on it", "Convert or repair the file"))


def _drain(run: "Run", tasks: "Iterator[Task]", workers: int | None = None) -> "list[Task]":
    """Works off ``tasks``; returns those under way when a worker died, [] when all are done."""
    workers = workers or run.workers
    pool = ProcessPoolExecutor(workers, initializer=_start_worker, initargs=(os.getpid(),), env=ONE_THREAD)
    under_way: dict[Future[Listened], Task] = {}
    try:
        while True:
            room = workers * AHEAD
            for task in islice(tasks, room - len(under_way)):
                item, id = task
                with _ctrl_c_held():
                    under_way[pool.submit(listen, item.path, id, run.ear_spec, str(run.staging), run.own)] = task
            if not under_way:
                return []
            finished, _ = wait(under_way, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            if len(finished) == len(under_way) < room:  # all is heard: what the workers hold is free for the commit
                pool.shutdown(wait=True)
            for future in finished:
                item, _ = task = under_way.pop(future)
                try:
                    run.accept(item, future.result())
                except BrokenProcessPool:
                    return [task, *under_way.values()]
                except LibraryError:
                    raise  # the disk, not the file
                except Exception as error:  # whatever a decoder throws must not stop the other files
                    run.refuse(item, error)
            run.tell()
    finally:
        pool.shutdown(wait=True, kill_workers=bool(under_way))


@contextmanager
def _ctrl_c_held() -> "Iterator[None]":
    """Holds Ctrl-C back until the end; processes started meanwhile never get it, not even before they are ready."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # its start, which the first worker's would bring about, lets Ctrl-C in again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(parent: int) -> None:
    """Leaves Ctrl-C to the parent and ends with it, even when the parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _silence_decoders()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _silence_decoders() -> None:
    """Sends what C libraries write to standard error nowhere; Python's own errors still arrive there.

    The MP3 decoder comments on every damaged frame; what matters of it comes back as an exception.
    """
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, errors="backslashreplace")
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
