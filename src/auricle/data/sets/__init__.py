"""Public data sets from a local copy, in the layout their authors publish: read, checked and counted, never fetched.

>>> from auricle.data import sets
>>> print(sets.report("esc50", "~/data/ESC-50-master"))
>>> events = sets.load("esc50", "~/data/ESC-50-master")

A copy may also lie in ``$AURICLE_DATA/NAME``; then no folder need be given.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from auricle.data.manifest import Manifest
from auricle.data.sets import fsd50k, music, speech, tags
from auricle.errors import DataError


@dataclass(frozen=True)
class Set:
    """What is known of a public data set."""

    title: str
    read: Callable[[Path], Manifest]
    sizes: Mapping[str, int]  # clips of each split, as published
    tables: tuple[str, ...]  # files of labels, below its folder; without them it cannot be read
    licence: str  # of the set, as its authors state it
    note: str = ""  # what to know before using it


SETS: dict[str, Set] = {
    "audiocaps": Set(
        "AudioCaps", tags.audiocaps, {"train": 49_838, "valid": 2_475, "test": 4_875},
        ("dataset/train.csv", "dataset/val.csv", "dataset/test.csv"), "captions MIT; sounds those of YouTube",
        "One row a caption: 5 in valid and test. Sounds are to lie in audio/ID_START.wav; many videos are gone",
    ),
    "audioset": Set(
        "AudioSet", tags.audioset, {"train": 22_160, "test": 20_371},
        ("class_labels_indices.csv", "balanced_train_segments.csv", "eval_segments.csv"),
        "labels CC-BY-4.0; sounds those of YouTube",
        "Sounds are to lie in audio/YTID_START.wav; unbalanced_train_segments.csv adds split 'unbalanced'",
    ),
    "clotho": Set(
        "Clotho 2.1", tags.clotho, {"train": 3_839, "valid": 1_045, "test": 1_045},
        tuple(f"clotho_captions_{part}.csv" for part in ("development", "validation", "evaluation")),
        "captions non-commercial with attribution (Tampere University); sounds as in clotho_metadata_*.csv",
    ),
    "covers80": Set(
        "covers80", music.covers80, {"": 160}, ("covers32k",), "none stated; for research",
        "80 works, two versions each; a work is the label",
    ),
    "datacos": Set(
        "Da-TACOS benchmark", music.datacos, {"": 15_000}, ("da-tacos_benchmark_subset_metadata.json",),
        "metadata CC-BY-NC-SA-4.0",
        "Features only (CENS, HPCP, …), no sounds; 2,000 works have a single version, to distract",
    ),
    "esc50": Set(
        "ESC-50", tags.esc50, {str(fold): 400 for fold in range(1, 6)}, ("meta/esc50.csv",),
        "CC-BY-NC-3.0; the ten classes of ESC-10 CC-BY-3.0", "Splits are the five folds: test on each in turn",
    ),
    "fsd50k": Set(
        "FSD50K", fsd50k.read, fsd50k.SIZES,
        tuple(f"FSD50K.ground_truth/{part}.csv" for part in ("dev", "eval", "vocabulary")),
        "CC-BY-4.0; clips CC0, CC-BY, CC-BY-NC or CC Sampling+", "Several zip parts: merge with zip -s 0 first",
    ),
    "gtzan": Set(
        "GTZAN", music.gtzan, {"": 1_000}, (), "none stated; for research",
        "Holds repeated, mislabelled and distorted clips (Sturm 2013); jazz.00054 of one common copy is unreadable",
    ),
    "magnatagatune": Set(
        "MagnaTagATune", music.magnatagatune, {"train": 18_706, "valid": 1_825, "test": 5_329},
        ("annotations_final.csv",), "CC-BY-NC-SA-3.0",
        "The 50 commonest tags; split by folder (0–b, c, d–f). Three files of the published copy are empty",
    ),
    "musdb18": Set(
        "MUSDB18-HQ", music.musdb18, {"train": 86, "valid": 14, "test": 50}, ("train", "test"),
        "educational use only; tracks as in its tracklist", "Paths are the mixtures; the stems lie beside them",
    ),
    "shs100k": Set(
        "SHS100K", music.shs100k, {}, ("list", "SHS100K-TRAIN", "SHS100K-VAL", "SHS100K-TEST"), "none stated",
        "A list of YouTube links, many gone; sounds are to lie in audio/SET_VERSION.wav. A work is the label",
    ),
    "speech_commands": Set(
        "Speech Commands 0.02", speech.speech_commands, {"train": 84_843, "valid": 9_981, "test": 11_005},
        ("validation_list.txt", "testing_list.txt"), "CC-BY-4.0", "35 words; a speaker is a source",
    ),
    "starss23": Set(
        "STARSS23 (DCASE sound event localisation)", speech.starss, {"train": 90, "test": 78},
        ("metadata_dev",), "MIT",
        "First-order ambisonics of 4 channels; labels are the classes heard, and where they are is in 'metadata'",
    ),
    "urbansound8k": Set(
        "UrbanSound8K", tags.urbansound8k,
        dict(zip(map(str, range(1, 11)), (873, 888, 925, 990, 936, 823, 838, 806, 816, 837), strict=True)),
        ("metadata/UrbanSound8K.csv",), "CC-BY-NC-3.0", "Splits are the ten folds: never mix them anew",
    ),
    "voxceleb1": Set(
        "VoxCeleb1", speech.voxceleb1, {"train": 138_361, "valid": 6_904, "test": 8_251}, ("iden_split.txt",),
        "labels CC-BY-SA-4.0; sounds those of YouTube",
        "The identification split; for verification, leave out speakers whose names begin with E (id10270–id10309)",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Report:
    """How complete a copy is. As text, a short report with the licence."""

    name: str
    listed: Mapping[str, int]  # clips of each split in the labels
    expected: Mapping[str, int]  # as published
    present: int  # clips whose files are there
    missing: tuple[str, ...]  # paths of the others
    digests: Mapping[str, str]  # SHA-256 of every file of labels

    @property
    def complete(self) -> bool:
        """Whether all clips are listed as published, and all their files there."""
        return not self.missing and (not self.expected or dict(self.listed) == dict(self.expected))

    def __str__(self) -> str:
        known = SETS[self.name]
        lines = [f"{known.title}: {'complete' if self.complete else 'not complete'}", f"Licence: {known.licence}"]
        lines += [f"Note: {known.note}"] if known.note else []
        for split in dict.fromkeys([*self.expected, *self.listed]):
            published = f" of {self.expected[split]:,}" if split in self.expected else ""
            lines.append(f"{split or 'all'}: {self.listed.get(split, 0):,}{published} clips listed")
        lines.append(f"{self.present:,} files are there, {len(self.missing):,} are missing")
        lines += [f"  missing: {path}" for path in self.missing[:5]] + ["  …"] * (len(self.missing) > 5)
        return "\n".join(lines + [f"{table}: sha256 {digest}" for table, digest in self.digests.items()])


def load(name: str, root: str | PathLike[str] | None = None) -> Manifest:
    """A public data set as a manifest with its official splits.

    Args:
        name: one of ``SETS``.
        root: its folder; None for ``$AURICLE_DATA/NAME``.

    Raises:
        DataError: there is no such set, no copy there, or its layout is another.
    """
    known, folder = _found(name, root)
    return known.read(folder)


def report(name: str, root: str | PathLike[str] | None = None) -> Report:
    """What a copy holds against what was published: clips listed, files there, checksums of the labels.

    Raises:
        DataError: as ``load``.
    """
    known, folder = _found(name, root)
    manifest = known.read(folder)
    missing = tuple(
        path for path, place in zip(manifest.column("path"), manifest.paths, strict=True) if not place.exists()
    )
    files = [folder / table for table in known.tables if (folder / table).is_file()]
    return Report(
        name,
        dict(Counter(manifest.column("split"))),
        known.sizes,
        len(manifest) - len(missing),
        tuple(dict.fromkeys(missing)),
        {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
    )


def _found(name: str, root: str | PathLike[str] | None) -> tuple[Set, Path]:
    """What is known of the set, and its folder, which holds the set's tables."""
    if name not in SETS:
        raise DataError(f"There is no data set {name!r}", f"Known are {', '.join(SETS)}")
    if root is None and "AURICLE_DATA" not in os.environ:
        raise DataError(f"Where {name} lies is not known", "Give its folder, or set AURICLE_DATA to the one above it")
    folder = Path(os.environ["AURICLE_DATA"]) / name if root is None else Path(root).expanduser()
    for table in SETS[name].tables:
        if not (folder / table).exists():
            raise DataError(f"{folder} holds no {table}", f"Unpack {SETS[name].title} there as it is published")
    return SETS[name], folder
