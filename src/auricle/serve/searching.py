"""Searches as a process of their own, so that they and the answering of requests do not share one interpreter's lock:
``python -m`` this module.

It is told on standard input, in one JSON line, which libraries there are, then what to search for, a line each, and
ends with that input, so with the server that started it, however that ends. It answers on standard output, a line each:
``NUMBER STATUS JSON``. One thread searches, another embeds the words of what comes next.
"""

import gc
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from auricle.errors import AuricleError
from auricle.library import Part
from auricle.library.index import AT_ONCE
from auricle.serve import schemas
from auricle.serve.errors import explained, not_found
from auricle.serve.shelf import Served, Shelf, hit_fields

BATCH_BYTES = 16_384  # of questions that are taken together: some hundred

log = logging.getLogger(__name__)


class Question(BaseModel):
    """A search as it is passed on to this process."""

    number: int
    library: str
    body: schemas.SearchRequest
    uploads: list[list[float]]  # the vector of each upload among the examples, in the order of ``examples_of``


def examples_of(body: schemas.SearchRequest) -> list[schemas.Example]:
    """The examples of a search, those to keep away from last."""
    return [*body.like, *(one for one in body.without if isinstance(one, schemas.Example))]


def texts_of(body: schemas.SearchRequest) -> list[str]:
    """What a search says in words."""
    return [one.text for one in (*body.words, *body.without) if isinstance(one, schemas.Words)]


def main() -> int:
    tell_to = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then closes the input
    asked = io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False), BATCH_BYTES)
    about = json.loads(asked.readline())
    shelf = Shelf({name: Path(folder) for name, folder in about["libraries"].items()}, about["ear"])
    _warm(shelf)
    gc.freeze()  # the garbage collector need not go through all modules again and again
    ready: SimpleQueue[Question | None] = SimpleQueue()
    threading.Thread(target=_get_ready, args=(asked, shelf, ready), daemon=True).start()
    with suppress(BrokenPipeError):  # the server is gone
        for questions in _queued(ready):
            for number, status, told in _answers(shelf, questions):
                tell_to.write(b"%d %d %s\n" % (number, status, told))
                tell_to.flush()
    return 0


def _warm(shelf: Shelf) -> None:
    """Asks every library something, so that the first search need not wait until it is mapped and its ear loaded."""
    for served in shelf.all.values():
        try:
            if served.library.store.exists:
                served.library.search("a sound", limit=1)
        except AuricleError as error:
            log.warning("%s: %s", served.name, error)


def _batches(asked: io.BufferedReader) -> Iterator[list[bytes]]:
    """The lines that have come in by the time the ones before are done with."""
    rest = b""
    while some := asked.read1(BATCH_BYTES):
        *lines, rest = (rest + some).split(b"\n")
        if lines:
            yield lines


def _get_ready(asked: io.BufferedReader, shelf: Shelf, ready: "SimpleQueue[Question | None]") -> None:
    """Passes questions on: those without words at once, the others when all their words are embedded together."""
    try:
        for lines in _batches(asked):
            of_words: defaultdict[str, list[Question]] = defaultdict(list)
            for question in map(Question.model_validate_json, lines):
                if texts_of(question.body):
                    of_words[question.library].append(question)
                else:
                    ready.put(question)
            for name, questions in of_words.items():
                library = shelf[name].library
                with suppress(AuricleError):  # each search will meet it again, and tell
                    if library.store.exists:
                        library.searcher.prepare([text for question in questions for text in texts_of(question.body)])
                for question in questions:
                    ready.put(question)
    finally:
        ready.put(None)  # whatever ends this ends the process, which is then begun anew


def _queued(ready: "SimpleQueue[Question | None]") -> Iterator[list[Question]]:
    """What waits to be answered, as much of it as one scan takes."""
    while question := ready.get():
        questions = [question]
        with suppress(Empty):
            while len(questions) < AT_ONCE and (question := ready.get_nowait()):
                questions.append(question)
        yield questions
        if question is None:
            return


def _answers(shelf: Shelf, questions: Sequence[Question]) -> Iterator[tuple[int, int, bytes]]:
    """Number, status and JSON of each answer; the library is scanned once for all of them."""
    asked: list[tuple[Question, list[Part]]] = []
    vectors: defaultdict[str, list[NDArray[np.float32]]] = defaultdict(list)
    for question in questions:
        try:
            parts = _parts(question, shelf[question.library])
        except Exception as error:
            yield question.number, *_refused(error)
            continue
        asked.append((question, parts))
        vectors[question.library] += [part.vector for part in parts if part.vector is not None]
    for name, some in vectors.items():
        if len(some) > 1:
            shelf[name].library.searcher.index.similarity(some)
    for question, parts in asked:
        try:
            found = _search(question.body, shelf[question.library], parts)
            yield question.number, 200, found.model_dump_json().encode()
        except Exception as error:
            yield question.number, *_refused(error)


def _refused(error: Exception) -> tuple[int, bytes]:
    """Status and JSON that tell of ``error``."""
    if not isinstance(error, AuricleError):
        log.error("a search", exc_info=error)
    status, problem, remedy = explained(error)
    return status, json.dumps({"problem": problem, "remedy": remedy}).encode()


def _search(body: schemas.SearchRequest, lib: Served, parts: Sequence[Part]) -> schemas.SearchAnswer:
    began = time.perf_counter()
    if not lib.library.store.exists:
        return schemas.SearchAnswer(hits=[], more=False, windows=0, served_by="exact", best=0.0, took=0.0)
    last = body.offset + body.limit
    answer = lib.library.searcher.search(
        parts,
        where=lib.where(body.filters),
        limit=last + 1,  # one more tells whether there are more
        min_score=body.min_score,
        one_per_recording=body.one_per_recording,
    )
    names = lib.names
    return schemas.SearchAnswer.model_validate(
        {
            "hits": [hit_fields(hit, names) for hit in answer.hits[body.offset : last]],
            "more": len(answer.hits) > last,
            "windows": answer.windows,
            "served_by": answer.served_by,
            "best": answer.best,
            "took": round(time.perf_counter() - began, 6),
        }
    )


def _parts(question: Question, lib: Served) -> list[Part]:
    """The parts of a query as the library takes them; examples as the vectors that are there already.

    Raises:
        AuricleError: there is no such recording, or no ear has listened here.
    """
    body, uploads, parts = question.body, iter(question.uploads), []
    if not lib.library.store.exists:
        return []
    signed = [*((one, 1) for one in (*body.words, *body.like)), *((one, -1) for one in body.without)]
    for one, sign in signed:
        if isinstance(one, schemas.Words):
            parts.append(Part(text=one.text, weight=sign * one.weight))
            continue
        if one.upload is not None:
            vector = np.array(next(uploads), np.float32)
        else:
            vector = lib.library.searcher.vector_of(one.recording or "", one.start, one.end)
            if vector is None:
                raise not_found(f"recording {one.recording}", "Search again: it may have been removed")
        parts.append(Part(vector=vector, weight=sign * one.weight))
    return parts


if __name__ == "__main__":
    sys.exit(main())
