"""``auricle events``: what was heard when."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional

from auricle.cli.files import deliver
from auricle.cli.options import SHARED, InLibrary, ToFile, Where, option
from auricle.cli.output import say, warn
from auricle.cli.tag import found
from auricle.errors import AudioError, QueryError

if TYPE_CHECKING:
    from auricle.types import Event


@dataclass
class Command:
    """Show what was heard when: by file, then by start time."""

    paths: Annotated[Positional[tuple[Path, ...]], option("PATH")] = ()
    """Indexed files or folders (default: the whole library); with --system, any files or folders."""

    system: Annotated[str | None, option("NAME[@TAG]")] = None
    """Have a detector hear the files now, without a library; NAME=FILE for weights of one's own (e.g. hts_at=FILE)."""

    label: Annotated[tuple[str, ...], option("NAME")] = ()
    """Only this class (repeatable); `auricle tag --classes` lists them."""

    on: Annotated[float | None, option("SCORE")] = None
    """Score at which something is heard, 0 to 1 (default: 0.4)."""

    off: Annotated[float | None, option("SCORE")] = None
    """Score down to which it goes on (default: half of --on)."""

    where: Where = None
    """Only recordings that pass, e.g. "duration > 60"."""

    limit: Annotated[int | None, option("N", short="-n")] = None
    """Most events (default: all)."""

    to: Annotated[ToFile, SHARED] = field(default_factory=ToFile)

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> int:
        events, code = self.detected() if self.system else (self.known(), 0)
        deliver(events, self.to, self.library.json)
        if not events and not code:
            say("Nothing was heard clearly enough. Lower the bar with --on 0.2.")
        return code

    def known(self) -> "list[Event]":
        """Events in the library."""
        return self.library.open().events(
            *self.paths, labels=self.label or None, where=self.where, limit=self.limit, **self.thresholds()
        )

    def detected(self) -> "tuple[list[Event], int]":
        """Events that ``system`` finds in files; one that cannot be heard does not stop the others."""
        if not self.paths or self.where:
            problem = "--where asks the library, and --system does not" if self.where else "There is no file to hear"
            raise QueryError(problem, f"Name files: auricle events --system {self.system} FILE")
        self.library.apply()
        from auricle.hub.detector import open_detector
        from auricle.library import detect

        detector = open_detector(str(self.system))
        events, code = [], 0
        for file in (file for named in self.paths for file in found(named)):
            try:
                events += detect(file, detector, labels=self.label or None, **self.thresholds())
            except AudioError as error:
                warn(error)
                code = 1
        return events[: self.limit], code

    def thresholds(self) -> dict[str, float]:
        """Those given; one of them alone moves the other along when it must."""
        given = {name: value for name, value in (("on", self.on), ("off", self.off)) if value is not None}
        return given | ({"off": self.on / 2} if self.on is not None and self.off is None else {})
