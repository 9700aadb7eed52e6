"""A model of one's own sounds, from a folder with one subfolder for each class: learnt in minutes, with no GPU.

    files ─→ an ear's vectors ─→ a calibrated classifier for each class ─→ head.json, head.safetensors
                                   └─ what they say of files they have not heard ─→ report.html, confusion.svg, …

The folder it is kept in is an ear at once (``auricle index --ear FOLDER``), and its classes can become tags of one's
own. Every file is judged by classifiers that heard neither it nor any other cut from the same recording.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from auricle.audio import stream
from auricle.errors import AudioError, DataError
from auricle.hub import head
from auricle.library.classifier import Classifier, Examples, learn
from auricle.library.listen import hear_blocks, open_ear
from auricle.library.search import is_silent
from auricle.library.teach import FEWEST, WINDOWS, Taught
from auricle.library.walk import Refused, walk
from auricle.types import Ear

if TYPE_CHECKING:
    from auricle.library.library import Library

DEFAULT_EAR = "yamnet"


@dataclass(frozen=True, slots=True)
class ClassReport:
    """How well one class is known, on files that were not heard while learning; shares in [0, 1]."""

    name: str
    files: int
    recall: float  # of its files, those that were taken for it
    precision: float  # of the files taken for it, those that were; 0 when there were none
    average_precision: float


@dataclass(frozen=True, slots=True)
class Mistake:
    """A file taken for another class; ``surely`` is the share of belief in the wrong class, of the two."""

    path: str
    is_class: str
    taken_for: str
    surely: float


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model that was trained, and its report."""

    folder: Path
    ear: str
    classes: tuple[ClassReport, ...]
    accuracy: float  # share of files taken for what they are
    confusion: NDArray[np.int64]  # [is, taken for]
    mistakes: tuple[Mistake, ...]  # the surest first
    refused: tuple[str, ...]  # files that could not be heard, and why
    trained: tuple[Classifier, ...]  # one for each class

    def facts(self) -> dict[str, Any]:
        """Everything but the classifiers, for JSON."""
        return {
            "ear": self.ear,
            "accuracy": round(self.accuracy, 4),
            "classes": [asdict(one) for one in self.classes],
            "confusion": self.confusion.tolist(),
            "mistakes": [asdict(one) for one in self.mistakes],
            "refused": list(self.refused),
        }

    def teach(self, library: "Library") -> None:
        """Makes the classes tags of one's own in ``library``.

        Raises:
            LibraryError: the library listens through another ear.
            QueryError: a class has the name of one of the ear's.
        """
        files = sum(one.files for one in self.classes)
        for one, classifier in zip(self.classes, self.trained, strict=True):
            taught = Taught(
                name=one.name,
                ear=self.ear,
                positives=one.files,
                negatives=files - one.files,
                trained=datetime.now(UTC).isoformat(timespec="seconds"),
                average_precision=_rounded(classifier.average_precision),
                accuracy=_rounded(classifier.accuracy),
                chance=round(one.files / files, 4),
                folds=classifier.folds,
            )
            library.teacher.adopt(taught, classifier.weights, classifier.bias)


def train(
    data: str | PathLike[str],
    folder: str | PathLike[str],
    *,
    ear: str | None = None,
    source: str | None = None,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> OwnModel:
    """Trains a model on the labelled sounds in ``data`` and keeps it, with its report, in ``folder``.

    Args:
        data: a folder whose subfolders are the classes, each with at least 5 sound files, at any depth.
        folder: where the model goes.
        ear: the ear to listen through, as ``auricle.hub.ear.open_ear`` takes it.
        source: a regular expression; what it finds in a file's name names the recording the file was cut from. By
            default each file is a recording of its own.
        tell: is given how many files have been heard, of how many.

    Raises:
        DataError: there are fewer than two classes, or too few files of one, or all of one come from one recording.
    """
    data, folder = Path(data).expanduser(), Path(folder).expanduser()
    listener = open_ear(ear or DEFAULT_EAR)
    listed, refused = _listed(data)
    heard: list[tuple[Path, str, NDArray[np.float32]]] = []
    for done, (path, label) in enumerate(listed):
        try:
            heard.append((path, label, _vectors(listener, path)))
        except AudioError as error:
            refused.append(str(error))
        tell(done + 1, len(listed))
    paths, labels = [path for path, _, _ in heard], np.array([label for _, label, _ in heard])
    names = _usable(labels, data)
    vectors = [rows for _, _, rows in heard]
    examples = {
        "vectors": head.unit(np.concatenate(vectors)),
        "example": np.repeat(np.arange(len(vectors)), [len(rows) for rows in vectors]),
        "recording": np.array([_recording(path, source) for path in paths]),
    }
    trained = tuple(learn(Examples(positive=labels == name, **examples)) for name in names)
    for name, classifier in zip(names, trained, strict=True):
        if not classifier.folds:
            raise DataError(f"All files of {name!r} come from one recording", "Add others, or loosen --source")
    model = _judged(folder, listener.name, names, paths, labels, trained, refused)
    facts = {"ear": ear or DEFAULT_EAR, "classes": names, "trained": datetime.now(UTC).isoformat(timespec="seconds")}
    weights = np.stack([classifier.weights for classifier in trained], axis=1)
    head.save(folder, weights, np.array([classifier.bias for classifier in trained], np.float32), facts)
    _report(model, data)
    return model


def _listed(data: Path) -> tuple[list[tuple[Path, str]], list[str]]:
    """Sound files with their class, and what cannot be opened."""
    found, refused = [], []
    for candidate in walk([data]):
        if isinstance(candidate, Refused):
            refused.append(f"{candidate.path}: {candidate.reason}")
            continue
        below = Path(candidate.path).relative_to(data.absolute())
        if len(below.parts) > 1:
            found.append((Path(candidate.path), below.parts[0]))
    return found, refused


def _usable(labels: NDArray[np.str_], data: Path) -> list[str]:
    counts = Counter(labels.tolist())
    if len(counts) < 2:
        raise DataError(
            f"{data} holds {len(counts)} classes", "Put the sounds of each class in a subfolder of its name"
        )
    name, fewest = min(counts.items(), key=lambda item: item[1])
    if fewest < FEWEST:
        raise DataError(f"{data / name} holds {fewest} files that can be heard", f"At least {FEWEST} are needed")
    return sorted(counts)


def _vectors(ear: Ear, path: Path) -> NDArray[np.float32]:
    """Vectors [rows, dim] of up to 8 windows spread over the file, silent ones left out."""
    heard = [some for _, _, some in hear_blocks(ear, stream(path, ear.sample_rate, block=30.0))]
    rows = np.concatenate([some.embeddings for some in heard])
    silent = np.concatenate([is_silent(some, ear) for some in heard])
    rows = rows if silent.all() else rows[~silent]
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), WINDOWS)).round().astype(int)]


def _recording(path: Path, source: str | None) -> str:
    found = re.search(source, path.name) if source else None
    return found[0] if found else str(path)


def _judged(
    folder: Path,
    ear: str,
    names: list[str],
    paths: list[Path],
    labels: NDArray[np.str_],
    trained: tuple[Classifier, ...],
    refused: list[str],
) -> OwnModel:
    """What the classifiers say of files they have not heard, set against what those are."""
    odds = np.nan_to_num(np.stack([classifier.unseen for classifier in trained], axis=1), nan=-np.inf)
    truth, guess = np.searchsorted(names, labels), odds.argmax(axis=1)
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (truth, guess), 1)
    files, taken, right = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    rows = np.arange(len(truth))
    surely = 1 / (1 + np.exp(odds[rows, truth] - odds[rows, guess]))
    wrong = [row for row in np.argsort(-surely, kind="stable") if guess[row] != truth[row]]
    return OwnModel(
        folder=folder,
        ear=ear,
        classes=tuple(
            ClassReport(
                name=name,
                files=int(files[c]),
                recall=round(float(right[c] / files[c]), 4),
                precision=round(float(right[c] / max(taken[c], 1)), 4),
                average_precision=round(float(trained[c].average_precision or 0.0), 4),
            )
            for c, name in enumerate(names)
        ),
        accuracy=float((truth == guess).mean()),
        confusion=confusion,
        mistakes=tuple(
            Mistake(str(paths[row]), names[truth[row]], names[guess[row]], round(float(surely[row]), 4))
            for row in wrong
        ),
        refused=tuple(refused),
        trained=trained,
    )


def _report(model: OwnModel, data: Path) -> None:
    from auricle.library.report import confusion_svg, page

    names = [one.name for one in model.classes]
    (model.folder / "report.json").write_text(json.dumps(model.facts(), indent=1, ensure_ascii=False) + "\n", "utf-8")
    (model.folder / "confusion.svg").write_text(confusion_svg(model.confusion, names), "utf-8")
    (model.folder / "report.html").write_text(page(model, data), "utf-8")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
