"""Who speaks where: the windows of an ear for voices, where somebody speaks, become voices of their recording, and
these the speakers of the library. How voices are told apart is in ``auricle.library.voices``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle.audio import read
from auricle.errors import LibraryError, QueryError
from auricle.library import codes, timeline
from auricle.library.index import Index
from auricle.library.listen import hear_blocks, open_ear
from auricle.library.search import Part
from auricle.library.store import Store
from auricle.library.vectors import unit
from auricle.library.voices import Vectors, Voice, bar_of, cluster, joined, likeness, score_of, tell_apart
from auricle.types import Ear, Heard

EAR = "ge2e"  # which voices are calibrated for
THRESHOLD = 0.5  # score from which two voices are one; docs/speakers.md says how often that is wrong
SPEECH = "Speech"  # the class of another ear that says where somebody speaks
WITNESS = "yamnet"  # such an ear, for sounds that are not indexed

Speech = tuple[NDArray[np.float64], NDArray[np.float32]]  # middles of windows (s), and how surely somebody speaks there


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of ``path`` in which one speaker speaks. ``score`` says how surely it is them, in [0, 1]."""

    speaker: str  # "speaker 1" speaks most
    path: str
    start: float  # seconds
    end: float
    score: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether two recordings are of one voice: they are if ``score`` reaches ``threshold``, both in [0, 1]."""

    same: bool
    score: float
    threshold: float


def speakers(
    store: Store, ear: tuple[str, str], where: str | None = None, like: str = "", threshold: float = THRESHOLD
) -> list[Turn]:
    """Who speaks where, who speaks most first, then by path and time; with ``like``, only where that voice speaks.

    Args:
        store: the library.
        ear: name and spec of an ear for voices, which has heard it.
        where: SQL filter over ``recordings``.
        like: a sound file or an excerpt, ``"a.wav@3-6"``, of one voice; what is most alike comes first.
        threshold: score from which two voices are one, in [0, 1].

    Raises:
        QueryError: the filter cannot be understood, or nobody speaks in ``like``.
        AudioError: ``like`` cannot be heard.
    """
    bar = bar_of(threshold)
    heard = list(_heard(store, ear, where, bar))
    voices = [voice for recording in heard for voice in recording.voices]
    if not voices:
        return []
    labels = cluster(voices, bar)
    known = joined(voices, labels)
    order = np.argsort([-voice.windows for voice in known], kind="stable")
    rank = np.argsort(order)
    targets, wanted = known, np.ones(len(voices), bool)
    if like:
        targets = [voice_of(like, ear[1])] * len(known)
        wanted = likeness(voices, targets[:1])[:, 0] >= bar
    found: list[tuple[int, Turn]] = []
    spoken = ((recording, turn) for recording in heard for turn in recording.turns)
    for recording, (voice, stretch, (start, end)) in spoken:
        number = recording.first + voice
        if wanted[number]:
            place = int(rank[labels[number]])
            score = round(float(score_of(likeness([stretch], [targets[labels[number]]]))[0, 0]), 4)
            found += [(place, Turn(f"speaker {place + 1}", path, start, end, score)) for path in recording.paths]
    found.sort(key=lambda item: (-item[1].score if like else item[0], item[1].path, item[1].start))
    return [turn for _, turn in found]


def verify(one: str, other: str, ear: str = EAR, threshold: float = THRESHOLD) -> Verdict:
    """Whether two sound files, or excerpts ``"a.wav@3-6"``, are of one voice.

    Raises:
        QueryError: nobody speaks in one of them.
        AudioError: one of them cannot be heard.
    """
    score = float(score_of(likeness([voice_of(one, ear)], [voice_of(other, ear)]))[0, 0])
    return Verdict(score >= threshold, round(score, 4), threshold)


def voice_of(example: str, ear: str = EAR) -> Voice:
    """The voice of a sound file or an excerpt, ``"a.wav@3-6"``, where speech is heard in it.

    Raises:
        QueryError: nobody speaks there.
        AudioError: it cannot be heard.
    """
    vectors = spoken_vectors(example, ear)
    if not len(vectors):
        raise QueryError(f"Nobody is heard to speak in {example}", "Name a recording, or a part of one, with speech")
    return Voice.of(vectors)


def spoken_vectors(example: str, ear: str = EAR) -> Vectors:
    """Unit vectors [windows, dim] of the windows of a sound file or an excerpt in which speech is heard."""
    listener, witness = open_ear(ear), open_ear(WITNESS)
    column = list(witness.classes).index(SPEECH)
    vectors = np.concatenate([heard.embeddings for heard in _listened(listener, example)])
    scores = [heard.scores for heard in _listened(witness, example)]
    speech = np.concatenate([some[:, column] for some in scores if some is not None])
    return unit(vectors[_spoken(_middles(listener, len(vectors)), (_middles(witness, len(speech)), speech))])


def ear_of(store: Store, wanted: str | None = None) -> tuple[str, str]:
    """Name and spec of the ear for voices that has heard the library: ``wanted``, or by default ``EAR``.

    Raises:
        LibraryError: it has not listened here.
    """
    spec = wanted or EAR
    if found := store.ear(spec):
        return found
    raise LibraryError(f"The ear {spec}, which knows voices, has not listened here", f"Run: auricle index --ear {spec}")


# --- what was heard ---------------------------------------------------------------------------------------------------


class _Recording(NamedTuple):
    paths: list[str]  # all files that hold it
    first: int  # how many voices there are in the recordings before it
    voices: list[Voice]
    turns: list[tuple[int, Voice, tuple[float, float]]]  # which voice, how it sounds there, from when to when (s)


def _heard(store: Store, ear: tuple[str, str], where: str | None, bar: float) -> Iterator[_Recording]:
    """All recordings in which somebody speaks, by path."""
    copies: dict[str, list[dict]] = {}
    for row in store.recordings(where, columns=["id", "path", "duration"]).sort_by("path").to_pylist():
        copies.setdefault(row["id"], []).append(row)
    index, listener = Index(store, ear[0]), open_ear(ear[1])
    hop, window = listener.hop / listener.sample_rate, listener.window / listener.sample_rate
    places, speech = _rows(index), _speech(store, ear[0])
    first = 0
    for id, files in copies.items():
        rows = places.get(id, np.zeros(0, int))
        spoken = _spoken(index.middle[rows], speech[id]) if id in speech else np.ones(len(rows), bool)
        if not spoken.any():
            continue
        vectors = np.zeros((len(rows), listener.dim), np.float32)
        vectors[spoken] = unit(index.embeddings(rows[spoken]))
        labels = np.full(len(rows), -1)
        labels[spoken] = tell_apart(vectors[spoken], bar)
        voices = [Voice.of(vectors[labels == label]) for label in range(labels.max() + 1)]
        span = partial(timeline.span, windows=len(rows), hop=hop, window=window, duration=files[0]["duration"])
        turns = [
            (label, Voice.of(vectors[start : end + 1]), span(start, end))
            for label in range(len(voices))
            for start, end in timeline.runs(labels == label)
        ]
        yield _Recording([file["path"] for file in files], first, voices, turns)
        first += len(voices)


def _rows(index: Index) -> dict[str, NDArray[np.integer]]:
    """The rows of each recording in the order of time, by content id."""
    order = np.lexsort((index.middle, index.owner))
    parts = np.split(order, np.flatnonzero(np.diff(index.owner[order])) + 1) if len(order) else []
    return {index.ids[index.owner[rows[0]]]: rows for rows in parts}


def _speech(store: Store, ear: str) -> dict[str, Speech]:
    """How surely somebody speaks, by content id; nothing if no other ear here can tell."""
    for name, spec in store.ears.items():
        if name != ear and store.windows(name) is not None and SPEECH in (classes := list(open_ear(spec).classes)):
            index = Index(store, name)
            scores = codes.decode(index.codes_of([classes.index(SPEECH)])[0])
            return {id: (index.middle[rows], scores[rows]) for id, rows in _rows(index).items()}
    return {}


def _spoken(middles: NDArray[np.float64], speech: Speech) -> NDArray[np.bool_]:
    """In which windows, by their ``middles`` (s), somebody speaks."""
    return np.interp(middles, *speech) >= timeline.ON


def _listened(ear: Ear, example: str) -> Iterator[Heard]:
    part = Part.example(example)
    sound, _ = read(part.path, ear.sample_rate, start=part.start, end=part.end)
    return (heard for _, _, heard in hear_blocks(ear, iter([sound])))


def _middles(ear: Ear, windows: int) -> NDArray[np.float64]:
    """The middle of each window, seconds [windows]."""
    return (np.arange(windows) * ear.hop + ear.window / 2) / ear.sample_rate
