"""How well ``auricle speakers`` tells voices apart: calibrated on some voices, measured on others.

    python benchmarks/speakers.py [--json FILE] [--quick]

Eighteen voices of the bundled sentences, 8 to calibrate on and 10 to test on. *Trials* compare so many sentences of one
half of a voice's with as many of the other half, or of another voice's. Voices of different corpora are not compared,
since the channel alone would tell them apart, nor are the two languages of one reader. *Conversations* are of two test
voices of one corpus, who take turns of three sentences; a library of them is asked who speaks where.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.linear_model import LogisticRegression

from _common import Report, arguments
from auricle.audio import read, write
from auricle.data import mini
from auricle.library import Library
from auricle.library.speakers import spoken_vectors
from auricle.library.voices import BAR, SLOPE, WITHIN, Vectors, Voice, cluster, likeness, tell_apart
from auricle.metrics.identification import equal_error_rate, min_dcf

CALIBRATION = (
    "fillets-ng-data-cs-small", "fillets-ng-data-cs-big", "tuxpaint-be", "tuxpaint-ca", "tuxpaint-el", "tuxpaint-fr",
    "asterisk-core-sounds-fr-wav", "asterisk-core-sounds-ru-wav",
)  # fmt: skip
TEST = (
    "fillets-ng-data-nl-small", "fillets-ng-data-nl-big", "tuxpaint-bg", "tuxpaint-da", "tuxpaint-es", "tuxpaint-ro",
    "tuxpaint-ru", "asterisk-core-sounds-en-wav", "asterisk-core-sounds-es-wav", "asterisk-core-sounds-it-wav",
)  # fmt: skip
ONE_READER = ("asterisk-core-sounds-en-wav", "asterisk-core-sounds-es-wav")
LENGTHS = ((1, 1), (1, 4), (2, 2), (4, 4))  # sentences on either side
RATE, GRID = 16_000, 0.1  # Hz, and seconds between the times at which conversations are judged
TURNS, SENTENCES = 6, 3  # of a conversation, and of a turn

Sentences = dict[str, list[tuple[Path, Vectors]]]  # of each voice: where it is, and its windows


def sentences(voices: Iterable[str], most: int | None) -> Sentences:
    """The sentences of each voice in which speech is heard."""
    manifest = mini("speech", "grouped")
    found: Sentences = defaultdict(list)
    for row in manifest:
        if row["source"] in voices and (most is None or len(found[row["source"]]) < most):
            path = manifest.root / row["path"]
            if len(vectors := spoken_vectors(str(path))):
                found[row["source"]].append((path, vectors))
    return found


def compared(voices: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Voices that are compared with each other."""
    for one, other in combinations(voices, 2):
        if one.split("-")[0] == other.split("-")[0] and {one, other} != {*ONE_READER}:
            yield one, other


def trials(heard: Sentences, here: int, there: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Likeness of all pairs of so many sentences, and whether they are of one voice."""

    def voices(name: str, half: int, count: int) -> list[Voice]:
        said = [vectors for _, vectors in heard[name][half::2]]
        groups = (said[first : first + count] for first in range(0, len(said) - count + 1, count))
        return [Voice.of(np.concatenate(group)) for group in groups]

    pairs = [(name, name) for name in heard] + list(compared(heard))
    scores = [likeness(voices(one, 0, here), voices(other, 1, there)).ravel() for one, other in pairs]
    same = [np.full(len(some), one == other) for some, (one, other) in zip(scores, pairs, strict=True)]
    return np.concatenate(scores), np.concatenate(same)


def calibrate(heard: Sentences, report: Report) -> None:
    """What the constants of ``auricle.library.voices`` should be: the same number of trials of every length."""
    some = [trials(heard, *length) for length in LENGTHS]
    rng, least = np.random.default_rng(0), min(len(same) for _, same in some)
    drawn = [(scores[pick], same[pick]) for scores, same in some if len(pick := rng.permutation(len(same))[:least])]
    scores, same = (np.concatenate(part) for part in zip(*drawn, strict=True))
    model = LogisticRegression(C=1e6, class_weight="balanced", max_iter=1000).fit(scores[:, None], same)
    slope = float(model.coef_[0, 0])
    within = [Voice.of(np.concatenate([vectors for _, vectors in said])) for said in heard.values()]
    report.add("mean cosine within a voice", float(np.mean([v.within for v in within])), f"used: {WITHIN}")
    error = equal_error_rate(scores, same)
    report.add("likeness at the equal error rate", float(np.quantile(scores[same], error)), f"used: {BAR}")
    report.add("log-odds a unit of likeness", slope, f"used: {SLOPE}")
    report.add("equal error rate", 100 * error, "%")


def conversations(heard: Sentences, folder: Path) -> dict[str, list[tuple[str, float, float]]]:
    """Writes a conversation for every two voices that are compared; who speaks in it, from when to when (s)."""
    truth: dict[str, list[tuple[str, float, float]]] = {}
    for number, pair in enumerate(compared(heard)):
        sounds, told, now = [], [], 0.0
        for turn in range(TURNS):
            name = pair[turn % 2]
            for place in range(turn * SENTENCES, (turn + 1) * SENTENCES):
                sound, _ = read(heard[name][place % len(heard[name])][0], RATE)
                sounds.append(sound)
                speaker = ONE_READER[0] if name in ONE_READER else name
                told.append((speaker, now, now + len(sound) / RATE))
                now += len(sound) / RATE
        path = folder / f"{number:02d}.wav"
        write(path, np.concatenate(sounds), RATE)
        truth[str(path)] = told
    return truth


def alone(heard: Sentences) -> tuple[float, int, int]:
    """A library of single sentences: share of the windows told right, speakers found, and how many there are."""
    voices, names = [], sorted({ONE_READER[0] if name in ONE_READER else name for name in heard})
    truth: list[int] = []
    for name, said in heard.items():
        for _, vectors in said:
            labels = tell_apart(vectors)
            voices += [Voice.of(vectors[labels == label]) for label in range(labels.max() + 1)]
            truth += [names.index(ONE_READER[0] if name in ONE_READER else name)] * (labels.max() + 1)
    found = cluster(voices)
    together = np.zeros((len(names), found.max() + 1))
    np.add.at(together, (truth, found), [voice.windows for voice in voices])
    return together[linear_sum_assignment(-together)].sum() / together.sum(), together.shape[1], len(names)


def judge(library: Library, truth: dict[str, list[tuple[str, float, float]]]) -> tuple[float, float, int]:
    """Share of the time that is told right, by the best matching of names; share said to be speech; speakers found."""
    turns = library.speakers()
    names = sorted({name for told in truth.values() for name, _, _ in told})
    found = sorted({turn.speaker for turn in turns})
    together = np.zeros((len(names), len(found) + 1))
    for path, told in truth.items():
        times = np.arange(GRID / 2, told[-1][2], GRID)
        said = np.full(len(times), len(found))
        for turn in turns:
            if turn.path == path:
                said[(times >= turn.start) & (times < turn.end)] = found.index(turn.speaker)
        for name, start, end in told:
            inside = (times >= start) & (times < end)
            together[names.index(name)] += np.bincount(said[inside], minlength=len(found) + 1)
    matched = together[linear_sum_assignment(-together[:, :-1])].sum()
    spoken = together[:, :-1].sum()
    return matched / spoken, spoken / together.sum(), len(found)


def main() -> int:
    args = arguments(__doc__)
    most = 12 if args.quick else None
    report = Report("Voices", args)
    report.part = "calibration, 8 voices"
    calibrate(sentences(CALIBRATION, most), report)
    heard = sentences(TEST, most)
    for length in LENGTHS:
        scores, same = trials(heard, *length)
        seconds = [1.6 + 0.8 * (np.mean([len(v) for said in heard.values() for _, v in said]) * n - 1) for n in length]
        report.part = f"test, 10 voices, {length[0]} against {length[1]} sentences"
        report.add("speech on either side", float(seconds[0]), f"and {seconds[1]:.1f} s, mean")
        report.add("trials", len(same), f"of them {same.sum()} of one voice")
        report.add("equal error rate", 100 * equal_error_rate(scores, same), "%")
        report.add("minimum detection cost, prior 0.01", min_dcf(scores, same), "")
        report.add("missed at the threshold", 100 * float(np.mean(scores[same] < BAR)), "%")
        report.add("falsely accepted at the threshold", 100 * float(np.mean(scores[~same] >= BAR)), "%")
    right, speakers, people = alone(heard)
    report.part = f"{sum(map(len, heard.values()))} single sentences of {people} voices"
    report.add("the right speaker", 100 * right, "% of the time")
    report.add("speakers found", speakers, f"of {people}")
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "sounds"
        folder.mkdir()
        truth = conversations(heard, folder)
        for ear in (None, "ge2e"):
            Library(Path(scratch) / "library", ear=ear).index(folder, workers=1)
        right, spoken, speakers = judge(Library(Path(scratch) / "library"), truth)
    names = {name for told in truth.values() for name, _, _ in told}
    report.part = f"{len(truth)} conversations of {len(names)} voices"
    report.add("time heard as speech", 100 * spoken, "%")
    report.add("of it, the right speaker", 100 * right, "%")
    report.add("speakers found", speakers, f"of {len(names)}")
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
