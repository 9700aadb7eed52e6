"""How long searches over HTTP take when many come at once, with and without an ingest beside them.

    python benchmarks/serve.py [--windows N] [--clients N] [--rounds N] [--json FILE]

Starts ``auricle serve`` as a process of its own on a library of N windows, made as in ``search.py``. In each round all
clients, each with a connection of its own, ask at the same moment, and the round ends with the last answer: half the
queries are words, half are four seconds of a recording, a tenth of them filtered, no two alike. Then the server is
asked to index a corpus (see ``ingest.py``), and rounds go on as long as it listens. A query's time is from the first
byte sent to the last one received, whatever it has waited for.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from _common import AURICLE, DEMO, Report, arguments, cores
from ingest import make_corpus
from search import FILTER, WORDS, Real, make_library

WHERE = ("at a lake", "in a wood", "in a kitchen", "on a street", "behind a door", "after the rain", "before dawn")
LIMIT = 1.0  # seconds, p95 while an ingest is running
MOST_ROUNDS = 200
BASE = "/api/v1/libraries/default"


def main() -> int:
    args = arguments(
        __doc__,
        windows={"type": int, "default": 100_000, "metavar": "N", "help": "size of the library (default: 100,000)"},
        clients={"type": int, "default": 200, "metavar": "N", "help": "searches at once (default: 200)"},
        rounds={"type": int, "default": 10, "metavar": "N", "help": "rounds without an ingest (default: 10)"},
        scratch={"type": Path, "metavar": "DIR", "help": "where the library goes (default: the system's)"},
    )
    windows, clients, rounds = (3000, 10, 2) if args.quick else (args.windows, args.clients, args.rounds)
    report = Report(f"{clients} searches at once over HTTP, {windows:,} windows", args)
    paths = sorted(DEMO.rglob("*.*"))
    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        folder = Path(scratch)
        make_library(folder, windows, Real.heard(paths[:12] if args.quick else paths))
        corpus = folder / "corpus"
        make_corpus(corpus, ("ogg",), 2 if args.quick else 60, (5, 6) if args.quick else (60, 180), cores())
        with serving(folder / "library") as port:
            asyncio.run(measure(report, port, clients, rounds, corpus / "ogg"))
    return report.finish()


@contextmanager
def serving(library: Path):
    """``auricle serve`` in a process of its own; gives its port."""
    command = [*AURICLE, "serve", "--library", str(library), "--port", "0", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as server:
        try:
            assert server.stdout
            yield int(json.loads(server.stdout.readline())["url"].rpartition(":")[2].strip("/"))
        finally:
            server.terminate()


async def measure(report: Report, port: int, clients: int, rounds: int, corpus: Path) -> None:
    """Adds the rows of both halves."""
    watcher, connections = Connection(port), [Connection(port) for _ in range(clients)]
    queries = Queries(await listed(watcher))
    await watcher.ask("POST", f"{BASE}/search", queries.words())  # maps the library
    quiet = [answer for _ in range(rounds) for answer in await one_round(connections, queries)]
    add(report, "Nothing else running", quiet, clients, judged=False)

    _, job, _ = await watcher.ask("POST", f"{BASE}/index", {"paths": [str(corpus)]})
    busy, heard = [], 0.0
    for _ in range(MOST_ROUNDS):
        answers = await one_round(connections, queries)
        _, job, _ = await watcher.ask("GET", f"/api/v1/jobs/{job['job']}")
        if job["state"] != "running":  # rounds that the ingest did not last through do not count
            break
        busy += answers
        heard = job["seconds"]
    while job["state"] == "running":
        await asyncio.sleep(0.5)
        _, job, _ = await watcher.ask("GET", f"/api/v1/jobs/{job['job']}")
    add(report, "While the server indexes", busy, clients, judged=True)
    report.add("sound heard meanwhile", heard / 60, "min")
    report.note(f"The ingest ended as {job['state']!r}: {job['heard']} of {job['total']} files heard.")
    for connection in [*connections, watcher]:
        connection.close()


def add(report: Report, part: str, answers: list["Answered"], clients: int, judged: bool) -> None:
    report.part = f"{part}, {len(answers) // clients} rounds"
    report.add("errors", sum(not answer.good for answer in answers), "", at_most=0)
    for kind in ("all", "words", "example"):
        taken = [answer.seconds for answer in answers if kind in ("all", answer.kind)]
        if taken:
            report.add(f"{kind}, p50", float(np.percentile(taken, 50)), "s")
            limit = LIMIT if judged and kind == "all" else None
            report.add(f"{kind}, p95", float(np.percentile(taken, 95)), "s", at_most=limit)
    spans = [answer.ended for answer in answers]
    if answers:
        begun = min(answer.ended - answer.seconds for answer in answers)
        report.add("searches a second", len(answers) / (max(spans) - begun), "")


# --- asking ----------------------------------------------------------------------------------------------------------


class Queries:
    """Bodies of searches, no two alike."""

    def __init__(self, recordings: list[dict]):
        self.recordings, self.rng = recordings, np.random.default_rng(0)

    def words(self) -> dict:
        text = f"{self.rng.choice(WORDS)} {self.rng.choice(WHERE)} {self.rng.integers(10_000)}"
        return {"words": [{"text": text}]} | self._filter()

    def example(self) -> dict:
        recording = self.recordings[self.rng.integers(len(self.recordings))]
        start = float(self.rng.uniform(0, max(0.0, recording["duration"] - 4)))
        return {"like": [{"recording": recording["id"], "start": start, "end": start + 4}]} | self._filter()

    def _filter(self) -> dict:
        return {"filters": {"where": FILTER}} if self.rng.random() < 0.1 else {}


@dataclass
class Answered:
    kind: str
    seconds: float
    ended: float
    good: bool


class Connection:
    """One HTTP/1.1 connection, kept open; opened anew where the server has closed it, as it does with idle ones."""

    def __init__(self, port: int):
        self.port = port
        self._reader: asyncio.StreamReader | None = None

    async def open(self) -> None:
        if self._reader is None or self._reader.at_eof():
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, method: str, path: str, body: dict | None = None) -> tuple[int, dict, float]:
        """Status, answer and seconds of a request."""
        data = json.dumps(body).encode() if body is not None else b""
        await self.open()
        assert self._reader
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        begun = time.perf_counter()
        self._writer.write(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        answer = await self._reader.readexactly(int(headers["content-length"]))
        return int(lines[0].split()[1]), json.loads(answer), time.perf_counter() - begun

    def close(self) -> None:
        self._writer.close()


async def listed(connection: Connection) -> list[dict]:
    _, page, _ = await connection.ask("GET", f"{BASE}/recordings?limit=500")
    return page["items"]


async def one_round(connections: list[Connection], queries: Queries) -> list[Answered]:
    """Every connection asks one thing at the same moment."""
    for connection in connections:
        await connection.open()

    async def ask(connection: Connection, kind: str, make: Callable[[], dict]) -> Answered:
        status, answer, seconds = await connection.ask("POST", f"{BASE}/search", make())
        return Answered(kind, seconds, time.perf_counter(), status == 200 and "hits" in answer)

    kinds = {"words": queries.words, "example": queries.example}
    return await asyncio.gather(
        *(ask(connection, *[*kinds.items()][i % 2]) for i, connection in enumerate(connections))
    )


if __name__ == "__main__":
    sys.exit(main())
