"""Tags of one's own: a few examples teach a classifier, which ranks the library and says what to ask about next.

A tag is taught to one ear. Each lesson adds to those before it, and the last one can be undone. As soon as a tag is
taught, recordings in the library carry it among their other tags, and new files get it while they are heard.
"""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle.errors import LibraryError, QueryError
from auricle.library import own_tags
from auricle.library.classifier import Examples, learn
from auricle.library.index import Index
from auricle.library.labels import LONGEST_LABEL, Labels
from auricle.library.own_tags import OwnTags
from auricle.library.retag import outdated, retag
from auricle.library.search import Part, listed
from auricle.library.store import Store, write_json
from auricle.library.vectors import matrix
from auricle.types import Hit

if TYPE_CHECKING:
    from auricle.library.library import Library

FEWEST = 5  # examples of each kind
WINDOWS = 8  # of one example that are learnt from, evenly spread over it
APART = 4  # windows at least between two questions about one recording
READ_ROWS = 8_192


class Example(NamedTuple):
    """``start`` to ``end`` seconds of a recording, named by its content id; by default all of it."""

    recording: str
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True, slots=True)
class Taught:
    """A tag of one's own, and how well its classifier did on examples whose recordings it had not seen.

    ``average_precision`` and ``accuracy`` (the mean over both kinds) lie in [0, 1]; guessing gives ``chance`` and 0.5.
    Both are None when all examples of a kind come from one recording. They tell of examples like those given, half of
    which or so are positive; in a library where the sound is rare, more of what is found will be wrong.
    """

    name: str
    ear: str
    positives: int
    negatives: int
    trained: str  # ISO 8601, UTC
    average_precision: float | None
    accuracy: float | None
    chance: float
    folds: int


class Teacher:
    """All tags of one's own in a library, for the ear that answers there."""

    def __init__(self, library: "Library"):
        self.library = library
        self._scored: tuple[tuple[int, str], NDArray[np.float32]] | None = None

    @property
    def store(self) -> Store:
        return self.library.store

    @property
    def place(self) -> Path:
        return own_tags.folder(self.store, self.library.ear)

    def __call__(self) -> list[Taught]:
        """The tags that were taught, by name."""
        facts = own_tags.current(self.store, self.library.ear).facts
        return sorted((Taught(**told) for told in facts), key=lambda one: one.name.casefold())

    def get(self, name: str) -> Taught:
        """One tag.

        Raises:
            LibraryError: it was never taught.
        """
        found = next((one for one in self() if one.name.casefold() == name.casefold()), None)
        if found is None:
            raise LibraryError(
                f"The ear {self.library.ear} was not taught {name!r}", "Teach it with examples, or choose another name"
            )
        return found

    # --- lessons ---------------------------------------------------------------------------------------------------

    def teach(self, name: str, positives: Iterable[Example] = (), negatives: Iterable[Example] = ()) -> Taught:
        """Adds examples to those given before, trains, and tags the library.

        A stretch that was given before as the opposite is now what it is given as.

        Raises:
            QueryError: the name cannot be used, a stretch makes no sense, there are fewer than 5 examples of a kind.
            LibraryError: an example's recording is not in the library.
        """
        name = self._usable(name)
        lesson = {
            "positives": [_checked(example) for example in positives],
            "negatives": [_checked(example) for example in negatives],
            "taught": _now(),
        }
        self._in_library([*lesson["positives"], *lesson["negatives"]])
        with self.store.lock(name="teach"):
            lessons = [*self._lessons(name), lesson]
            taught = self._train(name, lessons)
            self._write(name, lessons)
        self.apply()
        return taught

    def adopt(self, taught: Taught, weights: NDArray[np.float32], bias: float) -> None:
        """Takes over a classifier that was trained elsewhere (see ``own_model``) and tags the library.

        Lessons given to its name before are set aside; ``undo`` brings them back.

        Raises:
            QueryError: the name cannot be used.
            LibraryError: it was trained on another ear than the one that answers here.
        """
        if taught.ear != self.library.ear:
            raise LibraryError(
                f"The model of {taught.name!r} listens through {taught.ear}, the library through {self.library.ear}",
                "Train it with --ear",
            )
        name = self._usable(taught.name)
        with self.store.lock(name="teach"):
            if lessons := self._lessons(name):
                self._write(name, [*lessons, {"forgotten": _now()}])
            own_tags.save(self.place, weights, bias, asdict(taught))
        self.apply()

    def examples(self, name: str) -> tuple[list[Example], list[Example]]:
        """Positive and negative examples of a tag as they now stand."""
        return _standing(self._lessons(self.get(name).name))

    def undo(self, name: str) -> Taught | None:
        """Takes back the last lesson of a tag (that it should be forgotten, too); None when no classifier is left.

        Raises:
            LibraryError: there is no lesson to take back.
        """
        with self.store.lock(name="teach"):
            lessons = self._lessons(name)
            if not lessons:
                raise LibraryError(f"There is no lesson about {name!r} to take back", "`auricle teach` lists the tags")
            self._write(name, lessons[:-1])
            try:
                taught = self._train(name, lessons[:-1])
            except QueryError:  # too few examples are left
                taught = None
                own_tags.file_of(self.place, name).unlink(missing_ok=True)
        self.apply()
        return taught

    def forget(self, name: str) -> Taught:
        """Takes the tag from all recordings and new files no longer get it; ``undo`` brings it back.

        Raises:
            LibraryError: it was never taught.
        """
        taught = self.get(name)
        with self.store.lock(name="teach"):
            self._write(name, [*self._lessons(name), {"forgotten": _now()}])
            own_tags.file_of(self.place, name).unlink(missing_ok=True)
        self.apply()
        return taught

    def apply(self) -> bool:
        """Brings the tags of recordings up to date; False when a run is indexing, which will do it when it ends."""
        if not outdated(self.store, self.library.ear):
            return True
        with ExitStack() as right_to_write:
            try:
                right_to_write.enter_context(self.store.lock(wait=False))
            except LibraryError:
                return False
            retag(self.store, self.library.ear)
        return True

    # --- asking ----------------------------------------------------------------------------------------------------

    def ranked(self, name: str, limit: int = 20, min_score: float = 0.0) -> list[Hit]:
        """Where the tag is most surely heard; best first, adjacent windows as one hit."""
        searcher = self.library.searcher
        return searcher.hits(searcher.runs(self._scores(name, searcher.index), limit, min_score))

    def uncertain(self, name: str, limit: int = 20) -> list[Hit]:
        """What would teach most: windows scoring nearest to 0.5, the best of each recording first.

        Examples are left out; the score of a hit is how surely the tag is heard there.
        """
        searcher, examples = self.library.searcher, self.examples(name)
        scores = self._scores(name, searcher.index)
        doubt = np.abs(scores - 0.5)
        for example in (*examples[0], *examples[1]):
            doubt[searcher.rows_of(*example)] = np.inf
        return searcher.hits([(row, row, float(scores[row])) for row in _spread(doubt, searcher.index.owner, limit)])

    def scores(self, name: str, embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
        """How surely the tag is heard in windows [rows], in [0, 1], from their embeddings [rows, dim]."""
        own, column = self._column(name)
        return own.scores(embeddings)[:, column]

    def _scores(self, name: str, index: Index) -> NDArray[np.float32]:
        """Scores of all rows; those of all tags are kept until a tag or the library changes."""
        own, column = self._column(name)
        state = (index.version, own_tags.stamp(self.place))
        if self._scored is None or self._scored[0] != state:
            batches = () if index.dataset is None else index.dataset.to_batches(["embedding"], batch_size=READ_ROWS)
            scores = [own.scores(matrix(batch["embedding"])) for batch in batches]
            self._scored = state, np.concatenate([np.zeros((0, len(own.names)), np.float32), *scores])
        return self._scored[1][:, column]

    def _column(self, name: str) -> tuple[OwnTags, int]:
        name = self.get(name).name
        own = own_tags.current(self.store, self.library.ear)
        return own, own.names.index(name)

    # --- training --------------------------------------------------------------------------------------------------

    def _train(self, name: str, lessons: list[dict[str, Any]]) -> Taught:
        positives, negatives = _standing(lessons)
        examples = self._heard(positives, True), self._heard(negatives, False)
        for kind, found in zip(("positive", "negative"), examples, strict=True):
            if len(found) < FEWEST:
                raise QueryError(
                    f"{name!r} has {len(found)} {kind} example{'' if len(found) == 1 else 's'}",
                    f"Give at least {FEWEST} stretches where it is heard and {FEWEST} where it is not",
                )
        rows = [rows for kind in examples for _, rows in kind]
        classifier = learn(
            Examples(
                vectors=own_tags.unit(self.library.searcher.index.embeddings(np.concatenate(rows))),
                example=np.repeat(np.arange(len(rows)), [len(some) for some in rows]),
                positive=np.arange(len(rows)) < len(examples[0]),
                recording=np.array([example.recording for kind in examples for example, _ in kind]),
            )
        )
        taught = Taught(
            name=name,
            ear=self.library.ear,
            positives=len(examples[0]),
            negatives=len(examples[1]),
            trained=_now(),
            average_precision=_rounded(classifier.average_precision),
            accuracy=_rounded(classifier.accuracy),
            chance=round(len(examples[0]) / len(rows), 4),
            folds=classifier.folds,
        )
        own_tags.save(self.place, classifier.weights, classifier.bias, asdict(taught))
        return taught

    def _heard(self, examples: list[Example], positive: bool) -> list[tuple[Example, NDArray[np.integer]]]:
        """Rows of the windows of each example; those of recordings that are gone are left out.

        Silence in a positive example is no example of the sound; all windows are taken when there is nothing else.
        """
        searcher, heard = self.library.searcher, []
        for example in examples:
            rows = searcher.rows_of(*example)
            silent = searcher.silent[rows]
            rows = rows[~silent] if positive and not silent.all() else rows
            if len(rows):
                spread = np.linspace(0, len(rows) - 1, min(len(rows), WINDOWS)).round().astype(int)
                heard.append((example, rows[spread]))
        return heard

    def _in_library(self, examples: list[Example]) -> None:
        ids = {example.recording for example in examples}
        missing = ids - self.store.rows_by("id", ids).keys()
        if missing:
            raise LibraryError(f"No recording {min(missing)!r} is in the library", "Index it first")

    def _usable(self, name: str) -> str:
        name = name.strip()
        if not name or len(name) > LONGEST_LABEL:
            raise QueryError(f"A tag needs between 1 and {LONGEST_LABEL} characters", "Name the sound in a few words")
        for known in self.library.listener.classes:
            if known.casefold() == name.casefold():
                raise QueryError(
                    f"The ear {self.library.ear} has a class {known!r} of its own",
                    f"Use another name, such as 'my {known}'",
                )
        return name

    # --- lessons on disk -------------------------------------------------------------------------------------------

    def _lessons(self, name: str) -> list[dict[str, Any]]:
        try:
            return json.loads(self._file(name).read_text(encoding="utf-8"))["lessons"]
        except FileNotFoundError:
            return []

    def _write(self, name: str, lessons: list[dict[str, Any]]) -> None:
        self._file(name).parent.mkdir(parents=True, exist_ok=True)
        write_json(self._file(name), {"name": name, "lessons": lessons})

    def _file(self, name: str) -> Path:
        return own_tags.file_of(self.place, name.strip()).with_suffix(".json")


def as_examples(store: Store, given: Iterable[Example | Hit | str | os.PathLike[str]]) -> list[Example]:
    """Examples as the teacher takes them, from hits, from ``"FILE"`` or ``"FILE@START-END"``, or from folders.

    A folder stands for every recording below it.

    Raises:
        LibraryError: a file is not in the library.
    """
    return [example for one in given for example in _as_examples(store, one)]


def from_labels(labels: Labels, name: str) -> tuple[list[Example], list[Example]]:
    """What people said of ``name``: stretches they confirmed, drew or renamed so, and those they rejected."""
    said = [label for label in labels() if label.label.casefold() == name.casefold()]
    positives = [Example(one.recording, one.start, one.end) for one in said if one.verdict != "rejected"]
    negatives = [Example(one.recording, one.start, one.end) for one in said if one.verdict == "rejected"]
    return positives, negatives


def _as_examples(store: Store, given: Example | Hit | str | os.PathLike[str]) -> Iterator[Example]:
    if isinstance(given, Hit):
        yield Example(given.recording, given.start, given.end)
    elif isinstance(given, Example):
        yield given
    else:
        part = Part.example(os.fspath(given))
        place = listed(part.path)
        below = f"path = {_quoted(place)} OR starts_with(path, {_quoted(os.path.join(place, ''))})"
        found = store.recordings(below, columns=["path", "id"]).sort_by("path")["id"].to_pylist()
        if not found:
            raise LibraryError(f"{part.path} is not indexed", f"Run: auricle index {part.path}")
        yield from (Example(id, part.start, part.end) for id in dict.fromkeys(found))


def _standing(lessons: Sequence[dict[str, Any]]) -> tuple[list[Example], list[Example]]:
    """Positive and negative examples after some lessons: what was said last of a stretch holds."""
    verdicts: dict[Example, bool] = {}
    for lesson in lessons:
        if "forgotten" in lesson:
            verdicts.clear()
        for kind, positive in (("positives", True), ("negatives", False)):
            for example in lesson.get(kind, ()):
                verdicts.pop(Example(*example), None)
                verdicts[Example(*example)] = positive
    positives = [example for example, positive in verdicts.items() if positive]
    return positives, [example for example, positive in verdicts.items() if not positive]


def _spread(doubt: NDArray[np.floating], owner: NDArray[np.integer], limit: int) -> list[int]:
    """Rows of least doubt: the best of every recording first, then the second best of each, never close together."""
    order = np.argsort(doubt, kind="stable")
    order = order[np.isfinite(doubt[order])]
    firsts = np.unique(owner[order], return_index=True)[1]  # the best row of each recording …
    chosen: dict[int, list[int]] = {}
    for row in order[np.union1d(firsts, np.arange(min(len(order), 100 * limit)))]:  # … and the best of all
        asked = chosen.setdefault(int(owner[row]), [])
        if all(abs(int(row) - other) >= APART for other in asked):
            asked.append(int(row))
    rounds = zip_longest(*chosen.values())
    return [row for some in rounds for row in some if row is not None][:limit]


def _checked(example: Example) -> Example:
    start, end = float(example.start), None if example.end is None else float(example.end)
    if not 0 <= start < (np.inf if end is None else end):
        raise QueryError(f"A stretch from {start} s to {end} s makes no sense", "Its end must follow its start")
    return Example(example.recording, start, end)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
