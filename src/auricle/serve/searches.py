"""The server's side of ``auricle.serve.searching``: questions go there, answers come back."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from starlette.requests import Request

from auricle.serve import schemas
from auricle.serve.errors import RefusalError
from auricle.serve.searching import Question
from auricle.serve.work import waited

LONGEST = 2**26  # bytes of an answer
# What one search has used serves the next: glibc would give arrays of a megabyte back, and ask for them again.
MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**27), "MALLOC_TRIM_THRESHOLD_": str(2**28)}

Answers = dict[int, asyncio.Future[tuple[int, bytes]]]  # by the number of the question


class Searches:
    """The process that searches the libraries of one server; begun when it is needed, and again should it break off.

    Args:
        libraries: name -> folder.
        ear: which ear answers; by default each library's own.
        seconds: a client waits at most.
    """

    def __init__(self, libraries: Mapping[str, Path], ear: str | None, seconds: float):
        self._about = {"libraries": {name: str(folder) for name, folder in libraries.items()}, "ear": ear}
        self.seconds = seconds
        self._starting = asyncio.Lock()
        self._process: Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._answers: Answers = {}
        self._numbers = count()

    async def __call__(
        self, request: Request, library: str, body: schemas.SearchRequest, uploads: Sequence[list[float]]
    ) -> bytes:
        """``schemas.SearchAnswer`` as JSON, while ``request``'s client waits.

        Raises:
            RefusalError: what the search was refused for, it took too long, or the client has left.
        """
        question = Question(number=next(self._numbers), library=library, body=body, uploads=list(uploads))
        asking = asyncio.create_task(self._ask(question))
        try:
            return await waited(request, asking, self.seconds)
        finally:
            asking.cancel()

    async def start(self) -> Process:
        """The process, which loads what it needs before its first answer."""
        async with self._starting:
            if self._process is None or self._process.returncode is not None:
                command = [sys.executable, "-m", "auricle.serve.searching"]
                self._process = await asyncio.create_subprocess_exec(
                    *command, stdin=PIPE, stdout=PIPE, limit=LONGEST, env=MEMORY | os.environ
                )
                assert self._process.stdin
                self._process.stdin.write(json.dumps(self._about).encode() + b"\n")
                self._answers = {}
                self._reader = asyncio.create_task(_read(self._process, self._answers))
            return self._process

    async def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            await self._reader

    async def _ask(self, question: Question) -> bytes:
        process = await self.start()
        answers = self._answers
        answer = answers[question.number] = asyncio.get_running_loop().create_future()
        assert process.stdin
        try:
            process.stdin.write(question.model_dump_json(exclude_unset=True).encode() + b"\n")
            status, told = await answer
        finally:
            del answers[question.number]
        if status != 200:
            raise RefusalError(status, **json.loads(told))
        return told


async def _read(process: Process, answers: Answers) -> None:
    """Takes in what the process answers, until it ends."""
    assert process.stdout
    async for line in process.stdout:
        number, status, told = line.rstrip().split(b" ", 2)
        answer = answers.get(int(number))
        if answer is not None and not answer.done():
            answer.set_result((int(status), told))
    await process.wait()
    for answer in answers.values():
        if not answer.done():
            answer.set_exception(RefusalError(503, "The search broke off", "Try again in a moment"))
