"""FSD50K as its authors publish it (Fonseca et al. 2022; Zenodo record 4060432)."""

import csv
import json
from os import PathLike
from pathlib import Path

from auricle.data.manifest import Manifest
from auricle.errors import DataError

SIZES = {"train": 36_796, "valid": 4_170, "test": 10_231}  # clips
CLASSES = 200
GROUND_TRUTH, METADATA = "FSD50K.ground_truth", "FSD50K.metadata"
DEV_AUDIO, EVAL_AUDIO = "FSD50K.dev_audio", "FSD50K.eval_audio"


def read(root: str | PathLike[str]) -> Manifest:
    """FSD50K below ``root`` as a manifest: splits "train", "valid" and "test", classes in the vocabulary's order.

    ``source`` is the uploader and ``licence`` the clip's, where the metadata is there. The sounds need not be; see
    ``report`` for what is missing.

    Raises:
        DataError: the ground truth is missing or of another layout.
    """
    root = Path(root)
    vocabulary = [row[1:3] for row in _rows(root / GROUND_TRUTH / "vocabulary.csv")]
    names, mids = (list(column) for column in zip(*vocabulary, strict=True))
    if len(set(names)) != CLASSES:
        raise DataError(f"{root / GROUND_TRUTH / 'vocabulary.csv'} lists {len(set(names))} classes, not {CLASSES}")
    code = dict(zip(names, mids, strict=True))
    rows = []
    for part, audio in (("dev", DEV_AUDIO), ("eval", EVAL_AUDIO)):
        table = _rows(root / GROUND_TRUTH / f"{part}.csv")
        if table[0][:3] != ["fname", "labels", "mids"]:
            raise DataError(f"{part}.csv begins with {', '.join(table[0])}", "Use the files of FSD50K.ground_truth.zip")
        clips = _clips(root / METADATA / f"{part}_clips_info_FSD50K.json")
        for fname, labels, mids, *split in table[1:]:
            labels = labels.split(",")
            if [code.get(label) for label in labels] != mids.split(","):
                raise DataError(f"{part}.csv: the mids of {fname} are not those of its labels")
            info = clips.get(fname, {})
            rows.append(
                {
                    "path": f"{audio}/{fname}.wav",
                    "labels": labels,
                    "source": info.get("uploader", ""),
                    "split": {"train": "train", "val": "valid"}[split[0]] if split else "test",
                    "licence": info.get("license", ""),
                    "title": info.get("title", ""),
                }
            )
    return Manifest.from_rows(rows, root, names)


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except OSError as error:
        raise DataError(f"{path} is missing", "Unpack FSD50K.ground_truth.zip beside the sounds") from error
    if not rows:
        raise DataError(f"{path} is empty", "Unpack FSD50K.ground_truth.zip anew")
    return rows


def _clips(path: Path) -> dict[str, dict[str, str]]:
    return json.loads(path.read_text("utf-8")) if path.exists() else {}
