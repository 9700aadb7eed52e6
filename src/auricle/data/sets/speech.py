"""Sets of voices and of sounds in rooms: Speech Commands, VoxCeleb1, STARSS23."""

import csv
from pathlib import Path
from typing import NamedTuple

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


class Trial(NamedTuple):
    """Two recordings of VoxCeleb1, and whether they are of one speaker."""

    same: bool
    enrol: str  # below the set's folder
    test: str


def voxceleb1_trials(root: Path, listed: Path) -> list[Trial]:
    """A trial list as its authors publish it: lines of ``1`` or ``0`` and two of ``SPEAKER/VIDEO/NUMBER.wav``.

    Raises:
        DataError: it cannot be read, or a line of it is something else.
    """
    above = "wav/" if (root / "wav").is_dir() else ""
    try:
        lines = listed.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{listed} cannot be read: {error}", "Name a trial list, such as veri_test2.txt") from error
    trials = []
    for number, line in enumerate(lines, 1):
        match line.split():
            case [("0" | "1") as same, enrol, test] if enrol.count("/") == test.count("/") == 2:
                trials.append(Trial(same == "1", above + enrol, above + test))
            case []:
                pass
            case _:
                problem = f"{listed}, line {number}: {line!r} is no trial"
                raise DataError(problem, "A line is 1 or 0 and two of SPEAKER/VIDEO/NUMBER.wav")
    if {trial.same for trial in trials} != {True, False}:
        raise DataError(f"{listed} has no trials of both kinds", "Name a trial list, such as veri_test2.txt")
    return trials


def voxceleb1_sexes(root: Path) -> dict[str, str]:
    """Each speaker's sex, ``m`` or ``f``, by ``vox1_meta.csv``; nothing where that is not there."""
    table = root / "vox1_meta.csv"
    if not table.is_file():
        return {}
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    try:
        return {row["VoxCeleb1 ID"]: row["Gender"] for row in rows}
    except KeyError as error:
        raise DataError(f"{table} has no column {error}", "Use the file as its authors publish it") from error


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
