"""How fast ``auricle index`` listens, from files to stored rows, and how that compares.

    python benchmarks/ingest.py [--workers N] [--json FILE]

Makes a corpus from the sample recordings, each file a different sequence of them, one to three minutes of 44.1 kHz
stereo, in Ogg Vorbis, MP3, FLAC and 16-bit WAV; then, for each format:

- *index, whole command*: ``auricle index`` of the folder in a new process, into a new library, until it has ended;
- *index, without start*: the same less what the command takes for a tenth of a second per worker, which is starting
  Python, the workers and the ear;
- *decode only*: the same files through ``auricle.audio.stream(path, 16000)`` in as many processes, already started;

all in × real time, the median of some runs. Then two plain loops over the Ogg files, each in a process with as many
threads (see ``peers``): PANNs' Cnn14 with its front-end, and LAION-CLAP's audio tower in transformers, with and without
the feature extractor. The corpus takes about 3 GB of temporary space.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
from loky import ProcessPoolExecutor
from rich.progress import track

from _common import DEMO, ROOT, Report, arguments, cores, index, run, timed
from auricle.audio import read, stream, write
from auricle.library.pool import ONE_THREAD

RATE = 44_100
FORMATS = {  # suffix -> its name, and the least × real time
    "ogg": ("Ogg Vorbis", 250),
    "mp3": ("MP3", 250),
    "flac": ("FLAC", None),
    "wav": ("WAV, 16-bit", 500),
}
OF_DECODING = 0.5  # least share of the speed of decoding alone, where decoding is most of the work: Ogg and MP3
PEERS = {"cnn14": ("PANNs Cnn14", 8), "clap": ("LAION-CLAP audio tower", 4)}  # name, and the least times faster
PEER_SECONDS = 600  # of sound that each hears


def main() -> int:
    args = arguments(
        __doc__,
        workers={"type": int, "default": cores(), "metavar": "N", "help": "processes (default: one per core)"},
        repeats={"type": int, "default": 3, "metavar": "N", "help": "runs of each measurement (default: 3)"},
        scratch={"type": Path, "metavar": "DIR", "help": "where the corpus goes (default: the system's)"},
    )
    report = Report(f"Listening with {args.workers} workers", args)
    workers, repeats = args.workers, 1 if args.quick else args.repeats
    formats = ("ogg", "wav") if args.quick else tuple(FORMATS)
    files, lengths = (workers, (11, 12)) if args.quick else (60, (60, 180))
    with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
        tiny, corpus, library = (Path(scratch) / name for name in ("tiny", "corpus", "library"))
        make_corpus(tiny, ("wav",), workers, (0.1, 0.1), workers)
        starts = [heard(tiny / "wav", library, workers)[0] for _ in range(repeats + 1)]
        start = median(starts[1:])  # the first fetches the weights if they are not there
        report.add("start of the command, its workers and the ear", start, "s")
        make_corpus(corpus, formats, files, lengths, workers)
        speeds = {
            suffix: measure(report, suffix, corpus / suffix, library, start, workers, repeats) for suffix in formats
        }
        if find_spec("torch") and find_spec("transformers"):
            seconds = 20 if args.quick else PEER_SECONDS
            compare(report, sorted((corpus / "ogg").iterdir()), speeds["ogg"], workers, seconds)
        else:
            report.note("Cnn14 and CLAP are left out: they need auricle[train].")
    return report.finish()


# --- the corpus ------------------------------------------------------------------------------------------------------


def make_corpus(folder: Path, formats: Sequence[str], files: int, seconds: tuple[float, float], workers: int) -> None:
    """Makes ``files`` recordings of between ``seconds``, each in all ``formats``, in one folder per format."""
    for suffix in formats:
        (folder / suffix).mkdir(parents=True)
    with ProcessPoolExecutor(workers, env=ONE_THREAD) as pool:
        made = pool.map(partial(make_recording, folder, formats, seconds), range(files))
        for _ in track(made, "making the corpus", files, transient=True):
            pass


def make_recording(folder: Path, formats: Sequence[str], seconds: tuple[float, float], number: int) -> None:
    """Sample recordings one after another, in an order, with levels and a stereo picture of this file's own."""
    rng = np.random.default_rng(number)
    wanted = round(rng.uniform(*seconds) * RATE)
    parts, held = [], 0
    pieces = sorted(path for path in DEMO.rglob("*.*") if path.suffix not in (".md", ".csv"))
    while held < wanted:
        piece, _ = read(pieces[rng.integers(len(pieces))], RATE)
        gains = rng.uniform(0.3, 0.9, 2)
        delay = int(rng.integers(0, 40))  # samples, up to 1 ms: a source from the side
        parts.append(np.stack([gains[0] * piece, gains[1] * np.roll(piece, delay)], axis=1))
        held += len(piece)
    sound = np.concatenate(parts)[:wanted]
    sound = (sound + rng.normal(0, 1e-4, sound.shape)).clip(-1, 1).astype(np.float32)  # a microphone is never silent
    for suffix in formats:
        write(folder / suffix / f"{number:03}.{suffix}", sound, RATE)


# --- auricle ---------------------------------------------------------------------------------------------------------


def measure(
    report: Report, suffix: str, folder: Path, library: Path, start: float, workers: int, repeats: int
) -> float:
    """Adds the rows of one format; returns × real time of the whole command. ``start`` is its start, in seconds."""
    name, least = FORMATS[suffix]
    paths = sorted(folder.iterdir())
    runs = [heard(folder, library, workers) for _ in range(repeats)]
    whole, sound = median(run[0] for run in runs), runs[0][1]
    alone = median(decode(paths, workers) for _ in range(repeats))
    size = sum(path.stat().st_size for path in paths)
    report.part = f"{name}: {len(paths)} files, {sound / 60:.1f} min, {8e-3 * size / sound:.0f} kbit/s"
    report.add("index, whole command", sound / whole, "× real time", at_least=least)
    rest = max(whole - start, 1e-3)  # of a tiny corpus nothing may be left
    report.add("index, without start", sound / rest, "× real time")
    report.add("decode only", sound / alone, "× real time")
    share = OF_DECODING if suffix in ("ogg", "mp3") else None
    report.add("index, without start / decode only", alone / rest, "", at_least=share)
    return sound / whole


def heard(folder: Path, library: Path, workers: int) -> tuple[float, float]:
    """Seconds that ``auricle index`` of a folder takes into a new library, and seconds of sound in it."""
    shutil.rmtree(library, ignore_errors=True)
    elapsed, facts = index(folder, "--library", library, "--workers", workers)
    if facts["heard"] != facts["total"]:
        raise SystemExit(f"only {facts['heard']} of {facts['total']} files were heard: {facts['problems']}")
    return elapsed, facts["seconds"]


def decode(paths: list[Path], workers: int) -> float:
    """Seconds to decode the files to 16 kHz mono in started processes."""
    with ProcessPoolExecutor(workers, env=ONE_THREAD) as pool:
        while len(set(pool.map(start_decoding, [paths[0]] * workers))) < workers:
            pass  # until each has started
        return timed(lambda: list(pool.map(decode_one, paths)))


def start_decoding(path: Path) -> int:
    next(stream(path, 16_000))
    return os.getpid()


def decode_one(path: Path) -> int:
    return sum(len(block) for block in stream(path, 16_000))


# --- other models ----------------------------------------------------------------------------------------------------


def compare(report: Report, paths: list[Path], speed: float, threads: int, seconds: float) -> None:
    """Adds the rows of the plain loops; ``speed`` is that of auricle on the same files, × real time."""
    for peer, (name, least) in PEERS.items():
        _, out = run(sys.executable, ROOT / "benchmarks" / "peers.py", peer, threads, seconds, *paths)
        facts = json.loads(out)
        sound, model = facts["seconds"], facts["model"]
        whole = sound / (facts["decode"] + facts["front-end"] + model)
        report.part = f"{name}, {threads} threads, on {sound / 60:.1f} min of the Ogg files"
        report.add("decoding, front-end and model", whole, "× real time")
        if peer == "cnn14":
            report.add("index, whole command / all of it", speed / whole, "× as fast", at_least=least)
        else:
            report.add("model alone", sound / model, "× real time")
            report.add("index, whole command / all of it", speed / whole, "× as fast")
            report.add("index, whole command / model alone", speed * model / sound, "× as fast", at_least=least)


if __name__ == "__main__":
    sys.exit(main())
