"""The mini sets: small real sets of free sounds, kept with the project's sources, for tests and honest small studies.

Where they are not beside the package (in a wheel they are not), set ``AURICLE_MINI`` to a copy of ``data/mini``.
Their numbers compare methods with each other on the same clips; they say nothing about the public sets.
"""

import os
from pathlib import Path

from auricle.data.manifest import Manifest
from auricle.errors import DataError

TASKS = {
    "events": "27 kinds of sound events; 24 of them from two or more sources",
    "drums": "12 kinds of drum strokes by ten authors; report cowbell and conga, do not rank on them",
    "instruments": "25 instruments, one phrase each: a smoke test, too small to be a benchmark",
    "digits": "ten digits in 21 languages, up to four voices each: for few-shot and pretrained models",
    "letters": "A to Z in English, four recordings each: for few-shot and pretrained models",
    "speech": "sentences with their text in 13 languages, one to four voices each",
    "music": "20 s each of 50 pieces: references to identify, with no labels beyond the title",
}
PROTOCOLS = ("held-out", "grouped")


def folder() -> Path:
    """Where the mini sets are.

    Raises:
        DataError: they are neither in ``AURICLE_MINI`` nor beside the package's sources.
    """
    given = os.environ.get("AURICLE_MINI")
    place = Path(given) if given else Path(__file__).parents[3] / "data" / "mini"
    if not place.is_dir():
        problem = f"There are no mini sets in {place}"
        raise DataError(problem, "Get the folder data/mini of auricle's sources and set AURICLE_MINI to it")
    return place


def mini(task: str, protocol: str = "held-out") -> Manifest:
    """The bundled set of one task, split into "train", "valid" and "test".

    Besides the usual columns: ``group`` (takes of one thing), ``seconds``, ``language``, ``text``, and for every clip
    the ``package``, ``version`` and ``file`` it comes from, its ``author``, ``licence`` (SPDX) and ``sha256``.

    Args:
        task: one of ``TASKS``.
        protocol: what test clips must not share with the others. "held-out": the source (package, author or voice):
            the one to publish. "grouped": only the group, 60/20/20, with all classes; easier by about a factor of two.

    Raises:
        DataError: there is no such task or protocol, or the sets are not installed.
    """
    if task not in TASKS:
        raise DataError(f"There is no mini set {task!r}", f"Choose one of {', '.join(TASKS)}")
    if protocol not in PROTOCOLS:
        raise DataError(f"There is no protocol {protocol!r}", f"Choose one of {', '.join(PROTOCOLS)}")
    manifest = Manifest.read(folder() / f"{task}.csv")
    if protocol == "grouped":
        return manifest.with_column("split", manifest.column("split_grouped"))
    placed = manifest.filter(lambda row: bool(row["split"]))
    return placed.keep_classes(sorted({label for labels in placed.column("labels") for label in labels}))
