"""``auricle export``: takes a library's timeline elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from auricle.cli.files import write
from auricle.cli.options import SHARED, InLibrary, ToFile, Where, option
from auricle.cli.output import print_json

if TYPE_CHECKING:
    from auricle.library import Library
    from auricle.types import Event


@dataclass
class Command:
    """Write what was heard when, or the list of recordings, for other programs; CSV on standard output by default."""

    paths: Annotated[Positional[tuple[Path, ...]], option("PATH")] = ()
    """Indexed files or folders (default: the whole library)."""

    what: Annotated[Literal["events", "recordings"], option()] = "events"
    """Events, or each recording as one stretch named after its first tag."""

    where: Where = None
    """Only recordings that pass, e.g. "duration > 60"."""

    limit: Annotated[int | None, option("N", short="-n")] = None
    """Most rows (default: all)."""

    to: Annotated[ToFile, SHARED] = field(default_factory=ToFile)

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        library = self.library.open()
        if self.what == "events":
            events = library.events(*self.paths, where=self.where, limit=self.limit)
        else:
            events = list(self.recordings(library))[: self.limit]
        to = self.to if self.to.out or self.to.format else replace(self.to, format="csv")
        written = write(events, to, self.library.json)
        if self.library.json:
            print_json(written)

    def recordings(self, library: "Library") -> "Iterator[Event]":
        """Every recording as one event."""
        from auricle.types import Event

        below = [path.expanduser().absolute() for path in self.paths]
        for recording in library.recordings(self.where):
            if not below or any(Path(recording.path).is_relative_to(path) for path in below):
                label, certain = recording.tags[0] if recording.tags else ("", 0.0)
                yield Event(recording.path, 0.0, recording.duration, label, certain)
