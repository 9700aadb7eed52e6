"""A library: one folder that remembers what was heard, and answers from it. The Python face of every verb."""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from auricle.errors import AuricleError, LibraryError
from auricle.hub import library_dir
from auricle.hub.ear import absolute
from auricle.library import codes, timeline
from auricle.library import versions as works
from auricle.library.collections import Collections
from auricle.library.duplicates import Duplicates, duplicates
from auricle.library.identify import EAR, Identifier, Match
from auricle.library.ingest import IndexReport, Progress, index
from auricle.library.listen import TagSummary, hear_blocks, open_ear
from auricle.library.search import Answer, Part, Searcher, listed
from auricle.library.speakers import THRESHOLD, Turn, ear_of, speakers
from auricle.library.store import Store, to_recording
from auricle.library.teach import Example, Taught, Teacher, as_examples
from auricle.library.vectors import matrix
from auricle.library.versions import Version
from auricle.types import Ear, Event, Hit, Recording, Tag

DEFAULT_EAR = "yamnet"


class Library:
    """Everything that was heard in some folders.

    >>> library = Library("my-library")
    >>> library.index("recordings/")
    >>> for hit in library.search("dog barking in the distance"):
    ...     print(hit.path, hit.start, hit.end, hit.score)

    Args:
        path: the folder of the library; by default ``$AURICLE_HOME/library`` or the user's data folder.
        ear: which ear answers, when several have listened; by default the first that did.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, ear: str | None = None):
        self.store = Store(path or library_dir())
        self._wanted_ear = ear and absolute(ear)
        self._searcher: Searcher | None = None
        self._identifier: Identifier | None = None
        self._mapping = threading.Lock()

    @property
    def path(self) -> Path:
        return self.store.path

    @property
    def ear(self) -> str:
        """Name of the ear that answers."""
        return self._ear[0]

    @property
    def _ear(self) -> tuple[str, str]:
        """The ear that answers: its name and the spec that loads it."""
        heard = self.store.ears
        if self._wanted_ear is None and heard:
            return next(iter(heard.items()))
        wanted = self._wanted_ear or DEFAULT_EAR
        return self.store.ear(wanted) or (open_ear(wanted).name, wanted)

    @property
    def listener(self) -> Ear:
        """The ear that answers, loaded; once in each process."""
        return open_ear(self._ear[1])

    # --- filling ---------------------------------------------------------------------------------------------------

    def index(
        self,
        *paths: str | os.PathLike[str],
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        follow_links: bool = False,
        workers: int | None = None,
        retry: bool = False,
        wait: bool = True,
        engine: str = "local",
        prints: bool | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IndexReport:
        """Listens to every new or changed sound file below ``paths``. Safe to stop, kill and run again.

        Args:
            paths: folders or files; without any, every folder indexed before.
            include: globs of files to take (default: every sound file); ``*`` also matches slashes.
            exclude: globs of files and folders to pass over.
            follow_links: also follow symbolic links.
            workers: processes that listen; by default one per core.
            retry: try files again that could not be heard before.
            wait: when another run is writing, wait for it; otherwise raise.
            engine: "local", or "ray" to spread the work over a Ray cluster.
            prints: also take fingerprints, for ``identify``; by default if the library has some.
            progress: called a few times a second.

        Raises:
            AuricleError: a path does not exist, the library is not writable, the ear cannot be loaded.
        """
        roots = list(paths) or self.store.roots
        if not roots:
            raise AuricleError("There is nothing to index", "Name a folder: auricle index FOLDER")
        return index(
            self.store,
            roots,
            ear=self._ear[1],
            include=include,
            exclude=exclude,
            follow_links=follow_links,
            workers=workers,
            retry=retry,
            wait=wait,
            engine=engine,
            progress=progress,
            also=[EAR] if prints or (prints is None and self.store.ear(EAR)) else [],
        )

    def prune(self) -> list[str]:
        """Forgets indexed files that are no longer there and returns their paths."""
        paths = self._existing().recordings(columns=["path"])["path"].to_pylist()
        gone = sorted(path for path in paths if not os.path.exists(path))
        with self.store.lock():
            self.store.forget(gone)
            self.store.sweep()
            kept = {path: facts for path, facts in self.store.quarantine.items() if os.path.lexists(path)}
            self.store.quarantine = kept
        return gone

    # --- asking ----------------------------------------------------------------------------------------------------

    def search(
        self,
        *words: str,
        like: str | Sequence[str] = (),
        without: str | Sequence[str] = (),
        where: str | None = None,
        limit: int = 10,
        min_score: float | None = None,
        one_per_recording: bool = False,
    ) -> list[Hit]:
        """Finds stretches of sound by words, by example, or by a mix of both; best first, empty when nothing fits.

        Args:
            words: what to listen for, e.g. ``"dog barking"``; ``"rain^2"`` counts double.
            like: examples: ``"a.wav"``, ``"a.wav@3-6"`` (seconds), ``"a.wav^0.5"``.
            without: words or examples to stay away from.
            where: SQL over the recordings, e.g. ``"duration > 60 AND array_has(tags, 'Dog')"``; see docs/library.md.
            limit: most hits.
            min_score: in [0, 1]; by default the ear's calibrated "probably there".
            one_per_recording: only the best hit of each recording.
        """
        return self.answer(
            words,
            like=like,
            without=without,
            where=where,
            limit=limit,
            min_score=min_score,
            one_per_recording=one_per_recording,
        ).hits

    def answer(
        self,
        words: str | Sequence[str] = (),
        *,
        like: str | Sequence[str] = (),
        without: str | Sequence[str] = (),
        **options: Any,
    ) -> Answer:
        """As ``search``, with how the answer was found."""
        words, like, without = ([some] if isinstance(some, str) else some for some in (words, like, without))
        parts = [*map(Part.words, words), *map(Part.example, like), *map(Part.unwanted, without)]
        return self.searcher.search(parts, **options)

    def similar(
        self, example: str, *, limit: int = 10, where: str | None = None, min_score: float | None = None
    ) -> list[Hit]:
        """Other recordings that sound like ``example`` (``"a.wav"`` or ``"a.wav@3-6"``), one hit each."""
        part = Part.example(example)
        own = self.store.rows_by("path", [listed(part.path)])
        return self.searcher.search(
            [part],
            where=where,
            limit=limit,
            min_score=min_score,
            one_per_recording=True,
            skip=[row["id"] for row in own.values()],
        ).hits

    def events(
        self,
        *paths: str | os.PathLike[str],
        labels: Sequence[str] | None = None,
        where: str | None = None,
        on: float = timeline.ON,
        off: float = timeline.OFF,
        limit: int | None = None,
    ) -> list[Event]:
        """What was heard when, in some recordings or all: by path, then by start time.

        Args:
            paths: recordings or folders of recordings; none means all.
            labels: class names; None means all.
            on, off: thresholds in [0, 1]: an event begins at ``on`` and lasts while above ``off``.
        """
        rows = self.recordings(where)
        if paths:
            wanted = [listed(path) for path in paths]
            rows = [row for row in rows if any(row.path == p or row.path.startswith(p + os.sep) for p in wanted)]
            if not rows:
                raise LibraryError(f"Nothing at {wanted[0]} is indexed", f"Run: auricle index {wanted[0]}")
        name, spec = self._ear
        ear = open_ear(spec)
        if not ear.classes:
            raise LibraryError(f"The ear {ear.name} names no events", "Use an ear with classes, such as yamnet")
        dataset = self.store.windows(name)
        found: list[Event] = []
        for row in rows:
            if dataset is None or (limit is not None and len(found) >= limit):
                break
            table = dataset.to_table(columns=["start", "scores"], filter=f"recording = '{row.id}'").sort_by("start")
            found += timeline.events(
                codes.decode(matrix(table["scores"])),
                ear.classes,
                path=row.path,
                hop=ear.hop / ear.sample_rate,
                window=ear.window / ear.sample_rate,
                duration=row.duration,
                labels=None if labels is None else timeline.known(labels, ear.classes),
                on=on,
                off=off,
            )
        return found[:limit]

    def teach(
        self,
        name: str,
        positives: Iterable[Example | Hit | str | os.PathLike[str]] = (),
        negatives: Iterable[Example | Hit | str | os.PathLike[str]] = (),
    ) -> Taught:
        """Teaches a tag of one's own from at least 5 examples of it and 5 of what it is not; more can follow later.

        Args:
            name: the tag.
            positives, negatives: hits, indexed files (``"a.wav"``, ``"a.wav@3-6"`` in seconds) or folders of them.
        """
        return self.teacher.teach(name, as_examples(self.store, positives), as_examples(self.store, negatives))

    @cached_property
    def teacher(self) -> Teacher:
        """Tags of one's own: what they rank first, what to ask about next, undoing, forgetting."""
        self._existing()
        return Teacher(self)

    @cached_property
    def collections(self) -> Collections:
        """Named lists of stretches."""
        self._existing()
        return Collections(self.store)

    def duplicates(self, where: str | None = None) -> list[Duplicates]:
        """Groups of files that hold the same sound: byte for byte, or encoded again."""
        self._existing()
        return duplicates(self.store, self.searcher, where)

    def speakers(self, where: str | None = None, *, like: str = "", threshold: float = THRESHOLD) -> list[Turn]:
        """Who speaks where, who speaks most first; needs what an ear for voices heard (``ge2e``, unless opened so).

        Args:
            where: SQL over the recordings.
            like: a sound file or an excerpt of one voice, ``"a.wav@3-6"``: only where that speaks, most alike first.
            threshold: score from which two voices are one, in [0, 1]; calibrated for ``ge2e``.
        """
        return speakers(self._existing(), ear_of(self.store, self._wanted_ear), where, like, threshold)

    def versions(
        self, song: str, *, where: str | None = None, limit: int | None = 10, min_score: float = works.THRESHOLD
    ) -> list[Version]:
        """Other performances of the work in ``song``, best first; needs what an ear for works heard (``bytecover3``).

        Args:
            song: a sound file, in the library or not, or an excerpt, ``"a.wav@30-60"``.
            where: SQL over the recordings.
            limit: most versions; None for all.
            min_score: least score, in [0, 1]; calibrated for ``bytecover3``.
        """
        ear = works.ear_of(self._existing(), self._wanted_ear)
        return works.versions(self.store, ear, song, where=where, limit=limit, min_score=min_score)

    def identify(self, clip: str | os.PathLike[str], *, limit: int = 10) -> list[Match]:
        """Which recordings a clip is from, and where in them, whatever was done to it; empty when from none of them.

        Args:
            clip: a sound file, or an excerpt of it, ``"a.wav@3-13"``; 2.2 s at least, 5 s or more are better.
            limit: most stretches.

        Raises:
            LibraryError: the library has no prints (see ``index``).
            AudioError: the clip cannot be heard.
            QueryError: it is too short.
        """
        return self.identifier.identify(clip, limit=limit)

    @property
    def identifier(self) -> Identifier:
        """The prints in memory; read again when the library has changed since."""
        ear = self._existing().ear(EAR)
        if ear is None:
            raise LibraryError("This library has no prints", "Take them: auricle index --prints")
        kept = self._identifier
        if kept is None or kept.prints.version != self.store.version(ear[0]):
            kept = self._identifier = Identifier(self.store, open_ear(ear[1]))
        return kept

    def recordings(self, where: str | None = None, limit: int | None = None) -> list[Recording]:
        """Indexed files, by path."""
        rows = self._existing().recordings(where).sort_by("path").to_pylist()
        return [to_recording(row) for row in rows[:limit]]

    def show(self, path: str | os.PathLike[str]) -> Recording:
        """What is known of one indexed file."""
        rows = self._existing().rows_by("path", [listed(path)])
        if not rows:
            raise LibraryError(f"{path} is not indexed", f"Run: auricle index {path}")
        return to_recording(rows[listed(path)])

    def stats(self) -> dict[str, Any]:
        """The library in numbers: files, hours, ears, bytes, most frequent tags, formats."""
        recordings = self.recordings()
        distinct = {recording.id: recording.duration for recording in recordings}
        return {
            "library": str(self.path),
            "files": len(recordings),
            "recordings": len(distinct),
            "seconds": round(sum(distinct.values()), 3),
            "ears": {ear: dataset.count_rows() for ear in self.store.ears if (dataset := self.store.windows(ear))},
            "quarantined": len(self.store.quarantine),
            "bytes": sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file()),
            "roots": [str(root) for root in self.store.roots],
            "tags": dict(Counter(tag.label for r in recordings for tag in r.tags).most_common(20)),
            "formats": dict(Counter(r.format for r in recordings).most_common()),
        }

    def doctor(self) -> dict[str, Any]:
        """What is wrong: files that could not be heard and why, files that are gone, leftovers of a killed run."""
        recordings = self._existing().recordings(columns=["path", "id"])
        paths = recordings["path"].to_pylist()
        owned = set(recordings["id"].to_pylist())
        return {
            "quarantined": [
                {"path": path, "reason": facts["reason"]} for path, facts in sorted(self.store.quarantine.items())
            ],
            "missing": sorted(path for path in paths if not os.path.exists(path)),
            "unfinished": not self.store.ended_cleanly,
            "orphans": sum(len(self.store.heard(ear) - owned) for ear in self.store.ears),
        }

    @property
    def searcher(self) -> Searcher:
        """The mapped matrices; renewed when the library has changed since.

        Safe to ask from several threads: one renews, and the others go on with what was mapped before.
        """
        self._existing()
        name, spec = self._ear
        if self.store.ears and name not in self.store.ears:
            raise LibraryError(f"The ear {name} has not listened here", f"Run: auricle index --ear {spec}")
        mapped = self._searcher
        if mapped is not None and (mapped.index.version == self.store.version(name) or self._mapping.locked()):
            return mapped
        with self._mapping:
            if self._searcher is None or self._searcher.index.version != self.store.version(name):
                self._searcher = Searcher(self.store, name, lambda: open_ear(spec))
            return self._searcher

    def _existing(self) -> Store:
        if not self.store.exists:
            raise LibraryError(f"There is no library at {self.path}", "Make one: auricle index FOLDER")
        return self.store


def tag(path: str | os.PathLike[str], *, ear: str = DEFAULT_EAR, limit: int = 10, min_score: float = 0.1) -> list[Tag]:
    """What a sound file sounds like, without any library: tags, best first.

    Raises:
        AudioError: the file cannot be heard.
        AuricleError: the ear names no classes.
    """
    from auricle.audio import stream

    listener = open_ear(ear)
    if not listener.classes:
        raise AuricleError(f"The ear {listener.name} names no classes", "Use an ear with classes, such as yamnet")
    summary = TagSummary(listener.classes)
    for _, _, heard in hear_blocks(listener, stream(path, listener.sample_rate)):
        summary.add(heard.scores)
    return list(summary.tags(limit, min_score))
