"""``auricle speakers``: who speaks where, and whether two voices are one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from auricle.cli.files import write
from auricle.cli.options import SHARED, InLibrary, ToFile, Where, option
from auricle.cli.output import path, print_json, say, score, span, table, text
from auricle.errors import QueryError

if TYPE_CHECKING:
    from auricle.library.speakers import Turn


@dataclass
class Command:
    """Tell voices apart: who speaks where in the library, where one voice speaks, or whether two are one.

    Needs an ear for voices: auricle index FOLDER --ear ge2e
    """

    verify: Annotated[tuple[str, str] | None, option("FILE FILE")] = None
    """Only say whether two sound files, or excerpts FILE@START-END, are of one voice."""

    like: Annotated[str | None, option("FILE[@START-END]")] = None
    """Only where the voice of this file speaks, most alike first."""

    where: Where = None
    """Only recordings that pass, e.g. "duration > 60"."""

    threshold: Annotated[float | None, option("SCORE")] = None
    """Score from which two voices are one, 0 to 1 (default: 0.5, calibrated for ge2e)."""

    to: Annotated[ToFile, SHARED] = field(default_factory=ToFile)

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        library = self.library.open()
        given = {} if self.threshold is None else {"threshold": self.threshold}
        if self.verify:
            self.same(*self.verify, **given)
        else:
            self.deliver(library.speakers(self.where, like=self.like or "", **given))

    def same(self, one: str, other: str, **threshold: float) -> None:
        """Says whether two sounds are of one voice."""
        from auricle.library.speakers import EAR, verify

        if self.like or self.where or self.to.out or self.to.format:
            raise QueryError("--verify compares two files and nothing else", "Leave the other options out")
        verdict = verify(one, other, self.library.ear or EAR, **threshold)
        if self.library.json:
            print_json(verdict)
        else:
            answer = text("the same voice" if verdict.same else "two voices")
            table(["answer", "score", "threshold"], [[answer, score(verdict.score), text(f"{verdict.threshold:.2f}")]])

    def deliver(self, turns: "Sequence[Turn]") -> None:
        """Prints turns, or writes them where ``-o`` and ``--format`` say."""
        from auricle.types import Event

        if self.to.out or self.to.format:
            events = [Event(turn.path, turn.start, turn.end, turn.speaker, turn.score) for turn in turns]
            write(events, self.to, self.library.json)
        elif not self.library.json:
            rows = ([text(t.speaker), path(t.path), span(t.start, t.end), score(t.score)] for t in turns)
            table(["speaker", "file", "when", "score"], rows)
        if self.library.json:
            print_json(turns)
        if not turns:
            say("Nobody is heard to speak." if self.like is None else "That voice is not heard in this library.")
