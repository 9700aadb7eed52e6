"""``auricle events``: what was heard when."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.files import deliver
from auricle.cli.options import SHARED, InLibrary, ToFile, Where, option
from auricle.cli.output import say


@dataclass
class Command:
    """Show what was heard when: by file, then by start time."""

    paths: Annotated[Positional[tuple[Path, ...]], option("PATH")] = ()
    """Indexed files or folders (default: the whole library)."""

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

    def run(self) -> None:
        events = self.library.open().events(
            *self.paths, labels=self.label or None, where=self.where, limit=self.limit, **self.thresholds()
        )
        deliver(events, self.to, self.library.json)
        if not events:
            say("Nothing was heard clearly enough. Lower the bar with --on 0.2.")

    def thresholds(self) -> dict[str, float]:
        """Those given; one of them alone moves the other along when it must."""
        given = {name: value for name, value in (("on", self.on), ("off", self.off)) if value is not None}
        return given | ({"off": self.on / 2} if self.on is not None and self.off is None else {})
