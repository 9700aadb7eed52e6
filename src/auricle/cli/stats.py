"""``auricle stats``: the library in numbers."""

from dataclasses import dataclass, field
from typing import Annotated

from auricle.cli.options import SHARED, InLibrary
from auricle.cli.output import brief, clock, facts, print_json, text


@dataclass
class Command:
    """Show the library in numbers: files, hours, ears, formats, most frequent tags."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        stats = self.library.open().stats()
        if self.library.json:
            print_json(stats)
            return
        values = {
            "library": f"{stats['library']}, {stats['bytes'] / 1e6:,.1f} MB",
            "files": f"{stats['files']:,}, of which {stats['recordings']:,} differ",
            "sound": clock(stats["seconds"]),
            "folders": ", ".join(stats["roots"]),
            "ears": counts(stats["ears"], " windows"),
            "formats": counts(stats["formats"]),
            "tags": counts({brief(tag): count for tag, count in stats["tags"].items()}),
            "quarantined": f"{stats['quarantined']:,}",
        }
        facts({name: text(value) for name, value in values.items() if value})


def counts(numbers: dict[str, int], unit: str = "") -> str:
    return ", ".join(f"{name} {count:,}{unit}" for name, count in numbers.items())
