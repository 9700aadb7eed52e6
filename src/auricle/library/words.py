"""Words to windows: finds what was said to be looked for among the classes an ear hears, without an audio-text model.

    "a hound alerting its owner"                      what every window was heard as
      | sentence embedding                              [classes, rows] codes
    cosine to the name and the descriptions of each class      |
      | mean of best and average, less the class's crowding    |
    the 8 closest classes, weighted, times how well known      |
      +--------------------------------------------------------+
      | weighted sum of evidence, half of it from the sound around
    score of every window [rows]

A class answers for a query by its **descriptions**: one close sentence among five counts as much as their average, so
that an odd wording is found and a stray one does not win. Some classes lie close to every sentence ("percussion"), so
each loses part of its **crowding**, its mean similarity to the sentences of other classes that lie nearest to it (the
CSLS correction of Conneau et al., "Word Translation Without Parallel Data", ICLR 2018, arXiv 1710.04087).

The **evidence** for a class is its score with the log-odds halved: 0.01 becomes 0.09, 0.99 becomes 0.91, so that a
weak score still ranks and a sure one still leads a likely one. Evidence is summed, not averaged: three related classes
say more than one. Each window counts as the geometric mean of itself and the 8 s around it, because what goes on for a
while is less often a mistake than a blip.

"A dog barking while it rains" is two sentences. Where each part is surely known and they are about different classes,
each is scored by itself, and a window by their geometric mean, for it must hold both.

The constants were chosen on the development queries of ``benchmarks/retrieval.py``, which also shows what each adds.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle.data import audioset
from auricle.errors import QueryError
from auricle.hub import derived
from auricle.library import codes

MIN_SCORE = 0.5  # "probably there"
AMOUNT = 0.35  # evidence that scores MIN_SCORE
CLASSES = 8  # most classes a query is spread over
SPREAD = 0.04  # cosine by which a class lies farther than the closest to count 1/e of it
SURE = 0.9  # how well known each part of a sentence must be for them to be looked for one by one
UNKNOWN, KNOWN = 0.3, 0.5  # cosine of the closest class at which a query means nothing, or surely something
CROWDING = 0.3  # share of a class's crowding that is taken off
NEIGHBOURS = 50  # sentences of other classes that crowding is measured on
CONTEXT = 3.84  # seconds before and after a window that speak for it
LEAST = 1.44  # seconds that a neighbourhood counts as when the recording is shorter: a blip is no sure thing

_YES, _NO = np.sqrt(codes.SCORES), np.sqrt(1 - codes.SCORES)
EVIDENCE = (_YES / (_YES + _NO)).astype(np.float32)  # of a code
EVIDENCE.setflags(write=False)

_JOINTS = re.compile(
    r"\s+(?:while|whilst|and|plus|together with|along with|as well as|over the sound of|in the background of"
    r"|with(?=.*\bin the background$))\s+",
    re.IGNORECASE,
)
_BLOCK = 1 << 15  # rows at a time, so that a block stays in the second-level cache

KEPT = 4096  # sentences whose fits are kept: 8 MB

PREPARED = 1  # version of ``prepare``; a new one has descriptions embedded anew

Scores = NDArray[np.float32]
Encoder = Callable[[Sequence[str]], Scores]  # texts to unit vectors [texts, dim]


class Context:
    """Which rows lie around each row, in the same recording. Made once for a matrix of windows, used by every query."""

    def __init__(self, starts: NDArray[np.integer], rows: int, hop: float):
        """Lays out the neighbourhoods.

        Args:
            starts: first row of every recording, rising, beginning with 0.
            rows: number of rows.
            hop: seconds between windows.
        """
        reach, self._least = round(CONTEXT / hop), max(1, round(LEAST / hop))
        lengths, row = np.diff(starts, append=rows), np.arange(rows)
        self._first = np.maximum(row - reach, np.repeat(starts, lengths))
        self._after = np.minimum(row + reach + 1, np.repeat(starts + lengths, lengths))

    def mean(self, values: Scores) -> Scores:
        """Mean of ``values`` [rows] around each row, itself among them; what a short recording lacks counts as 0."""
        total = np.zeros(len(values) + 1)
        np.cumsum(values, dtype=np.float64, out=total[1:])
        result = np.empty(len(values), np.float32)
        for start in range(0, len(values), _BLOCK):
            first, after = self._first[start : start + _BLOCK], self._after[start : start + _BLOCK]
            result[start : start + _BLOCK] = (total[after] - total[first]) / np.maximum(after - first, self._least)
        return np.maximum(result, 0)  # a sum of nothing may come out a rounding error below it


@dataclass(frozen=True, slots=True)
class Query:
    """A sentence as classes to listen for. Empty when it means nothing that the ear knows."""

    classes: NDArray[np.intp]  # [m], part by part, closest first, at most CLASSES a part
    weights: Scores  # [m], the first of a part is how well it is known
    parts: tuple[int, ...]  # number of classes of each part; all parts must be heard
    known: float  # how well the closest class fits the sentence, in [0, 1]

    @classmethod
    def of(cls, fit: Scores, most: int = CLASSES) -> "Query":
        """Takes the ``most`` classes of the best ``fit`` [classes], see ``Words.fit``."""
        classes = np.argsort(-fit, kind="stable")[:most]
        known = float(np.clip((fit[classes[0]] - UNKNOWN) / (KNOWN - UNKNOWN), 0, 1))
        if not known:
            return cls(classes[:0], np.zeros(0, np.float32), (), 0.0)
        weights = known * np.exp((fit[classes] - fit[classes[0]]) / SPREAD)
        return cls(classes, weights.astype(np.float32), (len(classes),), known)

    @classmethod
    def all_of(cls, parts: Sequence["Query"]) -> "Query":
        """Looks for windows that hold every one of ``parts``."""
        classes, weights = (np.concatenate([getattr(part, name) for part in parts]) for name in ("classes", "weights"))
        return cls(classes, weights, tuple(len(part.classes) for part in parts), min(part.known for part in parts))

    def score(self, heard: NDArray[np.uint8], context: Context | None = None) -> Scores:
        """How likely each window holds what is looked for, in [0, 1]; ``MIN_SCORE`` and above means probably.

        Args:
            heard: codes of ``classes`` for every window [m, rows], see ``auricle.library.codes``.
            context: neighbourhoods of the rows; None takes every window by itself.

        Returns:
            Scores [rows], rising with every code.
        """
        if not self.parts:
            return np.zeros(heard.shape[1], np.float32)
        product, first = np.ones(heard.shape[1], np.float32), 0
        for size in self.parts:
            amount = _amount(self.weights[first : first + size], heard[first : first + size])
            if context is not None:
                amount = np.sqrt(amount * context.mean(amount))
            product *= amount
            first += size
        return 1 - np.exp2(product ** np.float32(1 / len(self.parts)) / np.float32(-AMOUNT))


def _amount(weights: Scores, heard: NDArray[np.uint8]) -> Scores:
    """Weighted evidence of classes [m, rows], summed over them [rows]."""
    amount = np.zeros(heard.shape[1], np.float32)
    tables = weights[:, None] * EVIDENCE
    for start in range(0, len(amount), _BLOCK):
        block = amount[start : start + _BLOCK]
        for table, row in zip(tables, heard[:, start : start + _BLOCK], strict=True):
            block += table.take(row, mode="clip")  # no code is out of range; checking each takes a third of the time
    return amount


class Words:
    """Matches sentences against the classes of one ear."""

    min_score = MIN_SCORE

    def __init__(self, counts: Sequence[int], vectors: Scores, crowding: Scores, embed: Encoder):
        """Takes what ``prepare`` made.

        Args:
            counts: sentences per class, each at least 1 [classes].
            vectors: unit vectors of the sentences, class by class [sum of counts, dim].
            crowding: see ``prepare`` [classes].
            embed: the encoder that made ``vectors``.
        """
        self._counts, self._vectors, self._embed = np.asarray(counts), vectors, embed
        self._fits: dict[str, Scores] = {}
        self.excess = CROWDING * (crowding - crowding.mean())

    @classmethod
    def for_classes(cls, classes: Sequence[str]) -> "Words":
        """The matcher of an ear with ``classes``, which are described where they are AudioSet's.

        The first call on a machine fetches the sentence encoder (91 MB) and embeds the descriptions, some 10 s. They
        are kept under a name made of their content and the encoder's, so a change of either has them embedded anew.

        Raises:
            WeightsError: the encoder cannot be had.
        """
        return _for_classes(tuple(classes))

    def query(self, text: str) -> Query:
        """Finds the classes that a sentence is about.

        Raises:
            QueryError: the text has no words in it.
        """
        sentences = _sentences(text)
        parts = [Query.of(self.fit(sentence)) for sentence in sentences[1:]]
        about = {int(part.classes[0]) for part in parts if part.known >= SURE}
        return Query.all_of(parts) if 1 < len(parts) == len(about) else Query.of(self.fit(text))

    def prepare(self, texts: Iterable[str]) -> None:
        """Embeds what will soon be asked for: many sentences at once take a third of the time they take one by one.

        A text with no words in it is passed over; ``query`` will say so.
        """
        sentences = {s for text in texts for s in _sentences(text) if s.strip() and s not in self._fits}
        with suppress(QueryError):
            self._keep(sorted(sentences))

    def fit(self, text: str) -> Scores:
        """How close a sentence is to each class, about -0.2 to 0.9 [classes].

        Raises:
            QueryError: the text has no words in it.
        """
        fit = self._fits.get(text)
        return self._keep([text])[0] if fit is None else fit

    def _keep(self, sentences: Sequence[str]) -> Scores:
        fits = _pool(self._vectors @ self._embed(sentences).T, self._counts).T - self.excess
        if len(self._fits) + len(sentences) > KEPT:
            self._fits.clear()
        self._fits.update(zip(sentences, fits, strict=True))
        return fits


def prepare(sentences: Sequence[Sequence[str]], embed: Encoder) -> dict[str, Scores]:
    """Embeds what describes each class, at least one sentence, and measures how crowded it lies.

    Returns:
        ``vectors`` [sentences, dim] and ``crowding`` [classes]: the mean similarity of a class to the sentences of
        other classes that are nearest to it.
    """
    counts = np.array([len(group) for group in sentences])
    vectors = embed([sentence for group in sentences for sentence in group])
    similarity = _pool(vectors @ vectors.T, counts)
    own = np.repeat(np.arange(len(counts)), counts)
    similarity[own, np.arange(len(own))] = np.nan  # sorted last
    nearest = np.sort(-similarity, axis=1)[:, : min(NEIGHBOURS, len(own) - counts.max())]
    return {"vectors": vectors, "crowding": -nearest.mean(axis=1)}


def _sentences(text: str) -> list[str]:
    """What has to be embedded for a text: itself, and its parts where it may have several."""
    parts = [part for part in _JOINTS.split(text) if part.strip()]
    return [text, *parts] if len(parts) > 1 else [text]


def _pool(similarity: Scores, counts: NDArray[np.integer]) -> Scores:
    """Similarities of sentences [sentences, ...] as those of classes [classes, ...]: mean of best and average."""
    starts = np.cumsum(counts) - counts
    best = np.maximum.reduceat(similarity, starts)
    mean = (np.add.reduceat(similarity, starts).T / counts).T
    return ((best + mean) / 2).astype(np.float32)


@lru_cache(maxsize=4)
def _for_classes(classes: tuple[str, ...]) -> Words:
    from safetensors.numpy import load_file, save_file

    from auricle.text.minilm import MODEL, TOKENIZER, SentenceEncoder

    described = audioset.descriptions()
    sentences = [[name, *described.get(name, ())] for name in classes]
    digest = hashlib.sha256(json.dumps(sentences).encode()).hexdigest()[:12]

    def build(target: Path, model: Path, tokenizer: Path) -> None:
        save_file(prepare(sentences, SentenceEncoder(model, tokenizer).embed), target)

    prepared = load_file(derived(f"words-{digest}.safetensors", (MODEL, TOKENIZER), PREPARED, build))
    return Words([len(group) for group in sentences], **prepared, embed=SentenceEncoder.load().embed)
