"""``auricle prune``: forgets files that are gone."""

import os
import sys
from dataclasses import dataclass, field
from typing import Annotated

from auricle.cli.options import SHARED, InLibrary, option
from auricle.cli.output import amount, print_json, say
from auricle.errors import AuricleError


@dataclass
class Command:
    """Forget indexed files that are no longer there, after asking. Sound files are never touched."""

    yes: Annotated[bool, option(short="-y")] = False
    """Do not ask."""

    dry_run: Annotated[bool, option()] = False
    """Only say what would be forgotten."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        library = self.library.open()
        gone = library.doctor()["missing"]
        if gone and not self.dry_run:
            if not self.library.json:
                print("\n".join(gone))
            if not self.yes and not agreed(gone):
                say("Nothing was forgotten.")
                return
            gone = library.prune()
        if self.library.json:
            print_json({"forgotten": gone, "dry_run": self.dry_run})
        elif self.dry_run and gone:
            print("\n".join(gone))
            say(f"{amount(len(gone), 'file')} would be forgotten.")
        else:
            say(f"{amount(len(gone), 'file')} forgotten." if gone else "Every indexed file is still there.")


def agreed(gone: list[str]) -> bool:
    """Asks on the terminal.

    Raises:
        AuricleError: there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise AuricleError(f"{amount(len(gone), 'file')} would be forgotten", "Confirm with --yes, or try --dry-run")
    common = os.path.commonpath([os.path.dirname(path) for path in gone])
    where = "" if os.path.isdir(common) else f" ({common} is gone as a whole: is a disk not mounted?)"
    say(f"Forget {amount(len(gone), 'file')}?{where} [y/N]")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
