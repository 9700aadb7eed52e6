"""``auricle versions``: other performances of the same work."""

from dataclasses import dataclass, field
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.options import SHARED, InLibrary, Limit, MinScore, Where, option
from auricle.cli.output import path, print_json, say, score, table


@dataclass
class Command:
    """Find other performances of the same work as a song: covers, live takes, arrangements; best first.

    Needs an ear for works: auricle index FOLDER --ear bytecover3
    """

    song: Annotated[Positional[str], option("SONG[@START-END]")]
    """A sound file, in the library or not, or an excerpt of it in seconds."""

    where: Where = None
    """Only recordings that pass, e.g. "duration > 60"."""

    limit: Limit = 10
    """Most versions."""

    min_score: MinScore = None
    """Least score, 0 to 1 (default: calibrated for bytecover3)."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        given = {} if self.min_score is None else {"min_score": self.min_score}
        found = self.library.open().versions(self.song, where=self.where, limit=self.limit, **given)
        if self.library.json:
            print_json(found)
        else:
            table(["score", "file"], [[score(version.score), path(version.path)] for version in found])
        if not found:
            say("No other version of it is heard in this library.")
