"""``auricle index``: fills a library."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from auricle.cli.options import SHARED, InLibrary, option
from auricle.cli.output import amount, clock, print_json

if TYPE_CHECKING:
    from auricle.library import IndexReport

STOPPED = 130


@dataclass
class Command:
    """Listen to every new or changed sound file, once.

    Safe to stop, kill and run again: what was heard stays, moved files are recognised, broken ones are put aside with
    the reason (see `auricle doctor`).
    """

    paths: Annotated[Positional[tuple[Path, ...]], option("PATH")] = ()
    """Folders or files; without any, every folder indexed before."""

    include: Annotated[tuple[str, ...], option("GLOB")] = ()
    """Only files whose path matches, e.g. '*.flac' or 'field/*' (repeatable)."""

    exclude: Annotated[tuple[str, ...], option("GLOB")] = ()
    """Pass over files and folders whose path or name matches (repeatable)."""

    follow_links: Annotated[bool, option()] = False
    """Follow symbolic links, also out of the folders."""

    workers: Annotated[int | None, option("N")] = None
    """Processes that listen (default: one per core)."""

    retry: Annotated[bool, option()] = False
    """Try files again that could not be heard before."""

    no_wait: Annotated[bool, option()] = False
    """When another run is writing to the library, stop instead of waiting for it."""

    prints: Annotated[bool, option()] = False
    """Also take fingerprints, for `auricle identify`; once there are some, they are kept up to date."""

    no_prints: Annotated[bool, option()] = False
    """Take no fingerprints, also if the library has some."""

    engine: Annotated[Literal["local", "ray"], option()] = "local"
    """Where the work is done: in processes here, or over a Ray cluster."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> int:
        from auricle.cli.progress import shown

        library = self.library.open(pandas=self.engine == "ray")
        with shown() as progress:
            report = library.index(
                *self.paths,
                include=self.include,
                exclude=self.exclude,
                follow_links=self.follow_links,
                workers=self.workers,
                retry=self.retry,
                wait=not self.no_wait,
                engine=self.engine,
                prints=None if self.prints == self.no_prints else self.prints,
                progress=progress,
            )
        if self.library.json:
            facts = asdict(report) | {"library": str(library.path), "ear": library.ear, "speed": round(report.speed, 1)}
            print_json({name: value for name, value in facts.items() if name not in ("current", "done")})
        else:
            print("\n".join(summary(report)))
        return STOPPED if report.stopped else 0


def summary(report: "IndexReport") -> list[str]:
    """What a run did, in a few lines; what was nothing is not mentioned."""
    lines = []
    if report.heard:
        heard = f"Heard {amount(report.heard, 'file')}, {clock(report.seconds)} of sound"
        lines.append(f"{heard}, in {clock(report.elapsed)} ({report.speed:,.0f} × real time).")
    fates = {
        "unchanged": report.unchanged,
        "moved or renamed": report.moved,
        "with the same content as another": report.copies,
        "heard again because changed": report.changed,
    }
    if any(fates.values()):
        lines.append("; ".join(f"{count:,} {fate}" for fate, count in fates.items() if count) + ".")
    if report.quarantined:
        lines.append(f"{amount(report.quarantined, 'file')} could not be heard; `auricle doctor` says why.")
    if report.missing:
        lines.append(f"{amount(len(report.missing), 'file')} gone since; `auricle prune` forgets them.")
    if not report.total:
        lines.append("No sound files found.")
    if report.stopped:
        lines.append("Stopped; run the same command again to continue.")
    return lines
