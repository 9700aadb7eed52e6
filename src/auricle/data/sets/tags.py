"""Sets of tagged and captioned sounds: ESC-50, UrbanSound8K, AudioSet, AudioCaps, Clotho."""

import csv
from collections.abc import Iterator
from pathlib import Path

from auricle.data.manifest import Manifest
from auricle.errors import DataError


def rows(path: Path, *columns: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    """The rows of a table with a header that has all of ``columns``.

    Raises:
        DataError: it is no such table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter, skipinitialspace=True)
            if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
                raise DataError(f"{path} has no column {missing[0]!r}", "Use the file as its authors publish it")
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a readable table: {error}") from error


def esc50(root: Path) -> Manifest:
    """``audio/1-100032-A-0.wav``; sources are the Freesound clips, splits the folds "1" to "5"."""
    return Manifest.from_rows(
        (
            {"path": f"audio/{row['filename']}", "labels": [row["category"]], "source": row["src_file"],
             "split": row["fold"], "esc10": row["esc10"] == "True"}
            for row in rows(root / "meta/esc50.csv", "filename", "fold", "category", "esc10", "src_file")
        ),
        root,
    )  # fmt: skip


def urbansound8k(root: Path) -> Manifest:
    """``audio/fold1/7061-6-0-0.wav``; sources are the Freesound clips, splits the folds "1" to "10"."""
    columns = ("slice_file_name", "fsID", "fold", "class", "salience")
    return Manifest.from_rows(
        (
            {"path": f"audio/fold{row['fold']}/{row['slice_file_name']}", "labels": [row["class"]],
             "source": row["fsID"], "split": row["fold"], "salience": row["salience"]}
            for row in rows(root / "metadata/UrbanSound8K.csv", *columns)
        ),
        root,
    )  # fmt: skip


def audioset(root: Path) -> Manifest:
    """Segments of ten seconds; classes are display names in the order of ``class_labels_indices.csv``."""
    names = {row["mid"]: row["display_name"] for row in rows(root / "class_labels_indices.csv", "mid", "display_name")}
    parts = {"balanced_train": "train", "eval": "test", "unbalanced_train": "unbalanced"}
    found = []
    for part, split in parts.items():
        if not (path := root / f"{part}_segments.csv").exists():
            continue
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.reader((line for line in file if not line.startswith("#")), skipinitialspace=True):
                try:
                    video, start, _, mids = row
                    labels = [names[mid] for mid in mids.split(",")]
                except (ValueError, KeyError) as error:
                    raise DataError(f"{path}: {', '.join(row)} is no segment ({error})") from error
                clip = f"audio/{video}_{float(start):g}.wav"
                found.append({"path": clip, "labels": labels, "source": video, "split": split})
    return Manifest.from_rows(found, root, tuple(dict.fromkeys(names.values())))


def audiocaps(root: Path) -> Manifest:
    """One row a caption, in ``text``; a video is a source."""
    parts = {"train": "train", "val": "valid", "test": "test"}
    columns = ("audiocap_id", "youtube_id", "start_time", "caption")
    return Manifest.from_rows(
        (
            {"path": f"audio/{row['youtube_id']}_{float(row['start_time']):g}.wav", "source": row["youtube_id"],
             "split": split, "text": row["caption"]}
            for part, split in parts.items() for row in rows(root / f"dataset/{part}.csv", *columns)
        ),
        root,
    )  # fmt: skip


def clotho(root: Path) -> Manifest:
    """``development/NAME.wav`` with five captions, in ``captions``."""
    parts = {"development": "train", "validation": "valid", "evaluation": "test"}
    five = [f"caption_{number}" for number in range(1, 6)]
    return Manifest.from_rows(
        (
            {"path": f"{part}/{row['file_name']}", "source": row["file_name"], "split": split,
             "captions": [row[name] for name in five]}
            for part, split in parts.items() for row in rows(root / f"clotho_captions_{part}.csv", "file_name", *five)
        ),
        root,
    )  # fmt: skip
