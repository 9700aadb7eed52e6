"""How many recordings ``auricle duplicates`` finds again that were encoded anew, by an ear's windows and by prints.

    python benchmarks/duplicates.py [--count N] [--json FILE] [--quick]

Four seconds each of music, sounds and sentences from the bundled mini set lie in a folder together with what three
codecs made of them at their lower rates; two libraries of it are asked, one without prints and one with them. A *pair*
is an original and one of its encodings. All recordings are equally long, so that no pair is ruled out by its length.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
import soxr

from _common import Report, arguments
from auricle.audio import read
from auricle.data import mini
from auricle.library import Library

SECONDS, RATE = 4, 44_100
QUIET = 0.001  # peak below which there is nothing to compare
TASKS = ("music", "events", "speech")
CODECS = {  # name -> suffix, sample rate, libsndfile's options
    "MP3": ("mp3", 44_100, {"compression_level": 0.8, "bitrate_mode": "CONSTANT"}),
    "Opus": ("opus", 24_000, {"format": "OGG", "subtype": "OPUS", "compression_level": 0.9}),
    "Vorbis": ("ogg", 44_100, {"compression_level": 0.9}),
}


def main() -> int:
    args = arguments(
        __doc__,
        count={"type": int, "default": 50, "metavar": "N", "help": "recordings of each kind, at most (default: 50)"},
    )
    report = Report("Recordings found again after they were encoded anew", args)
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "recordings"
        folder.mkdir()
        size = dict.fromkeys(CODECS, 0)
        names = []
        for name, sound in recordings(4 if args.quick else args.count):
            names.append(name)
            soundfile.write(folder / f"{name}.wav", sound, RATE)
            for codec, (suffix, rate, options) in CODECS.items():
                file = folder / f"{name}.{codec}.{suffix}"
                soundfile.write(file, soxr.resample(sound, RATE, rate), rate, **options)
                size[codec] += file.stat().st_size
        library = Library(Path(scratch) / "library")
        library.index(folder, prints=False)
        judge(library, "by the ear's windows", names, report)
        library.index(folder, prints=True)
        judge(library, "by prints", names, report)
    rates = (f"{codec} {8 * size[codec] / len(names) / SECONDS / 1000:.0f} kbit/s" for codec in CODECS)
    report.note(f"{len(names)} recordings; {', '.join(rates)}, with headers")
    return report.finish()


def recordings(most: int) -> Iterator[tuple[str, np.ndarray]]:
    """Names and waveforms [samples] of up to ``most`` recordings of each kind."""
    for task in TASKS:
        manifest = mini(task)
        rows = [row for row in manifest if float(row["seconds"]) >= SECONDS]
        for i in np.random.default_rng(0).permutation(len(rows))[:most]:
            sound = read(manifest.root / rows[i]["path"], RATE, end=SECONDS, mono=True)[0]
            if len(sound) == SECONDS * RATE and np.abs(sound).max() > QUIET:
                yield f"{task} {i}", sound


def judge(library: Library, part: str, names: list[str], report: Report) -> None:
    """Adds how many pairs of each codec are in one group, and how many originals share one with another's."""
    report.part = part
    groups = [{Path(path).name for path in group.paths} for group in library.duplicates() if group.kind == "re-encoded"]
    for codec, (suffix, _, _) in CODECS.items():
        found = [any({f"{name}.wav", f"{name}.{codec}.{suffix}"} <= group for group in groups) for name in names]
        report.add(f"{codec}: pairs found", float(np.mean(found)), "")
    mixed = [group for group in groups if len({name.partition(".")[0] for name in group}) > 1]
    report.add("groups of more than one recording", len(mixed), "")


if __name__ == "__main__":
    sys.exit(main())
