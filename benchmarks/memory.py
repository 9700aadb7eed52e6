"""How much memory ``auricle index`` takes for recordings of 1 and of 10 hours.

    python benchmarks/memory.py [--hours H ...] [--rounds N] [--json FILE]

Each recording is a mono 44.1 kHz FLAC, made block by block: notes of a made-up instrument over noise. What is measured
is the resident memory of the command and all its workers together, summed many times a second; pages they share count
for each of them, so the true need is smaller. A run's peak varies by some 20 MiB; the medians of a few runs are
compared.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import soundfile
from rich.progress import track

from _common import AURICLE, Report, arguments

RATE = 44_100
BLOCK = 10  # seconds made at once
MOST = 1024  # MiB
GROWTH = 1.10  # most that the longest may take, in terms of the shortest
EVERY = 0.05  # seconds between two looks


def main() -> int:
    args = arguments(
        __doc__,
        hours={"type": float, "nargs": "+", "default": [1, 10], "metavar": "H", "help": "lengths (default: 1 10)"},
        rounds={"type": int, "default": 3, "metavar": "N", "help": "runs of each length (default: 3)"},
        workers={"type": int, "metavar": "N", "help": "processes (default: one per core)"},
        scratch={"type": Path, "metavar": "DIR", "help": "where the recordings go (default: the system's)"},
    )
    report = Report("Memory of an indexing run", args)
    peaks = []
    for hours in (1 / 60, 3 / 60) if args.quick else args.hours:
        with tempfile.TemporaryDirectory(dir=args.scratch) as scratch:
            path = Path(scratch) / "long.flac"
            make_recording(path, hours)
            runs = []
            for i in range(1 if args.quick else args.rounds):
                words = [*AURICLE, "index", path, "--library", Path(scratch) / f"library {i}"]
                begun = time.perf_counter()
                peak = watch([*words, "--workers", args.workers] if args.workers else words)
                runs.append(peak | {"speed": 3600 * hours / (time.perf_counter() - begun)})
        peak = {what: median(run[what] for run in runs) for what in runs[0]}
        report.part = f"{hours:g} h"
        report.add("all processes", peak["all"], "MiB", at_most=MOST)
        report.add("the command alone", peak["command"], "MiB")
        report.add("its largest worker", peak["worker"], "MiB")
        report.add("speed", peak["speed"], "× real time")
        peaks.append(peak["all"])
    report.part = "Longest / shortest"
    report.add("all processes", peaks[-1] / peaks[0], "", at_most=GROWTH)
    return report.finish()


def make_recording(path: Path, hours: float) -> None:
    """Writes a FLAC of ``hours``, in the memory of one block."""
    rng = np.random.default_rng(0)
    time_ = np.arange(BLOCK * RATE, dtype=np.float32) / RATE
    pitches = 110 * 2 ** (np.array([0, 3, 5, 7, 10, 12, 15, 17, 19, 22, 24, 27]) / 12)
    notes = [
        sum(np.sin(2 * np.pi * pitch * k * time_) * np.exp(-time_ * k) / k for k in (1, 2, 3, 5)) for pitch in pitches
    ]
    noise = rng.normal(0, 0.01, 2 * len(time_)).astype(np.float32)
    with soundfile.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in track(range(round(3600 * hours / BLOCK)), f"making {hours:g} h", transient=True):
            begin = rng.integers(len(time_))
            block = noise[begin : begin + len(time_)].copy()
            for note, onset in zip(rng.integers(len(notes), size=8), rng.integers(len(time_), size=8), strict=True):
                block[onset:] += rng.uniform(0.02, 0.2) * notes[note][: len(block) - onset]
            file.write(block)


def watch(words: list[object]) -> dict[str, float]:
    """Runs a command; returns the most resident MiB of it with its children, of itself, of its largest child."""
    process = psutil.Popen(list(map(str, words)), stdout=-3, stderr=-1)
    peak = {"all": 0.0, "command": 0.0, "worker": 0.0}
    while process.poll() is None:
        own = resident(process)
        children = [resident(child) for child in children_of(process)]
        for name, now in (("all", own + sum(children)), ("command", own), ("worker", max(children, default=0.0))):
            peak[name] = max(peak[name], now)
        time.sleep(EVERY)
    if process.returncode:
        raise SystemExit(process.stderr.read().decode())
    return peak


def children_of(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def resident(process: psutil.Process) -> float:
    """MiB; 0 when the process has ended."""
    try:
        return process.memory_info().rss / 2**20
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0.0


if __name__ == "__main__":
    sys.exit(main())
