"""File names after recordings: readable, allowed on every system, and never the same for two recordings."""

import hashlib
import re
from collections import Counter
from collections.abc import Collection
from pathlib import PureWindowsPath
from unicodedata import normalize

_LONGEST = 150  # bytes; most systems allow 255, and an extension and a hash follow
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(10))}


def file_names(paths: Collection[str], extension: str) -> dict[str, str]:
    """For each path a file name: its stem, followed by a hash of the path where stems are alike.

    >>> file_names(["farm/rooster.ogg", "a/dog.wav", "b/dog.wav"], ".txt")
    {'farm/rooster.ogg': 'rooster.txt', 'a/dog.wav': 'dog-61d4aaed.txt', 'b/dog.wav': 'dog-a2c435ca.txt'}
    """
    stems = {path: _stem(path) for path in paths}
    counts = Counter(map(_folded, stems.values()))
    for digits in (8, 64):
        names = {
            path: stem if counts[_folded(stem)] == 1 and digits == 8 else f"{stem}-{_hash(path)[:digits]}"
            for path, stem in stems.items()
        }
        if len(set(map(_folded, names.values()))) == len(names):
            break  # else a recording is named like the hashed name of another: then every name gets its whole hash
    return {path: name + extension for path, name in names.items()}


def _stem(path: str) -> str:
    """The last part of a path without its suffix, and without what any file system forbids."""
    stem = re.sub(r'[<>:"|?*\x00-\x1f\x7f\ud800-\udfff]', "_", PureWindowsPath(path).stem)  # it splits at / and \
    stem = stem.encode()[:_LONGEST].decode(errors="ignore").strip(". ")
    return f"_{stem}" if stem.split(".")[0].upper() in _RESERVED or not stem else stem


def _folded(name: str) -> str:
    """What a file system that ignores case and Unicode composition takes for the same name."""
    return normalize("NFC", name).casefold()


def _hash(path: str) -> str:
    return hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()
