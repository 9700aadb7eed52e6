"""Sets of voices and of sounds in rooms: Speech Commands, VoxCeleb1, STARSS23."""

import csv
from pathlib import Path

from auricle.data.manifest import Manifest
from auricle.errors import DataError

STARSS_CLASSES = (
    "Female speech, woman speaking", "Male speech, man speaking", "Clapping", "Telephone", "Laughter",
    "Domestic sounds", "Walk, footsteps", "Door, open or close", "Music", "Musical instrument", "Water tap, faucet",
    "Bell", "Knock",
)  # fmt: skip


def speech_commands(root: Path) -> Manifest:
    """``WORD/SPEAKER_nohash_TAKE.wav``, split by the two lists; what is in neither is for training."""
    listed = {
        name: split
        for file, split in (("validation_list.txt", "valid"), ("testing_list.txt", "test"))
        for name in (root / file).read_text("utf-8").split()
    }
    present = {path.relative_to(root).as_posix() for path in root.glob("[!_]*/*_nohash_*.wav")}
    if not present:
        raise DataError(f"{root} holds no WORD/SPEAKER_nohash_TAKE.wav", "Unpack Speech Commands there")
    return Manifest.from_rows(
        (
            {"path": path, "labels": [path.split("/")[0]], "source": Path(path).name.split("_nohash_")[0],
             "split": listed.get(path, "train")}
            for path in sorted(present | set(listed))
        ),
        root,
    )  # fmt: skip


def voxceleb1(root: Path) -> Manifest:
    """``wav/SPEAKER/VIDEO/NUMBER.wav`` (or without ``wav``), by ``iden_split.txt``; a video is a source."""
    above = "wav/" if (root / "wav").is_dir() else ""
    found = []
    for line in (root / "iden_split.txt").read_text("utf-8").splitlines():
        part, _, path = line.strip().partition(" ")
        if part not in ("1", "2", "3") or path.count("/") != 2:
            raise DataError(f"iden_split.txt: {line!r} is no line of it", "Use the file as its authors publish it")
        speaker, video, _ = path.split("/")
        split = ("train", "valid", "test")[int(part) - 1]
        found.append({"path": above + path, "labels": [speaker], "source": f"{speaker}/{video}", "split": split})
    return Manifest.from_rows(found, root)


def starss(root: Path) -> Manifest:
    """``foa_dev/dev-train-sony/fold3_room21_mix001.wav`` and its table in ``metadata_dev``; a room is a source.

    Labels are the classes heard anywhere in the recording; ``metadata`` is the table's path: frame of 100 ms, class,
    source number, azimuth and elevation in degrees, and, in STARSS23, distance in centimetres.
    """
    found = []
    for table in sorted((root / "metadata_dev").glob("dev-*/*.csv")):
        part, place = table.parent.name, table.parent.name.removeprefix("dev-").split("-")
        with table.open(encoding="utf-8", newline="") as file:
            try:
                heard = sorted({int(row[1]) for row in csv.reader(file) if row})
                labels = [STARSS_CLASSES[number] for number in heard]
            except (ValueError, IndexError) as error:
                raise DataError(f"{table} is no table of frame, class, source, azimuth, elevation") from error
        found.append(
            {"path": f"foa_dev/{part}/{table.stem}.wav", "labels": labels, "split": place[0],
             "source": f"{place[-1]}/{table.stem.split('_')[1]}", "metadata": table.relative_to(root).as_posix()}
        )  # fmt: skip
    return Manifest.from_rows(found, root, STARSS_CLASSES)
