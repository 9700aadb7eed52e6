"""``auricle export``: takes a library's events or recordings elsewhere."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional

from auricle.cli.options import SHARED, InLibrary, ToFile, Where, option


@dataclass
class Command:
    """Write a library's timeline, or the list of its recordings, to files of other programs."""

    paths: Annotated[Positional[tuple[Path, ...]], option("PATH")] = ()
    """Indexed files or folders (default: the whole library)."""

    what: Annotated[Literal["events", "recordings"], option()] = "events"
    """What was heard when, or one stretch for each recording."""

    where: Where = None
    """Only recordings that pass, e.g. "duration > 60"."""

    to: Annotated[ToFile, SHARED] = field(default_factory=ToFile)

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)
