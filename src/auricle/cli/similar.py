"""``auricle similar``: what sounds like one recording."""

from dataclasses import dataclass, field
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.files import deliver
from auricle.cli.options import SHARED, InLibrary, Limit, MinScore, ToFile, Where, option
from auricle.cli.output import say


@dataclass
class Command:
    """Find other recordings that sound like one; best first, one hit each."""

    file: Annotated[Positional[str], option("FILE[@START-END]")]
    """A sound file, in the library or not, or an excerpt of it in seconds."""

    where: Where = None
    """Only recordings that pass, e.g. "duration > 60"."""

    limit: Limit = 10
    """Most hits."""

    min_score: MinScore = None
    """Least similarity, 0 to 1."""

    to: Annotated[ToFile, SHARED] = field(default_factory=ToFile)

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        hits = self.library.open().similar(self.file, where=self.where, limit=self.limit, min_score=self.min_score)
        deliver(hits, self.to, self.library.json)
        if not hits:
            say("Nothing here sounds like it. Lower the bar with --min-score 0.2.")
