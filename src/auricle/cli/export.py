"""``auricle export``: takes a library's timeline, or a model, elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from auricle.cli.files import write
from auricle.cli.options import SHARED, InLibrary, ToFile, Where, option
from auricle.cli.output import print_json
from auricle.errors import AuricleError

if TYPE_CHECKING:
    from auricle.library import Library
    from auricle.types import Event


@dataclass
class Command:
    """Write what was heard when, or the list of recordings, for other programs; CSV on standard output by default.

    With --to, write a model as an ONNX file instead, front-end inside: auricle export MODEL --to FILE.onnx. It can be
    used without torch, as in auricle index --ear FILE.onnx.
    """

    paths: Annotated[Positional[tuple[Path, ...]], option("PATH")] = ()
    """Indexed files or folders (default: the whole library); with --to, a system or a folder of a saved model."""

    model_file: Annotated[Path | None, option("FILE.onnx", name="to")] = None
    """Write the model here and say how close it is."""

    int8: Annotated[bool, option()] = False
    """With --to: store weights in 8 bits, a quarter of the size."""

    what: Annotated[Literal["events", "recordings"], option()] = "events"
    """Events, or each recording as one stretch named after its first tag."""

    where: Where = None
    """Only recordings that pass, e.g. "duration > 60"."""

    limit: Annotated[int | None, option("N", short="-n")] = None
    """Most rows (default: all)."""

    to: Annotated[ToFile, SHARED] = field(default_factory=ToFile)

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        if self.model_file:
            self.export_model(self.model_file)
        else:
            self.export_library()

    def export_library(self) -> None:
        """Writes events or recordings."""
        library = self.library.open()
        if self.what == "events":
            events = library.events(*self.paths, where=self.where, limit=self.limit)
        else:
            events = list(self.recordings(library))[: self.limit]
        to = self.to if self.to.out or self.to.format else replace(self.to, format="csv")
        written = write(events, to, self.library.json)
        if self.library.json:
            print_json(written)

    def export_model(self, target: Path) -> None:
        """Writes one model as ONNX."""
        from auricle.hub.ear import TorchEar, open_ear
        from auricle.hub.export import export

        if len(self.paths) != 1:
            raise AuricleError("--to writes one model", "Name it: auricle export MODEL --to FILE.onnx")
        self.library.apply()
        ear = open_ear(str(self.paths[0]))
        if not isinstance(ear, TorchEar):
            raise AuricleError(f"{ear.name} is no torch model", "Those of the extra [train] can be exported")
        window, hop = ear.window / ear.sample_rate, ear.hop / ear.sample_rate
        parity = export(ear.model, target, name=ear.name.partition("@")[0], window=window, hop=hop, int8=self.int8)
        if self.library.json:
            print_json([{"path": str(target), "format": "onnx"} | parity._asdict()])
            return
        print(f"{target}: {parity.bytes / 1e6:.1f} MB")
        print(f"Against torch: embeddings within {parity.embedding:.1e} of their range, scores {parity.scores:.1e}.")

    def recordings(self, library: "Library") -> "Iterator[Event]":
        """Every recording as one event."""
        from auricle.types import Event

        below = [path.expanduser().absolute() for path in self.paths]
        for recording in library.recordings(self.where):
            if not below or any(Path(recording.path).is_relative_to(path) for path in below):
                label, certain = recording.tags[0] if recording.tags else ("", 0.0)
                yield Event(recording.path, 0.0, recording.duration, label, certain)
