"""Speaker verification on VoxCeleb1's trial lists: how well an ear tells voices apart.

Nagrani, Chung, Zisserman, "VoxCeleb: a large-scale speaker identification dataset", Interspeech 2017, arXiv 1706.08612.
A line of a list (``veri_test2.txt`` and its like) is ``1`` or ``0`` and two recordings; what is asked is whether both
are of one speaker.

    recording -> ear -> unit vector of every window -> their mean, unit length -> cosine of two -> accepted or not

Reported: the equal error rate, by a straight line between thresholds, and the minimum detection cost at a prior of
0.01; the same among trials of one sex, where ``vox1_meta.csv`` lies in the folder, since sexes are told apart easily;
and with AS-norm, where ``iden_split.txt`` names speakers who are in no trial. A recording that is not there, or in
which nothing is heard, ends the evaluation: leaving trials out would change what is measured.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from auricle.audio import read
from auricle.data.sets.speech import Trial, voxceleb1, voxceleb1_sexes, voxceleb1_trials
from auricle.errors import AuricleError
from auricle.hub.ear import open_ear
from auricle.metrics.identification import as_norm, equal_error_rate, min_dcf
from auricle.types import Ear, windows_in

COHORT = 200  # speakers that scores are normalised by, at most
BLOCK = 64  # windows heard at a time

Tell = Callable[[str], None]


def run(ear: str, data: Path, trials: Path, *, tell: Tell = lambda line: None) -> dict[str, float]:
    """Error rates, in [0, 1], of an ear on the trials of a list.

    Args:
        ear: as in ``auricle index --ear``.
        data: folder of VoxCeleb1, with the recordings in ``wav``, or in folders of speakers.
        trials: the list.
        tell: is given a line now and then.

    Raises:
        DataError: the list or a table of the set cannot be understood.
        AudioError: a recording cannot be heard.
        AuricleError: there is no such ear, or it has no vector for a recording.
    """
    listed = voxceleb1_trials(data, trials)
    opened = open_ear(ear)
    paths = list(dict.fromkeys(path for trial in listed for path in (trial.enrol, trial.test)))
    vectors = _embedded(opened, data, paths, tell)
    row = {path: number for number, path in enumerate(paths)}
    enrol, test = (vectors[[row[getattr(trial, side)] for trial in listed]] for side in ("enrol", "test"))
    same = np.array([trial.same for trial in listed])
    scores = np.einsum("ij,ij->i", enrol, test)
    found = {"trials": float(len(listed)), **_rates(scores, same)}
    cohort = _cohort(data, listed)
    if len(cohort) > 1:
        strangers = _embedded(opened, data, cohort, tell)
        found |= _rates(as_norm(scores, enrol @ strangers.T, test @ strangers.T), same, "_as_norm")
    if sexes := voxceleb1_sexes(data):
        one = np.array([sexes[_speaker(t.enrol)] == sexes[_speaker(t.test)] for t in listed])
        if one.any() and not same[one].all():
            found |= {"trials_one_sex": float(one.sum()), **_rates(scores[one], same[one], "_one_sex")}
    return found


def _rates(scores: NDArray[np.floating], same: NDArray[np.bool_], suffix: str = "") -> dict[str, float]:
    return {f"eer{suffix}": equal_error_rate(scores, same), f"min_dcf{suffix}": min_dcf(scores, same)}


def _embedded(ear: Ear, data: Path, paths: Sequence[str], tell: Tell) -> NDArray[np.float32]:
    """Unit vectors [recordings, dim]."""
    vectors = np.empty((len(paths), ear.dim), np.float32)
    for number, path in enumerate(paths):
        vectors[number] = embedding(ear, data / path)
        if (number + 1) % 500 == 0:
            tell(f"{number + 1} of {len(paths)} recordings heard")
    return vectors


def embedding(ear: Ear, path: Path) -> NDArray[np.float32]:
    """Unit vector [dim] of a recording: the mean direction of its windows.

    Raises:
        AudioError: it cannot be heard.
        AuricleError: the ear hears nothing in it.
    """
    sound, _ = read(path, ear.sample_rate)
    windows = windows_in(len(sound), ear.window, ear.hop)
    filled = np.zeros((windows - 1) * ear.hop + ear.window, np.float32)
    filled[: len(sound)] = sound
    total = np.zeros(ear.dim)
    for first in range(0, windows, BLOCK):
        last = min(first + BLOCK, windows) - 1
        heard = ear.hear(filled[first * ear.hop : last * ear.hop + ear.window]).embeddings
        total += (heard / np.maximum(np.linalg.norm(heard, axis=1, keepdims=True), 1e-9)).sum(axis=0)
    length = np.linalg.norm(total)
    if not length > 0:
        raise AuricleError(f"The ear {ear.name} hears nothing in {path}", "Use an ear for voices, such as ge2e")
    return (total / length).astype(np.float32)


def _cohort(data: Path, listed: Sequence[Trial]) -> list[str]:
    """A recording of each of up to ``COHORT`` speakers who are in no trial; none where the set's table is missing."""
    if not (data / "iden_split.txt").is_file():
        return []
    known = {_speaker(path) for trial in listed for path in (trial.enrol, trial.test)}
    first: dict[str, str] = {}
    for row in voxceleb1(data):
        if row["labels"][0] not in known:
            first.setdefault(row["labels"][0], row["path"])
    return list(first.values())[:: max(1, len(first) // COHORT)][:COHORT]


def _speaker(path: str) -> str:
    return Path(path).parts[-3]
