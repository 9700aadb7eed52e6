"""``auricle identify``: which recording a clip is from, and where in it."""

from dataclasses import dataclass, field
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.options import SHARED, InLibrary, Limit, option
from auricle.cli.output import path, print_json, say, score, span, table, text


@dataclass
class Command:
    """Find the recording that a clip is from, and where in it: through noise, codecs, other speeds and pitches.

    Needs fingerprints: auricle index FOLDER --prints
    """

    clip: Annotated[Positional[str], option("CLIP[@START-END]")]
    """A sound file, or an excerpt of it in seconds; 5 s or more are best."""

    limit: Limit = 10
    """Most stretches of recordings."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        matches = self.library.open().identify(self.clip, limit=self.limit)
        if self.library.json:
            print_json(matches)
        else:
            rows = (
                [path(m.path), span(m.start, m.end), text(f"{m.speed:.3f}"), text(f"{m.pitch:+.1f}"), score(m.score)]
                for m in matches
            )
            table(["file", "when", "speed", "semitones", "score"], rows)
        if not matches:
            say("It is from none of the recordings here.")
