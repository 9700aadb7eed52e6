"""Sets of music: GTZAN, MagnaTagATune, MUSDB18-HQ, and versions of works: covers80, SHS100K, Da-TACOS."""

import json
from collections import Counter
from pathlib import Path

from auricle.audio import is_audio_name
from auricle.data.manifest import Manifest
from auricle.data.sets.tags import rows
from auricle.errors import DataError

TAGS = 50  # of MagnaTagATune's 188, as is usual
# MUSDB18's validation tracks, as the authors' loader has them.
MUSDB18_VALID = (
    "Actions - One Minute Smile", "Clara Berry And Wooldog - Waltz For My Victims", "Johnny Lokke - Promises & Lies",
    "Patrick Talbot - A Reason To Leave", "Triviul - Angelsaint", "Alexander Ross - Goodbye Bolero",
    "Fergessen - Nos Palpitants", "Leaf - Summerghost", "Skelpolu - Human Mistakes", "Young Griffo - Pennies",
    "ANiMAL - Rockshow", "James May - On The Line", "Meaxic - Take A Step", "Traffic Experiment - Sirens",
)  # fmt: skip


def gtzan(root: Path) -> Manifest:
    """``genres/blues/blues.00000.wav`` (or ``.au``; or the folder ``genres_original``, or none)."""
    start = next((place for name in ("genres_original", "genres") if (place := root / name).is_dir()), root)
    paths = sorted(path for path in start.glob("*/*.[0-9]*.*") if is_audio_name(path.name))
    if not paths:
        raise DataError(f"{root} holds no genres/GENRE/GENRE.NUMBER.wav", "Unpack GTZAN there as it is published")
    return Manifest.from_rows(
        ({"path": path.relative_to(root).as_posix(), "labels": [path.parent.name]} for path in paths), root
    )


def magnatagatune(root: Path) -> Manifest:
    """``0/NAME.mp3``, or the same in ``mp3/``; a song is a source, classes are the commonest tags first."""
    found = list(rows(root / "annotations_final.csv", "clip_id", "mp3_path", delimiter="\t"))
    tags = [name for name in (found[0] if found else ()) if name not in ("clip_id", "mp3_path")]
    common = Counter({tag: sum(row[tag] == "1" for row in found) for tag in tags}).most_common(TAGS)
    classes = [tag for tag, count in common if count]
    above = "mp3/" if (root / "mp3").is_dir() else ""
    clips = []
    for row in found:
        folder, name = row["mp3_path"].split("/")
        clips.append(
            {
                "path": f"{above}{folder}/{name}",
                "labels": [tag for tag in classes if row[tag] == "1"],
                "source": name.rsplit("-", 2)[0],  # artist-album-track-title-start-end.mp3
                "split": "train" if folder < "c" else "valid" if folder == "c" else "test",
            }
        )
    return Manifest.from_rows(clips, root, classes)


def musdb18(root: Path) -> Manifest:
    """``train/TRACK/mixture.wav`` beside ``vocals``, ``drums``, ``bass`` and ``other``; the track is the source."""
    paths = sorted(path for part in ("train", "test") for path in (root / part).iterdir() if path.is_dir())
    return Manifest.from_rows(
        (
            {
                "path": (path / "mixture.wav").relative_to(root).as_posix(),
                "source": path.name,
                "split": "valid" if path.name in MUSDB18_VALID else path.parent.name,
            }
            for path in paths
        ),
        root,
    )


def covers80(root: Path) -> Manifest:
    """``covers32k/WORK/ARTIST+ALBUM+TRACK-TITLE.mp3``; the work is label and source."""
    paths = sorted(path for path in (root / "covers32k").glob("*/*") if is_audio_name(path.name))
    return Manifest.from_rows(
        (
            {"path": path.relative_to(root).as_posix(), "labels": [path.parent.name], "source": path.parent.name,
             "artist": path.name.split("+")[0].replace("_", " ")}
            for path in paths
        ),
        root,
    )  # fmt: skip


def shs100k(root: Path) -> Manifest:
    """Lines of ``list`` (set, version, title, performer, link, state), split by the files of set and version."""
    split = {}
    for part, name in (("TRAIN", "train"), ("VAL", "valid"), ("TEST", "test")):
        for line in (root / f"SHS100K-{part}").read_text("utf-8").splitlines():
            split[tuple(line.split("\t")[:2])] = name
    found = []
    for line in (root / "list").read_text("utf-8").splitlines():
        work, version, title, performer, link, *_ = (*line.split("\t"), "", "", "", "", "")
        place = split.get((work, version), "")
        found.append(
            {"path": f"audio/{work}_{version}.wav", "labels": [work], "source": work, "split": place, "title": title,
             "artist": performer, "link": link}
        )  # fmt: skip
    return Manifest.from_rows(found, root)


def datacos(root: Path, feature: str = "cens") -> Manifest:
    """``da-tacos_benchmark_subset_cens/W_1_cens/P_1_cens.h5``; the work is label and source."""
    subset = "da-tacos_benchmark_subset"
    works = json.loads((root / f"{subset}_metadata.json").read_text("utf-8"))
    return Manifest.from_rows(
        (
            {"path": f"{subset}_{feature}/{work}_{feature}/{performance}_{feature}.h5", "labels": [work],
             "source": work, "title": facts.get("perf_title", ""), "artist": facts.get("perf_artist", "")}
            for work, performances in works.items() for performance, facts in performances.items()
        ),
        root,
    )  # fmt: skip
