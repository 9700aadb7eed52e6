"""Indexing: walk, decide what is new, listen in worker processes, commit through one writer.

A run may be stopped or killed anywhere. What was committed stays, what was not is heard again, and the rows end up the
same as if nothing had happened (see the commit order in ``auricle.library.store``).
"""

import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from auricle.errors import AuricleError
from auricle.library import own_tags
from auricle.library.listen import Listened, content_id, open_ear, staged_batches
from auricle.library.retag import retag
from auricle.library.store import RECORDINGS, Store, ear_schema, to_recording
from auricle.library.walk import Candidate, Refused, walk

COMMIT_WINDOWS = 16_384  # commit once this many windows wait (about 2 h of sound) …
COMMIT_SECONDS = 5.0  # … or this much time has passed
HASH_AHEAD = 32  # files identified ahead of the workers
TELL_SECONDS = 0.2  # between two calls of the progress callback

Task = tuple[Candidate, str]  # a file to hear and its content id


@dataclass(slots=True)
class Progress:
    """Where a run stands; handed to the callback a few times a second."""

    total: int = 0  # files met by the walk
    done: int = 0  # of any fate
    heard: int = 0
    unchanged: int = 0
    moved: int = 0  # found under a new name without listening again
    copies: int = 0  # same content as another file: listed, not heard twice
    changed: int = 0  # heard again because the content changed
    quarantined: int = 0  # cannot be heard
    seconds: float = 0.0  # of sound heard
    bytes: int = 0  # of files dealt with …
    bytes_total: int = 0  # … out of these
    elapsed: float = 0.0
    current: str = ""

    @property
    def speed(self) -> float:
        """Seconds of sound heard per second."""
        return self.seconds / self.elapsed if self.elapsed else 0.0

    @property
    def remaining(self) -> float | None:
        """Estimated seconds to go, by bytes; None before anything is known."""
        return self.elapsed * (self.bytes_total - self.bytes) / self.bytes if self.bytes else None


@dataclass(slots=True)
class IndexReport(Progress):
    """What a run did."""

    missing: list[str] = field(default_factory=list)  # indexed files that are gone; ``prune`` removes them
    problems: dict[str, str] = field(default_factory=dict)  # path -> why it cannot be heard
    stopped: bool = False  # by Ctrl-C


def index(
    store: Store,
    paths: Sequence[str | os.PathLike[str]],
    *,
    ear: str = "yamnet",
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    follow_links: bool = False,
    workers: int | None = None,
    retry: bool = False,
    wait: bool = True,
    engine: str = "local",
    progress: Callable[[Progress], None] | None = None,
    also: Sequence[str] = (),
) -> IndexReport:
    """Listens to every new or changed file below ``paths`` and stores what was heard; see ``Library.index``.

    The ears ``also`` hear the same files afterwards; the report is of ``ear``, its time that of all.
    """
    if engine not in ("local", "ray"):
        raise AuricleError(f"There is no engine {engine!r}", "Use --engine local or --engine ray")
    found = walk(paths, include, exclude, follow_links)
    first = next(found, None)  # a misspelt path is reported before anything is written
    with store.lock(wait):
        store.remember(roots=[os.path.abspath(os.path.expanduser(path)) for path in paths])
        files = [first, *found] if first else []
        report = Run(store, ear, workers or os.cpu_count() or 1, retry, progress)(files, engine)
        for other in also:
            if not report.stopped:
                then = Run(store, other, workers or os.cpu_count() or 1, retry, progress)(files, engine)
                report.elapsed, report.stopped = report.elapsed + then.elapsed, then.stopped
        return report


class Run:
    """One indexing run, under the library's lock."""

    def __init__(self, store: Store, ear: str, workers: int, retry: bool, progress: Callable[[Progress], None] | None):
        self.store, self.workers, self.retry, self.progress = store, workers, retry, progress
        self.ear_spec, self.ear = ear, open_ear(ear)
        self.schema = ear_schema(self.ear)
        self.own = own_tags.key(store, self.ear.name)
        others = (own_tags.current(store, name).names for name in store.ears if name != self.ear.name)
        self.taught_to_others = {name for names in others for name in names}
        self.report = IndexReport()
        self.staging = store.path / "staging" / f"{os.getpid()}"
        self.waiting: list[Listened] = []  # heard, not yet committed
        self.began = self.committed = time.monotonic()
        self.told = 0.0

    def __call__(self, found: Iterable[Candidate | Refused], engine: str) -> IndexReport:
        store, report = self.store, self.report
        store.remember(ears={self.ear.name: self.ear_spec})
        if not store.ended_cleanly:
            store.sweep()
        shutil.rmtree(self.staging.parent, ignore_errors=True)
        self.staging.mkdir(parents=True)
        self.heard = store.heard(self.ear.name)
        self.known = {
            row["path"]: row for row in store.recordings(columns=["path", "id", "size", "modified"]).to_pylist()
        }
        self.quarantine = store.quarantine
        self.first: dict[str, str] = {}  # content id -> the path under which it is heard
        self.copies: list[Task] = []  # other paths with the same content
        store.journal("start", ear=self.ear.name, engine=engine)
        try:
            try:
                self.listen(self.new_content(self.fresh(found)), engine)
            except KeyboardInterrupt:
                report.stopped = True
            self.commit()
        finally:
            shutil.rmtree(self.staging.parent, ignore_errors=True)
        self.link_copies()
        store.quarantine = self.quarantine
        self.drop_moved()
        if report.changed or report.moved or report.stopped:
            store.sweep()
        for ear in store.ears:
            retag(store, ear)
        store.compact()
        store.journal("end", heard=report.heard, quarantined=report.quarantined, stopped=report.stopped)
        self.tell(now=True)
        return report

    def listen(self, tasks: Iterator[Task], engine: str) -> None:
        if engine == "ray":
            from auricle.library.ray_engine import listen_with_ray

            listen_with_ray(self, tasks)
        else:
            from auricle.library.pool import listen_in_processes

            listen_in_processes(self, tasks)

    # --- what is new -----------------------------------------------------------------------------------------------

    def fresh(self, found: Iterable[Candidate | Refused]) -> list[Candidate]:
        """The files that are not known to be as they were."""
        fresh = []
        self.met: set[str] = set()
        for item in found:
            self.report.total += 1
            self.met.add(item.path)
            if isinstance(item, Refused):
                self.set_aside(item.path, item.reason)
                continue
            self.report.bytes_total += item.size
            row, refused = self.known.get(item.path), self.quarantine.get(item.path)
            if row and _same(row, item) and row["id"] in self.heard:
                self.report.unchanged += 1
                self.done(item)
            elif refused and _same(refused, item) and not self.retry:
                self.set_aside(item.path, refused["reason"], item)
            else:
                fresh.append(item)
        return fresh

    def new_content(self, fresh: list[Candidate]) -> Iterator[Task]:
        """Identifies files by content, ahead of the workers, and yields those that were never heard."""
        with ThreadPoolExecutor(1) as pool:
            hashing: deque[tuple[Candidate, Future[str]]] = deque()
            upcoming = iter(fresh)
            while True:
                for item in upcoming:
                    hashing.append((item, pool.submit(content_id, item.path)))
                    if len(hashing) >= HASH_AHEAD:
                        break
                if not hashing:
                    return
                item, future = hashing.popleft()
                try:
                    id = future.result()
                except AuricleError as error:
                    self.refuse(item, error)
                    continue
                if id in self.heard or id in self.first:
                    self.copies.append((item, id))
                else:
                    self.first[id] = item.path
                    yield item, id

    # --- what became of it -----------------------------------------------------------------------------------------

    def accept(self, item: Candidate, listened: Listened) -> None:
        """Takes in a heard file; commits when enough is waiting."""
        self.waiting.append(listened)
        self.note(item, listened)
        windows = sum(listened.windows for listened in self.waiting)
        if windows >= COMMIT_WINDOWS or time.monotonic() - self.committed > COMMIT_SECONDS:
            self.commit()

    def note(self, item: Candidate, listened: Listened) -> None:
        """Counts a heard file."""
        self.report.heard += 1
        self.report.changed += item.path in self.known and self.known[item.path]["id"] != listened.id
        self.report.seconds += listened.duration
        self.quarantine.pop(item.path, None)
        self.done(item)

    def refuse(self, item: Candidate, error: Exception) -> None:
        """Puts a file that cannot be heard aside, with the reason."""
        if isinstance(error, AuricleError):
            reason = ". ".join(part for part in (error.problem, error.remedy) if part)
        else:
            reason = f"{type(error).__name__}: {error}"
        self.set_aside(item.path, reason, item)

    def set_aside(self, path: str, reason: str, item: Candidate | None = None) -> None:
        size, modified = (item.size, item.modified) if item else (0, 0.0)
        self.quarantine[path] = {"reason": reason, "size": size, "modified": modified}
        self.report.problems[path] = reason
        self.report.quarantined += 1
        self.done(item)

    def done(self, item: Candidate | None) -> None:
        self.report.done += 1
        if item:
            self.report.bytes += item.size
            self.report.current = item.path
        self.tell()

    def tell(self, now: bool = False) -> None:
        """Calls the progress callback, not more often than is useful."""
        clock = time.monotonic()
        self.report.elapsed = clock - self.began
        if self.progress and (now or clock - self.told >= TELL_SECONDS):
            self.told = clock
            self.progress(self.report)

    # --- writing ---------------------------------------------------------------------------------------------------

    def commit(self) -> None:
        """Windows first, then the recordings that own them, in two atomic commits."""
        self.committed = time.monotonic()
        waiting, self.waiting = self.waiting, []  # so that none is committed twice should Ctrl-C come in between
        if not waiting:
            return
        batches = (batch for listened in waiting for batch in staged_batches(listened))
        self.store.append_windows(self.ear.name, self.schema, batches)
        self.add_recordings(waiting)
        for listened in waiting:
            Path(listened.staged).unlink()
        self.store.quarantine = self.quarantine

    def add_recordings(self, listened: list[Listened]) -> None:
        """Writes the rows of heard files, with the tags they have from other ears that this one does not replace."""
        rows = {item.path: item.row() for item in listened}
        if self.taught_to_others or not self.ear.classes:
            known = self.store.rows_by("path", rows)
            for item in listened:
                if item.path in known and known[item.path]["id"] == item.id:
                    old = [tag for tag in to_recording(known[item.path]).tags if self.keeps(tag.label)]
                    rows[item.path] |= own_tags.columns(own_tags.merged(item.tags, old))
        self.store.upsert(pa.Table.from_pylist(list(rows.values()), schema=RECORDINGS))

    def keeps(self, label: str) -> bool:
        """Whether a tag stays when this ear hears a recording again: what people taught to other ears does, and what
        other ears heard as long as this one has no classes of its own."""
        if self.ear.classes:
            return label in self.taught_to_others
        return label not in own_tags.load(*self.own).names

    def link_copies(self) -> None:
        """Lists files whose content was heard under another name: what became of that one becomes of them."""
        twins = self.store.rows_by("id", {id for _, id in self.copies})
        rows = []
        for item, id in self.copies:
            if id in twins:
                rows.append(twins[id] | {"path": item.path, "size": item.size, "modified": item.modified})
                self.report.copies += item.path not in self.known
                self.done(item)
            elif (first := self.first.get(id)) in self.report.problems:
                self.set_aside(item.path, self.report.problems[first], item)
        self.store.upsert(pa.Table.from_pylist(rows, schema=RECORDINGS))

    def drop_moved(self) -> None:
        """Forgets old names of moved files and notes which files are gone altogether."""
        gone = [path for path in self.known if path not in self.met and not os.path.exists(path)]
        living = self.store.living_ids(set(gone))
        moved = [path for path in gone if self.known[path]["id"] in living]
        self.store.forget(moved)
        self.report.moved = len(moved)
        self.report.copies = max(0, self.report.copies - len(moved))
        self.report.missing = sorted(set(gone) - set(moved))


def _same(row: dict, item: Candidate) -> bool:
    return row["size"] == item.size and row["modified"] == item.modified
