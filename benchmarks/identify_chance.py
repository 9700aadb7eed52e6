"""How much clips are alike other music by chance: what ``auricle identify`` takes for a match, and why.

    python benchmarks/identify_chance.py [--json FILE] [--quick]

Music of games that auricle's prints were trained on is indexed; none of it is in ``identify.py``, whose music had no
part in this. Excerpts are distorted as there, and held beside all candidates that their hashes and prints suggest
(``auricle.library.beside``). The bar is likeness that is hardly ever reached by chance: what other recordings reach of
it, and what the right place reaches, when it is suggested at all. (Olivier Militon's pieces for Warmux are left
out, for some are in others.)
"""

import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

os.environ |= {"OPENBLAS_NUM_THREADS": "1"}  # as the command does, before NumPy is imported

import numpy as np
import soundfile
import soxr

from _common import Report, arguments, index
from auricle.audio import read
from auricle.library import Library
from auricle.library.beside import Beside, Clip
from auricle.library.identify import AS_IT_WAS, EAR, GUISES, READ, READERS, Candidate
from identify import CONDITIONS, NEAR, RATE, corpus

MUSIC = {
    "asc-music": "**/music/*.mp3",
    "hedgewars-data": "**/Music/*.ogg",
    "hyperrogue-music": "**/*.ogg",
    "planetblupi-music-ogg": "**/*.ogg",
    "pushover-data": "**/*.ogg",
    "singularity-music": "**/*.ogg",
    "warmux-data": "**/music/**/[!O]*.ogg",
}
LENGTHS = (2.5, 5.0, 10.0)  # seconds of an excerpt
CLIPS = 3  # of each length and condition


def main() -> int:
    cache = {"type": Path, "default": Path.home() / ".cache" / "auricle-benchmarks", "metavar": "DIR"}
    args = arguments(__doc__, cache=cache)
    report = Report("What is alike by chance", args)
    with tempfile.TemporaryDirectory() as scratch:
        files = corpus(args.cache, Path(scratch) / "corpus", 1 if args.quick else None, MUSIC)
        index(Path(scratch) / "corpus", "--library", Path(scratch) / "library", "--ear", EAR)
        library = Library(Path(scratch) / "library")
        report.note(f"{len(files)} pieces; {CLIPS} clips of each length in each condition")
        for length in LENGTHS:
            measure(report, library, files, length, 1 if args.quick else CLIPS)
    return report.finish()


def measure(report: Report, library: Library, files: list[Path], length: float, count: int) -> None:
    """Adds the rows of one length."""
    report.part = f"{length:g} s"
    rng = np.random.default_rng(int(length))
    there, elsewhere = [], []
    for condition in list(CONDITIONS.values()) * count:
        file = files[int(rng.integers(len(files)))]
        needed = length * condition.speed * 1.02 + 0.2
        start = float(rng.uniform(0, soundfile.info(file).duration - needed))
        sound, _ = read(file, RATE, start=start, end=start + needed)
        clip = condition.distort(sound, rng).astype(np.float32)[: round(length * RATE)]
        own, others = reached(library, soxr.resample(clip, RATE, library.identifier.ear.sample_rate), file, start)
        there.append(own)
        elsewhere.append(others)
    report.add("another recording is taken for it", float(np.mean(np.array(elsewhere) >= 1)), "", at_most=0.02)
    for share in (0.5, 0.9, 0.98):
        report.add(
            f"reached elsewhere by {100 * share:.0f} % at most", float(np.quantile(elsewhere, share)), "of the bar"
        )
    suggested = np.array([each for each in there if each is not None])
    report.add("the right place is suggested", len(suggested) / len(there), "")
    report.add("of these, it is taken", float(np.mean(suggested >= 1)), "")
    for share in (0.02, 0.1, 0.5):
        report.add(
            f"reached there by {100 - 100 * share:.0f} % at least", float(np.quantile(suggested, share)), "of the bar"
        )


def reached(library: Library, sound: np.ndarray, file: Path, start: float) -> tuple[float | None, float]:
    """The most at the right place, None when it was not suggested, and the most in any other recording."""
    identifier = library.identifier
    clip = Clip(identifier.ear, sound)
    rows = library.store.rows_by("id", identifier.prints.ids)

    def heard(candidate: Candidate) -> list[tuple[str, Beside]]:
        row = rows[identifier.prints.ids[candidate.recording]]
        spans = identifier.spans(clip, candidate, row["duration"])
        return [(row["path"], each) for each in clip.beside(row["path"], spans)]

    there, elsewhere = [], [0.0]
    count = round(READ / clip.seconds)
    suggested = [identifier.hashed(sound, count)]
    suggested += [identifier.printed(sound, count, guises) for guises in ([AS_IT_WAS], GUISES)]
    with ThreadPoolExecutor(READERS) as readers:
        for candidates in suggested:
            for path, each in chain.from_iterable(readers.map(heard, candidates)):
                if path != str(file):
                    elsewhere.append(each.clarity)
                elif abs(each.span.start - each.span.first * each.span.tempo - start) < NEAR:
                    there.append(each.clarity)
    return max(there, default=None), max(elsewhere)


if __name__ == "__main__":
    sys.exit(main())
