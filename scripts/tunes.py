"""Tunes of old collections in ABC notation, as music21's corpus carries them, read as works that can be performed.

Aird's Airs (1782–1803), O'Neill's Music of Ireland (1850 tunes, 1903) and Ryan's Mammoth Collection (1883) are in the
public domain; their transcribers are credited in the files, which stay in music21's wheel. Tunes that two collections
print are *families*: versions as people played and wrote them down, in other keys, metres and variants.
"""

import re
import subprocess
import sys
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from auricle.identify._works import MAJOR, MINOR, Note, Work, harmonised

MUSIC21 = "music21==10.5.1"
COLLECTIONS = ("airdsAirs", "oneills1850", "ryansMammoth", "miscFolk")  # essenFolksong is not free
LETTERS = dict(zip("CDEFGAB", MAJOR, strict=True))
SHARPS = dict(zip(("F", "C", "G", "D", "A", "E", "B"), range(-1, 6), strict=True))  # of a major key
MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3, "phr": -4, "lyd": 1, "loc": -5}
TOKEN = re.compile(
    r"\{[^}]*\}|\"[^\"]*\"|!\w+!|\[\w:[^\]]*\]|(?P<bar>:?\|+[\]:]*|::)|\((?P<tuple>[2-9])(?::\d*)*"
    r"|\[(?P<chord>[^\]\|]+)\](?P<chord_length>[\d/]*)|(?P<broken>[<>]+)"
    r"|(?P<sign>\^\^|__|[\^_=]?)(?P<pitch>[A-Ga-gzx])(?P<octave>[,']*)(?P<length>\d*/*\d*)"
)
TUPLETS = {2: Fraction(3, 2), 3: Fraction(2, 3), 4: Fraction(3, 4), 5: Fraction(2, 5), 6: Fraction(1, 3)}
LEAST_NOTES = 32


@dataclass(frozen=True)
class Tune:
    """One printed tune."""

    title: str
    collection: str
    number: str
    work: Work

    @property
    def name(self) -> str:
        """The title as far as it tells tunes apart."""
        plain = unicodedata.normalize("NFKD", self.title).encode("ascii", "ignore").decode().lower()
        plain = re.sub(r"\(.*?\)|\[.*?\]|--.*", " ", plain)
        words = re.sub(r"[^a-z0-9 ]", " ", plain).split()
        return " ".join(word for word in words if word not in ("the", "a", "an", "s", "of"))


def fetch(folder: Path) -> Path:
    """The corpus of music21, unpacked below ``folder``; its wheel is downloaded the first time."""
    corpus = folder / "music21" / "corpus"
    if not corpus.is_dir():
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(folder), MUSIC21]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with zipfile.ZipFile(next(folder.glob("music21-*.whl"))) as wheel:
            names = [name for name in wheel.namelist() if name.endswith(".abc")]
            wheel.extractall(folder, names)
    return corpus


def tunes(corpus: Path) -> Iterator[Tune]:
    """All tunes of ``COLLECTIONS`` that can be read and are long enough, each number of a collection once."""
    seen = set()
    for collection in COLLECTIONS:
        for file in sorted((corpus / collection).glob("*.abc")):
            for block in re.split(r"(?m)^(?=X:)", file.read_text("latin-1"))[1:]:
                number = re.match(r"X:\s*(\d+)", block)
                key = (collection, file.stem if collection == "ryansMammoth" else "", number and number[1])
                if key not in seen and (tune := parsed(block, collection)) is not None:
                    seen.add(key)
                    yield tune


def parsed(block: str, collection: str = "") -> Tune | None:
    """One tune of ABC text; None when it is too short or cannot be read."""
    fields = dict(reversed(re.findall(r"(?m)^([A-Z]):[ \t]*(.*?)[ \t]*$", block.partition("\nK:")[0] + "\n")))
    head, _, body = block.partition("\nK:")
    key_text, _, music = body.partition("\n")
    found = re.match(r"\s*([A-G])([#b]?)\s*(\w*)", key_text)
    if not found:
        return None
    mode = found[3].lower()[:3] if found[3].lower() != "m" else "m"
    if mode not in MODES:
        mode = ""
    sharps = SHARPS[found[1]] + 7 * ((found[2] == "#") - (found[2] == "b")) + MODES[mode]
    signature = {"FCGDAEB"[i]: 1 for i in range(max(0, min(sharps, 7)))}
    signature |= {"BEADGCF"[i]: -1 for i in range(max(0, min(-sharps, 7)))}
    metre = {"C": "4/4", "C|": "2/2"}.get(fields.get("M", "4/4"), fields.get("M", "4/4"))
    if not re.fullmatch(r"\d+/\d+", metre):
        return None
    bar = Fraction(metre)
    unit = Fraction(fields["L"]) if re.fullmatch(r"\d+/\d+", fields.get("L", "")) else Fraction(1, 8)
    music = "\n".join(line for line in music.split("\n") if not re.match(r"[A-Za-z]:|%", line)).replace("\\", "")
    notes = played(music, signature, unit)
    if len(notes) < LEAST_NOTES:
        return None
    tonic = (LETTERS[found[1]] + (found[2] == "#") - (found[2] == "b")) % 12
    minor = mode in ("m", "min", "aeo", "dor", "phr")
    # A beat is a third of a bar of 9/8, half of one of 6/8, else a quarter or, in 2/2, a half.
    count, of = map(int, metre.split("/"))
    beat = Fraction(3, 8) if of == 8 and count % 3 == 0 else Fraction(1, 4)
    melody = tuple(Note(float(at / beat), float(length / beat), pitch) for at, length, pitch in notes)
    work = harmonised(melody, MINOR if minor else MAJOR, tonic, float(bar / beat))
    return Tune(fields.get("T", ""), collection, re.match(r"X:\s*(\d*)", head)[1], work)  # pyright: ignore


def played(music: str, signature: dict[str, int], unit: Fraction) -> list[tuple[Fraction, Fraction, int]]:
    """Start, length (both of a whole note) and MIDI number of the notes of ABC ``music``; ornaments are left out."""
    notes: list[tuple[Fraction, Fraction, int]] = []
    at, accidentals, left, factor, swing = Fraction(0), {}, 0, Fraction(1), Fraction(1)
    for token in TOKEN.finditer(music):
        if token["bar"]:
            accidentals = {}
        elif token["tuple"]:
            left = int(token["tuple"])
            factor = TUPLETS.get(left, Fraction(2, left))
        elif token["broken"] and notes:
            short = Fraction(1, 2 ** len(token["broken"]))
            long = 2 - short
            first, swing = (long, short) if token["broken"][0] == ">" else (short, long)
            start, length, pitch = notes[-1]
            notes[-1] = (start, length * first, pitch)
            at = start + length * first
        elif token["pitch"] or token["chord"]:
            inner = token if token["pitch"] else TOKEN.match(token["chord"])
            if not inner or not inner["pitch"]:
                continue
            length = unit * _length(inner["length"]) * _length(token["chord_length"] or "") * swing
            swing = Fraction(1)
            if left:
                length, left = length * factor, left - 1
            letter = inner["pitch"].upper()
            if letter not in "ZX":
                register = inner["pitch"] + inner["octave"]
                if inner["sign"]:
                    accidentals[register] = inner["sign"].count("^") - inner["sign"].count("_")
                pitch = 60 + LETTERS[letter] + 12 * inner["pitch"].islower()
                pitch += 12 * (inner["octave"].count("'") - inner["octave"].count(","))
                notes.append((at, length, pitch + accidentals.get(register, signature.get(letter, 0))))
            at += length
    return notes


def _length(text: str) -> Fraction:
    """``3/2``, ``/``, ``//`` or nothing, as a number."""
    above, slash, below = text.partition("/")
    slashes = text.count("/")
    return Fraction(int(above or 1), int(below.strip("/")) if below.strip("/") else 2**slashes if slash else 1)


def contour(work: Work) -> np.ndarray:
    """Pitch against that of half a beat before, for every half beat [n], in semitones."""
    grid = np.zeros(int(2 * work.beats) + 1)
    for note in work.notes:
        grid[int(2 * note.start) : int(2 * (note.start + note.beats)) + 1] = note.pitch
    return np.diff(grid)


def likeness(first: Work, second: Work) -> float:
    """How much two melodies have in common, in [0, 1], in any key: the best local alignment over the shorter one's."""
    a, b = (np.diff([note.pitch for note in work.notes][:120]) for work in (first, second))
    score = np.zeros((len(a) + 1, len(b) + 1))
    for i in range(len(a)):
        for j in range(len(b)):
            match = score[i, j] + (1.0 if a[i] == b[j] else -1.0)
            score[i + 1, j + 1] = max(0.0, match, score[i, j + 1] - 0.7, score[i + 1, j] - 0.7)
    return float(score.max() / min(len(a), len(b)))


def families(found: list[Tune], least: float = 0.25) -> list[list[Tune]]:
    """Tunes of one name in several collections whose melodies also agree, two or more each."""
    named = defaultdict(list)
    for tune in found:
        if len(tune.name) > 3:
            named[tune.name].append(tune)
    groups = []
    for same in named.values():
        if len({tune.collection for tune in same}) > 1:
            group = [same[0]]
            group += [tune for tune in same[1:] if max(likeness(tune.work, held.work) for held in group) >= least]
            if len({tune.collection for tune in group}) > 1:
                groups.append(group)
    return groups
