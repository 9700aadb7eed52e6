"""``auricle show``: what is known of one file."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.options import SHARED, InLibrary, option
from auricle.cli.output import clock, facts, jsonable, path, print_json, tags, text


@dataclass
class Command:
    """Show what is known of one indexed file."""

    file: Annotated[Positional[Path], option("FILE")]
    """An indexed file."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        recording = self.library.open().show(self.file)
        if self.library.json:
            print_json(recording)
            return
        cells = {
            "path": path(recording.path),
            "duration": text(clock(recording.duration)),
            "modified": text(datetime.fromtimestamp(recording.modified).astimezone().isoformat(timespec="seconds")),
            "tags": tags(recording.tags),
        }
        facts({name: text(value) for name, value in jsonable(recording).items() if value not in (None, "")} | cells)
