"""Indexing runs started over HTTP: one process each, at most one for a library, followed by any number of clients."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from auricle.serve.errors import RefusalError, not_found
from auricle.serve.shelf import Served

KEPT = 50  # jobs remembered
LOOK_SECONDS = 0.2  # between two looks whether there is news
HEARTBEAT_SECONDS = 15.0  # of silence after which a comment keeps the connection open
LIVING = ("running", "stopping")


class Job:
    """One run of ``auricle.serve.indexing``."""

    def __init__(self, served: Served, paths: list[str], retry: bool):
        self.id, self.served = secrets.token_hex(8), served
        self.facts: dict[str, Any] = {
            "state": "running", "total": 0, "done": 0, "heard": 0, "quarantined": 0, "seconds": 0.0,
            "speed": 0.0, "remaining": None, "elapsed": 0.0, "current": "", "error": None,
        }  # fmt: skip
        library = served.library
        asked = {"library": str(library.path), "ear": served.ear, "paths": paths, "retry": retry}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "auricle.serve.indexing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self._process.stdin
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()

    @property
    def living(self) -> bool:
        return self.facts["state"] in LIVING

    def told(self) -> dict[str, Any]:
        """How the run stands, as the fields of ``schemas.Job``."""
        current = self.served.names.shown(self.facts["current"]) if self.facts["current"] else ""
        return {"job": self.id, "library": self.served.name, **self.facts, "current": current}

    def stop(self) -> None:
        """Asks the run to stop; what it has heard stays."""
        if self.facts["state"] == "running":
            self.facts = self.facts | {"state": "stopping"}
        assert self._process.stdin
        self._process.stdin.close()

    def close(self) -> None:
        """Stops the run and waits until it is over."""
        self.stop()
        self._follower.join()

    def _follow(self) -> None:
        """Takes in what the process tells, until it ends."""
        with self._process as process:
            assert process.stdout
            for line in process.stdout:
                news = json.loads(line)
                if self.facts["state"] == "stopping" and news["state"] == "running":
                    news["state"] = "stopping"
                self.facts = self.facts | news
        if self.living:
            problem = {"problem": "Indexing broke off", "remedy": "Start it again: what was heard is kept"}
            self.facts = self.facts | {"state": "failed", "error": problem}


class Jobs:
    """The indexing runs of one server.

    Args:
        writable: whether folders may be indexed at all.
    """

    def __init__(self, writable: bool):
        self.writable = writable
        self._jobs: dict[str, Job] = {}

    def start(self, served: Served, paths: list[str], retry: bool = False) -> Job:
        """Starts to index ``paths``, or all folders indexed before.

        Raises:
            RefusalError: a path is none that may be indexed from here, or the library is being indexed.
        """
        if not self.writable:
            raise RefusalError(403, "Indexing is switched off here", "Start the server with --write-paths")
        if self.under_way(served):
            raise RefusalError(409, "The library is being indexed", "Wait until that is done, or stop it")
        roots = served.library.store.roots
        if not paths and not roots:
            raise RefusalError(422, "There is nothing to index yet", "Name a folder")
        folders = [_allowed(path, roots) for path in paths]
        job = Job(served, folders, retry)
        self._jobs = dict([*self._jobs.items()][-(KEPT - 1) :]) | {job.id: job}
        return job

    def under_way(self, served: Served) -> Job | None:
        """The run that is filling a library now."""
        path = served.library.path
        return next((job for job in self._jobs.values() if job.living and job.served.library.path == path), None)

    def __call__(self, id: str) -> Job:
        if id not in self._jobs:
            raise not_found(f"job {id!r}", "See /api/v1/jobs for those there are")
        return self._jobs[id]

    def all(self) -> list[Job]:
        """Latest first."""
        return [*reversed(self._jobs.values())]

    def close(self) -> None:
        for job in self._jobs.values():
            job.close()


def _allowed(path: str, roots: list[Path]) -> str:
    """The full path of a folder that may be indexed: it leads below the user's home, or below what was indexed before.

    Raises:
        RefusalError: it leads elsewhere, or nowhere.
    """
    try:
        full = Path(os.path.normpath(Path(path).expanduser()))
        real, exists = full.resolve(), full.exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL character, an unknown ~user
        raise RefusalError(422, "The path makes no sense", "Give the full path of a folder") from None
    if not full.is_absolute() or not any(real.is_relative_to(root.resolve()) for root in (Path.home(), *roots)):
        raise RefusalError(403, "Only folders below the home folder can be added here", "Use auricle index for others")
    if not exists:
        raise RefusalError(422, "The folder does not exist", "Check the spelling")
    return str(full)


async def events(job: Job) -> AsyncIterator[str]:
    """Server-sent events: how the run stands, each time there is news; ends with the run."""
    loop = asyncio.get_running_loop()
    before, told = None, loop.time()
    while True:
        living, facts = job.living, job.told()
        if facts != before:
            yield f"data: {json.dumps(facts)}\n\n"
            before, told = facts, loop.time()
        elif loop.time() - told > HEARTBEAT_SECONDS:
            yield ": still here\n\n"
            told = loop.time()
        if not living:
            return
        await asyncio.sleep(LOOK_SECONDS)
