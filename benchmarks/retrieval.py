"""How well free text finds real sounds with the default ear, and what each part of the matching adds.

    python benchmarks/retrieval.py --esc10 DIR [--json FILE]
    python benchmarks/retrieval.py --dev

The first is the **test**: the 400 clips of ESC-10 (a folder of clips per class), alone and among some 1,450 distractors
from Debian packages (see ``corpora``), asked for in 70 sentences, none of them the name of a class, and in 25 more for
sounds that are not there, or for no sound at all. ``--dev`` is the same on other recordings and other sentences: every
constant of ``auricle.library.words`` was chosen there, and only then was the test run. All queries (``queries.toml``)
and all labels were written before any score was seen.

The library returns one hit per recording, its best window. The columns are means over the queries: **mAP@10**, the
average precision of the first ten hits (the sum of the precisions at each right one over ten, or over how many
recordings are right if fewer), and **R@1**, how often the first is right. **Refused** is the share of absent sounds for
which nothing is returned, at the threshold that keeps 95 % of the right first hits of that row; the last line says the
same of the default threshold. The rows add up:

- *prototype*: cosine of the query to the sum of the classes' name embeddings, weighted by a recording's mean scores;
- *bare names*: every class by how close its name is, weighted by a softmax; its score as it is;
- *+ descriptions*: the mean of the closest sentence and of all, the name and its descriptions, in place of the name;
- *+ calibration*: log-odds halved, crowding taken off, weights relative to the closest class, known or not;
- *+ context*: each window with the sound around it;
- *+ top classes*: the closest few classes only. This is what ``auricle search`` does, and runs through its code.

Tried on the development queries and left out, for they added nothing or took away: a background rate per class taken
off the log-odds, measured on 2,000 other recordings; the maximum or a noisy-or of the classes instead of their sum;
"the sound of" before queries and names.
"""

import os

os.environ |= {f"{library}_NUM_THREADS": "2" for library in ("OPENBLAS", "OMP", "MKL")}  # before NumPy is imported

import argparse
import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

import auricle
import corpora
from auricle.audio import read
from auricle.errors import AudioError
from auricle.hub import home
from auricle.library import codes, words
from auricle.library.listen import TagSummary, hear_blocks
from auricle.text.minilm import SentenceEncoder
from auricle.types import Ear
from ear import MEANING

LONGEST = 30.0  # seconds of a recording that are heard: a piece of music is enough of a distractor by then
KEPT = 0.95  # share of right first hits that a threshold must let through


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--esc10", type=Path, metavar="DIR", help="a folder per class of ESC-10: run the test")
    what.add_argument("--dev", action="store_true", help="run on the development recordings and queries")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where packages are kept; default in AURICLE_HOME")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there as well")
    arguments = parser.parse_args()
    cache = arguments.cache or home() / "benchmarks"
    split = "dev" if arguments.dev else "test"
    queries = Queries.load(split)
    if arguments.dev:
        pool = Pool.of(corpora.clips(corpora.DEV, cache), cache)
        sets = {"all": np.ones(len(pool.labels), bool)}
    else:
        esc10 = list(corpora.esc10(arguments.esc10))
        pool = Pool.of(esc10 + corpora.clips(corpora.TEST, cache), cache)
        sets = {"ESC-10": pool.packages == "esc10", "all": np.ones(len(pool.labels), bool)}
    rows = {}
    for name, scores in methods(pool, queries).items():
        rows[name] = {where: measure(scores[:, within], queries, pool.labels[within]) for where, within in sets.items()}
    result = {"recordings": len(pool.labels), "queries": len(queries.present), "absent": len(queries.absent)}
    result |= {"rows": rows, "default": at_threshold(scores, queries, pool.labels, words.MIN_SCORE)}
    if not arguments.dev:
        result["tagging"] = tagging(pool)
    show(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


@dataclass(frozen=True)
class Queries:
    """Sentences, first those that some recording answers, then those that none does."""

    present: list[str]
    absent: list[str]
    labels: list[set[str]]  # of the recordings that answer each of ``present``

    @classmethod
    def load(cls, split: str) -> "Queries":
        with Path(__file__).with_name("queries.toml").open("rb") as stream:
            part = tomllib.load(stream)[split]
        pairs = [(text, set(key.split("+"))) for key, texts in part["present"].items() for text in texts]
        return cls([text for text, _ in pairs], part["absent"], [labels for _, labels in pairs])

    @property
    def texts(self) -> list[str]:
        return self.present + self.absent


@dataclass(frozen=True)
class Pool:
    """Recordings as the library keeps them: the codes of every window, class by class."""

    codes: np.ndarray  # [classes, rows]
    starts: np.ndarray  # first row of every recording
    labels: np.ndarray  # [recordings]
    packages: np.ndarray  # [recordings]

    @classmethod
    def of(cls, clips: Sequence[corpora.Clip], cache: Path, ear: Ear | None = None) -> "Pool":
        """Hears ``clips``, or takes what was heard of the same ones before; unreadable ones are left out.

        The ear is YAMNet, or another that knows its classes.
        """
        listener = auricle.load("yamnet") if ear is None else ear
        key = hashlib.sha256(
            json.dumps([listener.name, auricle.__version__, *(str(clip.path) for clip in clips)]).encode()
        )
        kept = cache / f"heard-{key.hexdigest()[:12]}.npz"
        if not kept.exists():
            heard = [hear(listener, clip.path) for clip in track(clips, "listening")]
            lengths = np.array([len(windows) for windows in heard])
            cache.mkdir(parents=True, exist_ok=True)
            np.savez(kept, codes=np.concatenate(heard).T.copy(), lengths=lengths)
        with np.load(kept) as stored:
            matrix, lengths = stored["codes"], stored["lengths"]
        good = [clip for clip, length in zip(clips, lengths, strict=True) if length]
        lengths = lengths[lengths > 0]
        labels, packages = (np.array([getattr(clip, name) for clip in good]) for name in ("label", "package"))
        return cls(matrix, np.cumsum(lengths) - lengths, labels, packages)

    def best(self, scores: np.ndarray) -> np.ndarray:
        """Best window of every recording: [..., rows] to [..., recordings]."""
        return np.maximum.reduceat(scores, self.starts, axis=-1)


def hear(ear, path: Path) -> np.ndarray:
    """Codes of a recording's windows [rows, classes]; no rows if it cannot be read."""
    try:
        sound, _ = read(path, ear.sample_rate, end=LONGEST)
    except AudioError:
        return np.zeros((0, len(ear.classes)), np.uint8)
    return np.concatenate([codes.encode(heard.scores) for _, _, heard in hear_blocks(ear, iter([sound]))])


def methods(pool: Pool, queries: Queries) -> dict[str, np.ndarray]:
    """Scores of every recording for every query [queries, recordings], method by method; the last is the library's."""
    ear, encoder = auricle.load("yamnet"), SentenceEncoder.load()
    texts, names = encoder.embed(queries.texts), encoder.embed(ear.classes)
    matcher = words.Words.for_classes(ear.classes)
    heard = codes.decode(pool.codes)
    context = words.Context(pool.starts, heard.shape[1], ear.hop / ear.sample_rate)

    lengths = np.diff(pool.starts, append=heard.shape[1])
    told = (np.add.reduceat(heard, pool.starts, axis=1) / lengths).T @ names
    found = {"prototype": texts @ (told / np.linalg.norm(told, axis=1, keepdims=True)).T}

    def softmax(fit: np.ndarray) -> np.ndarray:
        weights = np.exp((fit - fit.max(axis=1, keepdims=True)) / words.SPREAD)
        return weights / weights.sum(axis=1, keepdims=True)

    fits = np.stack([matcher.fit(text) for text in queries.texts])
    described = fits + matcher.excess
    found["bare names"] = pool.best(softmax(texts @ names.T) @ heard)
    found["+ descriptions"] = pool.best(softmax(described) @ heard)
    everything = [words.Query.of(fit, len(ear.classes)) for fit in fits]
    found["+ calibration"] = pool.best(np.stack([query.score(pool.codes[query.classes]) for query in everything]))
    found["+ context"] = pool.best(np.stack([query.score(pool.codes[query.classes], context) for query in everything]))
    closest = [matcher.query(text) for text in queries.texts]
    found["+ top classes"] = pool.best(np.stack([query.score(pool.codes[query.classes], context) for query in closest]))
    return found


def measure(scores: np.ndarray, queries: Queries, labels: np.ndarray) -> dict[str, float]:
    """mAP@10, R@1 and the share of absent sounds refused, of scores [queries, recordings]."""
    precisions, first = [], []
    for row, wanted in zip(scores, queries.labels, strict=False):
        right = np.isin(labels, list(wanted))
        hits = right[np.argsort(-row, kind="stable")[:10]]
        precisions.append((np.cumsum(hits) / np.arange(1, len(hits) + 1) * hits).sum() / min(10, right.sum()))
        first.append(hits[0])
    best = scores.max(axis=1)
    kept = np.sort(best[: len(first)][first])
    threshold = kept[int((1 - KEPT) * len(kept))]
    refused = (best[len(first) :] < threshold).mean()
    return {"mAP@10": float(np.mean(precisions)), "R@1": float(np.mean(first)), "refused": float(refused)}


def at_threshold(scores: np.ndarray, queries: Queries, labels: np.ndarray, threshold: float) -> dict[str, float]:
    """What a fixed threshold keeps of the right first hits, and how many absent sounds it refuses."""
    best = scores.max(axis=1)
    firsts = labels[scores[: len(queries.present)].argmax(axis=1)]
    right = np.array([label in wanted for label, wanted in zip(firsts, queries.labels, strict=True)])
    answered = best >= threshold
    return {
        "threshold": threshold,
        "right first hits kept": float(answered[: len(right)][right].mean()),
        "absent refused": float(1 - answered[len(right) :].mean()),
    }


def tagging(pool: Pool) -> dict[str, float]:
    """How often one of a label's AudioSet classes is among a recording's first five tags, by label and over all."""
    classes = auricle.load("yamnet").classes
    ends = np.append(pool.starts[1:], pool.codes.shape[1])
    hits: dict[str, list[bool]] = {label: [] for label in MEANING}
    for label, start, end in zip(pool.labels, pool.starts, ends, strict=True):
        if label in MEANING:
            summary = TagSummary(classes)
            summary.add(codes.decode(pool.codes[:, start:end].T))
            hits[label].append(not {tag.label for tag in summary.tags(5, 0.0)}.isdisjoint(MEANING[label]))
    shares = {label: float(np.mean(found)) for label, found in hits.items()}
    return {"all": float(np.mean(np.concatenate(list(hits.values())))), **shares}


def show(result: dict) -> None:
    console = Console()
    sets = list(next(iter(result["rows"].values())))
    table = Table(title="{recordings} recordings, {queries} queries, {absent} absent".format(**result))
    for column in ["", *(f"{name}\n{where}" for where in sets for name in ("mAP@10", "R@1", "refused"))]:
        table.add_column(column, justify="right" if column else "left")
    for name, row in result["rows"].items():
        table.add_row(name, *(f"{value:.3f}" for where in sets for value in row[where].values()))
    console.print(table)
    console.print(
        "At {threshold} it keeps {right first hits kept:.1%} and refuses {absent refused:.1%}.".format(
            **result["default"]
        )
    )
    if "tagging" in result:
        shares = ", ".join(f"{label} {share:.1%}" for label, share in result["tagging"].items())
        console.print(f"A right class among the first five tags: {shares}.")


if __name__ == "__main__":
    main()
