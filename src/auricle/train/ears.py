"""Which ear for what: every ear on the bundled sets, with the same simple readers of its vectors.

A clip's vector is the mean over its windows, as in a library. Nothing of an ear is trained. Readers:

- **linear**: ridge classifier on standardised vectors, its strength chosen by leave-one-out on the training clips;
- **neighbours**: the five nearest training clips by cosine, each voting with its similarity.

Both are fitted on "train" and "valid" and scored on "test" by balanced accuracy, with test clips of sources (packages,
authors or voices) never heard before. Languages are told from one voice each by another. Voices are compared without
any training: the equal error rate of telling, by cosine, whether two clips of one language are by one voice.

Every ear hears in a process of its own, on one thread; speed (sound heard in a second of the processor's time) and the
most memory are taken there.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from auricle.audio import read
from auricle.data import Manifest, mini
from auricle.errors import AuricleError
from auricle.hub.ear import open_ear
from auricle.hub.hear import scene
from auricle.hub.registry import systems
from auricle.metrics import classification, identification
from auricle.train.memory import peak
from auricle.train.provenance import provenance

CLASSIFIED = {"events": "events", "drums": "drums", "digits": "digits", "letters": "letters", "languages": "speech"}
PER_VOICE = 24  # clips of each voice of speech, evenly over all of its clips
NEIGHBOURS = 5
STRENGTHS = np.logspace(0, 6, 13)  # of the ridge
SPEED, ROUNDS = 30.0, 3  # seconds of noise whose hearing is timed, and how often; the fastest counts

COLUMNS = ("ear", *CLASSIFIED, "voices", "speed", "memory", "download")

Tell = Callable[[str], None]


class Hearing(NamedTuple):
    """What one ear made of the sets, and what it took."""

    vectors: dict[str, NDArray[np.float32]]  # of every set: [clips, dim]
    about: dict[
        str, Any
    ]  # dim, rate (Hz), window and hop (s), classes, speed (s of sound in a s of one core), memory (MB)


def names() -> list[str]:
    """Every ear whose card lists weights, with each of its tags."""
    return [f"{card.name}@{tag}" for card in systems().values() if card.ear for tag in card.weights]


def run(ears: Sequence[str] = (), *, tell: Tell = print) -> dict[str, Any]:
    """Measures ears on the bundled sets.

    Args:
        ears: what ``auricle index --ear`` takes; by default ``names()``, of which those that cannot be opened here are
            left out.
        tell: is given a line for each ear.

    Returns:
        ``ears``: by name, ``tasks`` with ``linear`` and ``neighbours`` (balanced accuracy) or ``equal_error_rate``, and
        ``dim``, ``rate``, ``window``, ``hop``, ``classes``, ``speed``, ``memory``, ``download`` (MB); ``tasks``: clips
        and classes of each; ``data``: fingerprints; and where the result comes from.

    Raises:
        AuricleError: an ear that was asked for cannot be opened, or the sets are not there.
    """
    sets = {name: clips(name) for name in dict.fromkeys(CLASSIFIED.values())}
    found = {}
    for name in ears or names():
        try:
            hearing = heard(name, sets)
        except AuricleError as error:
            if ears:
                raise
            tell(f"{name} is left out: {str(error).splitlines()[0]}")
            continue
        found[name] = measured(hearing, sets) | {"download": download(name)}
        tell(f"{name}: {found[name]['speed']:.0f} × real time")
    return {
        "ears": found,
        "tasks": {
            task: {"clips": len(sets[of]), "test": len(sets[of].split("test")), "classes": len(sets[of].classes)}
            for task, of in CLASSIFIED.items()
        },
        "data": {name: manifest.fingerprint() for name, manifest in sets.items()},
        **provenance(),
    }


def clips(name: str) -> Manifest:
    """A bundled set; of speech, ``PER_VOICE`` clips of two voices in each language, the second of them for "test"."""
    manifest = mini(name)
    if name != "speech":
        return manifest
    spoken = Counter(zip(manifest.column("language"), manifest.column("source"), strict=True))
    voices = [voice for voice, count in sorted(spoken.items()) if count >= PER_VOICE]
    pairs = {language: pair for language, pair in _by_language(voices).items() if len(pair) == 2}
    rows, split = [], []
    for language, pair in pairs.items():
        for voice, role in zip(pair, ("train", "test"), strict=True):
            of = [i for i, row in enumerate(manifest) if (row["language"], row["source"]) == (language, voice)]
            rows += [of[i] for i in np.linspace(0, len(of) - 1, PER_VOICE).round().astype(int)]
            split += [role] * PER_VOICE
    return manifest.take(rows).with_column("split", split).keep_classes(sorted(pairs))


def _by_language(voices: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    return {language: [voice for of, voice in voices if of == language] for language, _ in voices}


def heard(name: str, sets: dict[str, Manifest]) -> Hearing:
    """What the ear ``name`` makes of the clips, in a process of its own."""
    paths = {of: [str(path) for path in manifest.paths] for of, manifest in sets.items()}
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_hear, name, paths).result()


def _hear(name: str, paths: dict[str, list[str]]) -> Hearing:
    ear = open_ear(name)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)

    def vector(path: str) -> NDArray[np.float32]:
        return scene(ear, read(path, sample_rate=ear.sample_rate, mono=True)[0])

    noise = np.random.default_rng(0).normal(0.0, 0.1, round(SPEED * ear.sample_rate)).astype(np.float32)
    times = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        scene(ear, noise)
        times.append(time.process_time() - begun)
    vectors = {of: np.stack([vector(path) for path in files]) for of, files in paths.items()}
    taken = peak()
    about = {
        "dim": ear.dim,
        "rate": ear.sample_rate,
        "window": round(ear.window / ear.sample_rate, 3),
        "hop": round(ear.hop / ear.sample_rate, 3),
        "classes": len(ear.classes),
        "speed": round(SPEED / min(times), 1),
        "memory": taken and round(taken, 1),
    }
    return Hearing(vectors, about)


def measured(hearing: Hearing, sets: dict[str, Manifest]) -> dict[str, Any]:
    """The scores of one ear, with what it took."""
    tasks: dict[str, dict[str, float]] = {}
    for task, of in CLASSIFIED.items():
        manifest, vectors = sets[of], hearing.vectors[of]
        truth = manifest.targets()
        test = np.array(manifest.column("split")) == "test"
        tasks[task] = {
            reader.__name__: round(
                classification.balanced_accuracy(reader(vectors[~test], truth[~test], vectors[test]), truth[test]), 4
            )
            for reader in (linear, neighbours)
        }
    tasks["voices"] = {"equal_error_rate": round(voices(hearing.vectors["speech"], sets["speech"]), 4)}
    return {"tasks": tasks, **hearing.about}


def linear(known: NDArray, labels: NDArray, asked: NDArray) -> NDArray[np.float64]:
    """Scores [asked, classes] of a ridge classifier of vectors ``known`` [n, dim] with ``labels`` [n]."""
    from sklearn.linear_model import RidgeCV

    mean, deviation = known.mean(axis=0), known.std(axis=0)
    deviation[deviation < 1e-6] = 1.0  # of what is constant
    ridge = RidgeCV(STRENGTHS).fit((known - mean) / deviation, np.eye(labels.max() + 1)[labels])
    return ridge.predict((asked - mean) / deviation)


def neighbours(known: NDArray, labels: NDArray, asked: NDArray) -> NDArray[np.float64]:
    """Scores [asked, classes]: the similarities of the nearest of the vectors ``known`` [n, dim], added up by label."""
    similarity = _cosine(asked, known)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = np.zeros((len(asked), labels.max() + 1))
    rows = np.arange(len(asked))[:, None]
    np.add.at(votes, (rows, labels[nearest]), similarity[rows, nearest])
    return votes


def voices(vectors: NDArray, speech: Manifest) -> float:
    """Equal error rate of telling by cosine whether two clips of one language are by one voice."""
    of, language = (np.array(speech.column(name)) for name in ("source", "language"))
    first, second = np.triu_indices(len(vectors), 1)
    pairs = language[first] == language[second]
    first, second = first[pairs], second[pairs]
    return identification.equal_error_rate(_cosine(vectors, vectors)[first, second], of[first] == of[second])


def row(name: str, ear: dict[str, Any]) -> list[str]:
    """One ear of a result as a row of a table under ``COLUMNS``."""
    told = [
        f"{scores['linear']:.2f} / {scores['neighbours']:.2f}"
        for task, scores in ear["tasks"].items()
        if task in CLASSIFIED
    ]
    cost = [f"{ear['speed']:.0f} ×", f"{ear['memory']:.0f} MB" if ear["memory"] else "", f"{ear['download']:.0f} MB"]
    return [name, *told, f"{ear['tasks']['voices']['equal_error_rate']:.2f}", *cost]


def download(name: str) -> float:
    """MB that are fetched for an ear; 0 for one of one's own."""
    system, _, tag = name.partition("@")
    card = systems().get(system)
    files = card.weights.get(tag or card.tag, ()) if card else ()
    return round(sum(file.size for file in files) / 1e6, 1)


def _cosine(a: NDArray, b: NDArray) -> NDArray:
    a, b = (x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for x in (a, b))
    return a @ b.T
