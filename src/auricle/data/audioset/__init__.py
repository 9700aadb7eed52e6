"""AudioSet's 521 classes in YAMNet's order, and what each sounds like in plain words.

Gemmeke et al., "Audio Set: An ontology and human-labeled dataset for audio events", ICASSP 2017. The 521 are its 527
evaluation classes less six that YAMNet leaves out. The descriptions are auricle's own.
"""

import csv
import io
import json
from functools import cache
from importlib.resources import files

_HERE = files(__name__)
_LEFT_OUT = {  # by YAMNet: index among the 527 -> name
    1: "Male speech, man speaking",
    2: "Female speech, woman speaking",
    12: "Battle cry",
    32: "Male singing",
    33: "Female singing",
    277: "Funny music",
}


@cache
def classes() -> tuple[str, ...]:
    """Display names, e.g. ``"Dog"``, in the order of a score's columns [521]."""
    return tuple(row["display_name"] for row in _rows())


@cache
def evaluation_classes() -> tuple[str, ...]:
    """Display names of all 527 evaluation classes in AudioSet's order, that of ``class_labels_indices.csv``."""
    names = list(classes())
    for place, name in _LEFT_OUT.items():
        names.insert(place, name)
    return tuple(names)


@cache
def mids() -> tuple[str, ...]:
    """Identifiers in the ontology, e.g. ``"/m/0bt9lr"``, in the order of ``classes`` [521]."""
    return tuple(row["mid"] for row in _rows())


@cache
def descriptions() -> dict[str, list[str]]:
    """Plain descriptions of what every class sounds like, five each, by display name."""
    return json.loads(_HERE.joinpath("descriptions.json").read_text(encoding="utf-8"))


@cache
def _rows() -> list[dict[str, str]]:
    with io.StringIO(_HERE.joinpath("classes.csv").read_text(encoding="utf-8"), newline="") as table:
        return list(csv.DictReader(table))
