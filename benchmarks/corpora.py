"""Real recordings to search in: the sounds of free games and teaching programs, labelled by their file names.

Nothing is kept in the repository. A Debian package is fetched from the machine's own mirror (``apt-get download``,
which verifies it) and unpacked once into a cache folder, never installed.

- ``TEST``: about 1,450 recordings, the distractors among which the 400 clips of ESC-10 (a local folder) are looked
  for; 480 MB of downloads.
- ``DEV``: about 1,500 recordings with 80 labels, for choosing parameters; 2.2 GB of downloads. It shares the field
  recordings of three packages with ``TEST``, for there are few, but none that holds a sound of ESC-10.

**Labels** were given by file name alone, before any score was seen. The first glob that matches a file decides: a
label, ``OTHER`` (certainly none of the sounds asked for) or ``UNSURE`` (the name does not say; never in an evaluation).
In ``TEST``, a distractor that holds one of ESC-10's sounds carries its label, and one that may hold it is ``UNSURE``.
Files with the same bytes count once.
"""

import hashlib
import json
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

OTHER = "-"
UNSURE = "?"
SUFFIXES = {".wav", ".ogg", ".flac", ".mp3"}


@dataclass(frozen=True)
class Clip:
    """One recording: its file, what it is known to hold, and the package it came from."""

    path: Path
    label: str
    package: str


@dataclass(frozen=True)
class Package:
    """A Debian package with sounds: which files to take and what their names say."""

    name: str
    folder: str  # inside the unpacked package
    labels: Mapping[str, str] = field(default_factory=dict)  # glob on the path below ``folder`` -> label
    default: str = OTHER
    limit: int | None = None  # at most so many files of one label, evenly spaced in path order


_WESNOTH = {
    "ambient/campfire.ogg": "fire_crackling",
    "ambient/birds*": OTHER,
    "ambient/wardrums.ogg": OTHER,
    "ambient/*": UNSURE,  # morning, night, ship: roosters, crackle or surf may be in them
    "*fire*": UNSURE,
    "flame*": UNSURE,
    "torch*": UNSURE,
    "dragonstick*": UNSURE,
    "fuse*": UNSURE,
    "wolf-*": UNSURE,  # some are a dog's voice
    "timer*": UNSURE,
}

_TUXPAINT = {
    "*_desc*": UNSURE,  # spoken captions, dozens of languages
    "symbols/*": UNSURE,
    "animals/mammals/dogs/dog.ogg": "dog_bark",
    "animals/mammals/dogs/fox.ogg": UNSURE,
    "animals/birds/rooster.ogg": "rooster",
    "animals/birds/hen.ogg": UNSURE,
    "animals/birds/seagull.ogg": UNSURE,  # recorded by the sea?
}

_GCOMPRIS = {
    "*/memory-sound/resource/LRBark*": "dog_bark",
    "*/animals/dog.ogg": "dog_bark",
    "*/animals/chickens.ogg": UNSURE,
    "*/memory-sound/resource/LRRain*": "rain",
    "*/memory-sound/resource/LRFrogsInPondDuringStorm*": UNSURE,
    "*/memory-sound/resource/LRFireballs*": UNSURE,
    "*/guessnumber/resource/helicopter.wav": "helicopter",
    "*/watercycle/resource/harbor*": UNSURE,
    "*/chronos/*": UNSURE,
    "*/play_rhythm/*": UNSURE,  # a metronome
    "*/silence.wav": UNSURE,
}

_OPENSFX = {
    "24 *": "helicopter",
    "56 *": "chainsaw",
    "40 *": UNSURE,  # a circular saw
    "55 *": UNSURE,  # a tree being cut
    "34 *": UNSURE,  # empty
    "50 *": UNSURE,  # empty
}

TEST = (
    Package("wesnoth-1.16-data", "usr/share/games/wesnoth/1.16/data/core/sounds", _WESNOTH),
    Package("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps", _TUXPAINT),
    Package("gcompris-qt-data", "usr/share/gcompris-qt/rcc", _GCOMPRIS),
    Package("openttd-opensfx", "usr/share/games/openttd/baseset/opensfx", _OPENSFX),
    Package("sonic-pi-samples", "usr/share/sonic-pi/samples", {"elec_tick*": UNSURE}),
    Package(
        "lmms-common",
        "usr/share/lmms/samples",
        {"shapes/*": UNSURE, "waveforms/*": UNSURE, "misc/metronome*": UNSURE},
    ),
    Package("hydrogen-data", "usr/share/hydrogen/data/drumkits"),
    Package("bucklespring-data", "usr/share/buckle/wav", limit=40),
    Package("asterisk-core-sounds-en-wav", "usr/share/asterisk/sounds", {"*/silence/*": UNSURE}, limit=240),
    Package("klettres-data", "usr/share/klettres", limit=200),
)

_0AD = {
    "actor/singlesteps/*": "footsteps",
    "actor/human/movement/*": "footsteps",
    "actor/mounted/movement/*": "horse_hooves",
    "actor/mounted/death/*": "horse",
    "actor/fauna/animal/cattle*": "cattle",
    "actor/fauna/animal/chicken*": "chicken",
    "actor/fauna/animal/elephant*": "elephant",
    "actor/fauna/animal/flamingo*": "bird",
    "actor/fauna/animal/peacock*": "bird",
    "actor/fauna/animal/horse*": "horse",
    "actor/fauna/animal/lion*": "big_cat",
    "actor/fauna/animal/pig*": "pig",
    "actor/fauna/animal/sheep*": "sheep_goat",
    "actor/fauna/death/death_horse*": "horse",
    "actor/fauna/death/goat*": "sheep_goat",
    "actor/fauna/*camel*": OTHER,
    "actor/human/death/female*": "scream_female",
    "actor/human/death/male*": "scream_male",
    "actor/gate/*": "gate",
    "ambient/water/river*": "water_stream",
    "ambient/water/waterfall*": "water_stream",
    "ambient/water/wave*": OTHER,
    "ambient/weather/wind*": "wind",
    "ambient/weather/snowstorm*": "wind",
    "ambient/weather/thunder*": "thunder",
    "attack/destruction/explode*": "explosion",
    "attack/fire/*": OTHER,
    "attack/impact/arrow*": "arrow",
    "attack/weapon/arrowfly*": "arrow",
    "attack/weapon/bow_attack*": "arrow",
    "attack/weapon/swordhit*": "sword_clash",
    "attack/weapon/Musket*": "gunshot",
    "music/*": "music",
    "resource/construction/con_saw*": "sawing",
    "resource/foraging/leaves*": "leaves",
    "resource/farming/hoe*": OTHER,
    "resource/lumbering/lumber_tree_*": "wood_chopping",
    "resource/mining/mine_metal*": "metal_hammer",
    "resource/mining/mine_stone*": "stone_work",
    "voice/global/*": OTHER,
    "voice/*": "speech",
}

_WIDELANDS = {
    "sound/animals/bird*": "bird",
    "sound/animals/frog*": "frog",
    "sound/animals/crickets*": "cricket",
    "sound/animals/boar*": "pig",
    "sound/animals/*": OTHER,
    "sound/atlanteans/cutting/*": "stone_work",
    "sound/atlanteans/saw/*": "sawing",
    "sound/barbarians/taverns/*": "tavern",
    "sound/empire/*bubble*": "bubbles",
    "sound/farm/donkey*": "donkey",
    "sound/farm/horse*": "horse",
    "sound/farm/ox*": "cattle",
    "sound/farm/sheep*": "sheep_goat",
    "sound/fisher/*": UNSURE,
    "sound/hammering/hammering*": "metal_hammer",
    "sound/hammering/geologist*": "stone_work",
    "sound/sawmill/*": "sawing",
    "sound/smiths/*smith*": "metal_hammer",
    "sound/stonecutting/*": "stone_work",
    "sound/woodcutting/*woodcutting*": "wood_chopping",
    "world/critters/duck/*": "duck",
    "music/*": "music",
}

_SUPERTUX = {
    "sounds/saw.wav": "sawing",
    "sounds/explosion.wav": "explosion",
    "sounds/firecracker.ogg": "fireworks",
    "sounds/fireworks.wav": "fireworks",
    "sounds/splash*": "splash",
    "sounds/thunder.wav": "thunder",
    "sounds/lightning.wav": "thunder",
    "sounds/waterfall.wav": "water_stream",
    "sounds/phone.wav": "phone",
    "sounds/rain.wav": OTHER,
    "sounds/ticking.wav": OTHER,
    "music/*": "music",
}

_HEDGEWARS = {
    "Sounds/explosion.ogg": "explosion",
    "Sounds/grenadeimpact.ogg": "explosion",
    "Sounds/mineimpact.ogg": "explosion",
    "Sounds/molotov.ogg": UNSURE,
    "Sounds/mortar.ogg": "explosion",
    "Sounds/gun.ogg": "gunshot",
    "Sounds/shotgunfire.ogg": "gunshot",
    "Sounds/minigun.ogg": "gunshot",
    "Sounds/plane.ogg": "plane",
    "Sounds/rcplane.ogg": "plane",
    "Sounds/shutterclick.ogg": "camera",
    "Sounds/splash.ogg": "splash",
    "Sounds/steam.ogg": "steam",
    "Sounds/steps.ogg": "footsteps",
    "Sounds/whipcrack.ogg": "whip",
    "Sounds/Whistle.ogg": "whistling",
    "Sounds/beep.ogg": "beep",
    "Sounds/drillgun.ogg": "drill",
    "Sounds/ride_of_the_valkyries.ogg": "music",
    "Sounds/rubberduck*": UNSURE,
    "Sounds/voices/*": "speech",
    "Music/*": "music",
}

_FILLETS = {
    "sound/share/sp-bubles*": "bubbles",
    "sound/linux/en/key*": "keyboard",
    "sound/linux/en/enter*": "keyboard",
    "sound/linux/en/space*": "keyboard",
    "sound/bathyscaph/en/bat-t-phone*": "phone",
    "music/*": "music",
}

_SOUND_ICONS = {
    "cembalo*": "harpsichord",
    "klavichord*": "harpsichord",
    "guitar*": "guitar",
    "piano*": "piano",
    "electric-piano*": "piano",
    "trumpet*": "brass",
    "violoncello*": "cello",
    "xylofon*": "xylophone",
    "percussion*": "drums",
    "canary*": "bird",
}

_TUXPAINT_DEV = {
    "*_desc*": UNSURE,
    "symbols/*": UNSURE,
    "animals/amphibians/frog*": "frog",
    "animals/birds/crow*": "crow",
    "animals/birds/owl*": "owl",
    "animals/birds/duck*": "duck",
    "animals/birds/drake*": "duck",
    "animals/birds/gander*": "goose",
    "animals/birds/turkey*": "turkey",
    "animals/birds/blackbird*": "bird",
    "animals/birds/cuckoo*": "bird",
    "animals/birds/lark*": "bird",
    "animals/birds/quetzal*": "bird",
    "animals/birds/tucan*": "bird",
    "animals/insects/bee*": "bee",
    "animals/insects/hornet*": "bee",
    "animals/insects/mosquito*": "mosquito",
    "animals/insects/grasshopper*": "cricket",
    "animals/mammals/apes/*": "ape",
    "animals/mammals/aquatic/whale*": "whale",
    "animals/mammals/bovines/cow*": "cattle",
    "animals/mammals/bovines/bull*": "cattle",
    "animals/mammals/bovines/bison*": "cattle",
    "animals/mammals/bovines/goat*": "sheep_goat",
    "animals/mammals/bovines/ram*": "sheep_goat",
    "animals/mammals/bovines/sheep*": "sheep_goat",
    "animals/mammals/cats/*": "big_cat",
    "animals/mammals/camel/*": OTHER,
    "animals/mammals/deer/*": OTHER,
    "animals/mammals/bears/*": OTHER,
    "animals/mammals/elephant*": "elephant",
    "animals/mammals/equines/donkey*": "donkey",
    "animals/mammals/equines/horse*": "horse",
    "animals/mammals/pig*": "pig",
    "hobbies/camera*": "camera",
    "hobbies/music/percussion/*": "drums",
    "hobbies/music/string/cello*": "cello",
    "hobbies/music/string/violin*": "violin",
    "household/Washing-machine*": "washing_machine",
    "household/arttools/scissors*": "scissors",
    "household/kettle*": "kettle",
    "household/toilet*": "toilet",
    "household/tools/mallet_metal*": "metal_hammer",
    "household/tools/saw*": "sawing",
    "household/vacuum*": "vacuum_cleaner",
    "military/final-roll-call*": "brass",
    "naturalforces/lightning*": "thunder",
    "seasonal/hanukkah/*": "speech",
    "seasonal/halloween/blackcat*": "cat",
    "seasonal/newyears/fireworks*": "fireworks",
    "vehicles/emergency/*": "siren",
}

_GCOMPRIS_DEV = {
    "*/animals/cat.*": "cat",
    "*/animals/cow.*": "cattle",
    "*/animals/duck.*": "duck",
    "*/animals/horse.*": "horse",
    "*/animals/owl.*": "owl",
    "*/animals/pig.*": "pig",
    "*/animals/sheep.*": "sheep_goat",
    "*/instruments/resource/accordion*": "accordion",
    "*/instruments/resource/banjo*": "banjo",
    "*/instruments/resource/bongo*": "drums",
    "*/instruments/resource/cello*": "cello",
    "*/instruments/resource/clarinet*": "clarinet",
    "*/instruments/resource/cymbal*": "drums",
    "*/instruments/resource/drum_kit*": "drums",
    "*/instruments/resource/*guitar*": "guitar",
    "*/instruments/resource/flute*": "flute",
    "*/instruments/resource/harmonica*": "harmonica",
    "*/instruments/resource/harp*": "harp",
    "*/instruments/resource/organ*": "organ",
    "*/instruments/resource/piano*": "piano",
    "*/instruments/resource/saxophone*": "saxophone",
    "*/instruments/resource/snare*": "drums",
    "*/instruments/resource/timpani*": "drums",
    "*/instruments/resource/horn*": "brass",
    "*/instruments/resource/trombone*": "brass",
    "*/instruments/resource/trumpet*": "brass",
    "*/instruments/resource/tuba*": "brass",
    "*/instruments/resource/violin*": "violin",
    "*/memory-sound/resource/LRApplause*": "applause",
    "*/memory-sound/resource/LRBuddhist_gong*": "gong",
    "*/memory-sound/resource/LRHeart*": "heartbeat",
    "*/memory-sound/resource/LRStartAndStopCar*": "car",
    "*/memory-sound/resource/LRTrain*": "train",
    "*/memory-sound/resource/guitar*": "guitar",
    "*/explore_world_music/*": "music",
    "*/railroad/*/train*": "train",
    "*/traffic/resource/car*": "car",
    "*/money/resource/*": "coin",
    "*/melody/resource/xylofon*": "xylophone",
    "*/melody/resource/knock*": "knock",
    "*/mining/resource/pickaxe*": "stone_work",
    "*/target/resource/arrow*": "arrow",
    "*/clickgame/resource/bubble*": "bubbles",
    "*/watercycle/resource/bubble*": "bubbles",
}

_OPENSFX_DEV = {
    "*train*departure*": "train",
    "05 *": "train",
    "06 *": "ship_horn",
    "07 *": "ship_horn",
    "08 *": "plane",
    "09 *": "jet",
    "59 *": "jet",
    "61 *": "jet",
    "70 *": "jet",
    "69 *": "plane",
    "13 *": "steam",
    "17 *": "crash",
    "19 *": "crash",
    "18 *": "explosion",
    "20 *": "cash_register",
    "21 *": "beep",
    "22 *": "beep",
    "25 *": "truck",
    "26 *": "truck",
    "27 *": "truck",
    "28 *": "truck",
    "29 *": "applause",
    "33 *": "jackhammer",
    "35 *": "car_horn",
    "36 *": "sheep_goat",
    "37 *": "cattle",
    "38 *": "horse",
    "40 *": "sawing",
    "46 *": "bubbles",
    "51 *": "bubbles",
    "52 *": "wind",
    "57 *": "wind",
    "66 *": "bird",
    "72 *": "bird",
    "67 *": "big_cat",
    "68 *": "ape",
}

DEV = (
    Package("0ad-data", "audio", _0AD, default=UNSURE),
    Package("widelands-data", "usr/share/games/widelands/data", _WIDELANDS, default=UNSURE),
    Package("supertux-data", "usr/share/games/supertux2", _SUPERTUX, default=UNSURE),
    Package("hedgewars-data", "usr/share/games/hedgewars/Data", _HEDGEWARS, default=UNSURE, limit=100),
    Package("fillets-ng-data", "usr/share/games/fillets-ng", _FILLETS, default=UNSURE),
    Package("sound-icons", "usr/share/sounds/sound-icons", _SOUND_ICONS, default=UNSURE),
    Package("asterisk-core-sounds-it-wav", "usr/share/asterisk/sounds", {"*/silence/*": UNSURE}, "speech", limit=200),
    Package("asterisk-moh-opsound-wav", "usr/share/asterisk/moh", default="music"),
    Package("tuxpaint-stamps-default", "usr/share/tuxpaint/stamps", _TUXPAINT_DEV, default=UNSURE),
    Package("gcompris-qt-data", "usr/share/gcompris-qt/rcc", _GCOMPRIS_DEV, default=UNSURE),
    Package("openttd-opensfx", "usr/share/games/openttd/baseset/opensfx", _OPENSFX_DEV, default=UNSURE),
)


def esc10(folder: Path) -> Iterator[Clip]:
    """The 400 clips of ESC-10, in folders named by class."""
    for path in sorted(folder.glob("*/*.ogg")):
        yield Clip(path, path.parent.name, "esc10")


def clips(packages: tuple[Package, ...], cache: Path) -> list[Clip]:
    """The recordings of ``packages`` whose names are sure, fetched and unpacked into ``cache`` on the first call.

    Of files with the same bytes, the first counts.
    """
    found: dict[bytes, Clip] = {}
    for package in packages:
        folder = fetch(package, cache) / package.folder
        by_label: dict[str, list[Path]] = {}
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()):
            by_label.setdefault(_label(package, path.relative_to(folder).as_posix()), []).append(path)
        by_label.pop(UNSURE, None)
        for label, paths in by_label.items():
            for path in _spaced(paths, package.limit):
                found.setdefault(hashlib.blake2b(path.read_bytes()).digest(), Clip(path, label, package.name))
    return list(found.values())


def _label(package: Package, name: str) -> str:
    return next((label for glob, label in package.labels.items() if fnmatchcase(name, glob)), package.default)


def _spaced(paths: list[Path], limit: int | None) -> list[Path]:
    count = min(len(paths), limit or len(paths))
    return [paths[i * len(paths) // count] for i in range(count)]


def fetch(package: Package, cache: Path) -> Path:
    """Downloads and unpacks one package into ``cache / name``; ``origin.json`` there records file, size and SHA-256."""
    folder = cache / package.name
    if (folder / "origin.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    print(f"fetching {package.name}", file=sys.stderr)
    subprocess.run(["apt-get", "download", "-qq", package.name], cwd=folder, check=True, stderr=subprocess.DEVNULL)
    (archive,) = folder.glob("*.deb")
    subprocess.run(["dpkg", "-x", archive, folder], check=True)
    for container in sorted(folder.rglob("public.zip")):
        _unpack_zip(container, folder)
        container.unlink()
    for container in sorted(folder.rglob("*.rcc")):
        _unpack_rcc(container, container.parent)
    for container in sorted(folder.rglob("opensfx.cat")):
        _unpack_cat(container, container.parent)
    origin = {"file": archive.name, "bytes": archive.stat().st_size}
    with archive.open("rb") as stream:
        origin["sha256"] = hashlib.file_digest(stream, "sha256").hexdigest()
    archive.unlink()
    (folder / "origin.json").write_text(json.dumps(origin, indent=1))
    return folder


def _unpack_zip(container: Path, folder: Path) -> None:
    """0 A.D. keeps everything in one archive of 3 GB; only its sounds are taken, 0.3 GB."""
    with zipfile.ZipFile(container) as members:
        names = [name for name in members.namelist() if name.startswith("audio/") and name.endswith(".ogg")]
        members.extractall(folder, names)


def _unpack_cat(container: Path, folder: Path) -> None:
    """OpenTTD's sound set: a table of (offset, length), then length-prefixed descriptions each followed by a WAV."""
    data = container.read_bytes()
    mask = 0x7FFFFFFF  # the top bit marks the newer layout
    count = (struct.unpack_from("<I", data)[0] & mask) // 8
    for number in range(count):
        offset, length = struct.unpack_from("<II", data, 8 * number)
        offset &= mask
        sound = offset + 1 + data[offset]
        title = data[offset + 1 : sound].split(b"\0")[0].decode("latin-1").split('"')[1]
        title = "".join(c if c.isalnum() or c in " -()" else "_" for c in title)
        (folder / f"{number:02d} {title}.wav").write_bytes(data[sound : sound + length])


def _unpack_rcc(container: Path, folder: Path) -> None:
    """A Qt resource file: a tree of nodes (name, flags, children or data), names in UTF-16, data length-prefixed."""
    data = container.read_bytes()
    version, tree, payload, names = struct.unpack_from(">4I", data, 4)
    node = 14 if version < 2 else 22  # bytes; newer ones end in a time stamp
    pending = [(0, Path(container.stem))]
    while pending:
        number, path = pending.pop()
        name, flags, first, second = struct.unpack_from(">IHII", data, tree + number * node)
        if number:
            start = names + name + 6  # after the length and a hash
            path /= data[start : start + 2 * struct.unpack_from(">H", data, names + name)[0]].decode("utf-16-be")
        if flags & 2:  # a folder: count, first child
            pending += [(child, path) for child in range(second, second + first)]
        elif path.suffix in SUFFIXES:
            offset = payload + struct.unpack_from(">I", data, tree + number * node + 10)[0]
            content = data[offset + 4 : offset + 4 + struct.unpack_from(">I", data, offset)[0]]
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(zlib.decompress(content[4:]) if flags & 1 else content)
