"""``auricle duplicates``: files that hold the same sound."""

from dataclasses import dataclass, field
from typing import Annotated

from auricle.cli.options import SHARED, InLibrary, Where, option
from auricle.cli.output import Cell, clock, print_json, say, score, short, table, text


@dataclass
class Command:
    """Find files that hold the same sound: byte for byte, or encoded again."""

    where: Where = None
    """Only recordings that pass, e.g. "path LIKE '%takes%'"."""

    limit: Annotated[int | None, option("N", short="-n")] = None
    """Most groups (default: all)."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        groups = self.library.open().duplicates(self.where)[: self.limit]
        if self.library.json:
            print_json(groups)
            return
        table(
            ["kind", "score", "length", "files"],
            [
                [
                    text(group.kind),
                    score(group.score),
                    Cell(f"{group.duration:.3f}", clock(group.duration)),
                    Cell("\t".join(group.paths), "\n".join(map(short, group.paths)), "cyan"),
                ]
                for group in groups
            ],
        )
        if not groups:
            say("No two files hold the same sound.")
