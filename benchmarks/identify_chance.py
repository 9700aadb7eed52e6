"""How much clips are alike other music by chance: what ``auricle identify`` takes for a match, and why.

    python benchmarks/identify_chance.py [--json FILE] [--quick]

Music of games that auricle's prints were trained on is indexed; none of it is in ``identify.py``, whose music had no
part in this. Excerpts are distorted as there, and held beside all candidates that their prints suggest
(``auricle.library.beside``). Likeness times the root of the seconds compared is what a clip reaches by chance in other
recordings, and what it reaches at its own place, when the prints suggest that at all. A clip is found if this is above
``CHANCE``, and likeness above ``LEAST``.
"""

import os
import sys
import tempfile
from pathlib import Path

os.environ |= {"OPENBLAS_NUM_THREADS": "1"}  # as the command does, before NumPy is imported

import numpy as np
import soundfile
import soxr

from _common import Report, arguments, index
from auricle.audio import read
from auricle.library import Library
from auricle.library.beside import CHANCE, LEAST, Clip
from auricle.library.identify import AS_IT_WAS, EAR, GUISES, READ, READ_MORE
from identify import CONDITIONS, NEAR, RATE, corpus

MUSIC = {
    "asc-music": "**/music/*.mp3",
    "hedgewars-data": "**/Music/*.ogg",
    "hyperrogue-music": "**/*.ogg",
    "planetblupi-music-ogg": "**/*.ogg",
    "pushover-data": "**/*.ogg",
    "singularity-music": "**/*.ogg",
    "warmux-data": "**/music/**/*.ogg",
}
LENGTHS = (2.5, 5.0, 10.0)  # seconds of an excerpt
CLIPS = 6  # of each length and condition


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
    others, own, suggested = [], [], 0
    for number in range(count * len(CONDITIONS)):
        condition = list(CONDITIONS.values())[number % len(CONDITIONS)]
        file = files[int(rng.integers(len(files)))]
        needed = length * condition.speed * 1.02 + 0.2
        start = float(rng.uniform(0, soundfile.info(file).duration - needed))
        sound, _ = read(file, RATE, start=start, end=start + needed)
        clip = condition.distort(sound, rng).astype(np.float32)[: round(length * RATE)]
        there, elsewhere = reached(library, soxr.resample(clip, RATE, library.identifier.ear.sample_rate), file, start)
        others.append(elsewhere)
        if there is not None:
            suggested += 1
            own.append(there)
    report.add("the prints suggest the right place", suggested / len(others), "")
    for share in (0.5, 0.9, 0.98, 0.99):
        limit = max(CHANCE, LEAST * length**0.5) if share == 0.98 else None
        report.add(
            f"{100 * share:.0f} % of clips reach elsewhere, at most",
            float(np.quantile(others, share)),
            "",
            at_most=limit,
        )
    for share in (0.02, 0.1, 0.5):
        report.add(
            f"{100 - 100 * share:.0f} % reach at the right place, at least",
            float(np.quantile(own, share)) if own else None,
            "",
        )


def reached(library: Library, sound: np.ndarray, file: Path, start: float) -> tuple[float | None, float]:
    """The most at the right place, None when it was not suggested, and the most in any other recording."""
    identifier = library.identifier
    clip = Clip(identifier.ear, sound)
    rows = library.store.rows_by("id", identifier.prints.ids)
    there, elsewhere = [], [0.0]
    for guises, seconds in (([AS_IT_WAS], READ), (GUISES, READ_MORE)):
        for candidate in identifier.candidates(sound, guises, round(seconds / clip.seconds)):
            row = rows[identifier.prints.ids[candidate.stretch.recording]]
            for likeness, span in clip.beside(row["path"], identifier.spans(clip, candidate, row["duration"])):
                value = likeness * span.seconds**0.5
                if row["path"] != str(file):
                    elsewhere.append(value)
                elif abs(span.start - span.first * span.tempo - start) < NEAR:
                    there.append(value)
    return max(there, default=None), max(elsewhere)


if __name__ == "__main__":
    sys.exit(main())
