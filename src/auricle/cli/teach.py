"""``auricle teach``: tags of one's own, from examples."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from auricle.cli.files import deliver
from auricle.cli.options import SHARED, InLibrary, Limit, ToFile, option
from auricle.cli.output import Cell, amount, print_json, say, score, table, text
from auricle.errors import AuricleError

if TYPE_CHECKING:
    from auricle.library import Library
    from auricle.library.teach import Taught


@dataclass
class Command:
    """Teach a tag of your own from at least 5 sounds that are it and 5 that are not; without a name, list the tags.

    Recordings in the library get the tag at once, new ones while they are indexed. More examples can follow:
    auricle teach "my owl" --show uncertain shows what would help most.
    """

    name: Annotated[Positional[str | None], option("NAME")] = None
    """The tag."""

    yes: Annotated[tuple[str, ...], option("FILE[@START-END]")] = ()
    """It is heard here: an indexed file, an excerpt of it in seconds, or a folder of files (repeatable)."""

    no: Annotated[tuple[str, ...], option("FILE[@START-END]")] = ()
    """It is not heard here (repeatable)."""

    from_labels: Annotated[str | None, option("LABEL")] = None
    """Learn from what was said of LABEL on the page: confirmed and drawn is yes, rejected is no."""

    show: Annotated[Literal["ranked", "uncertain"] | None, option("ranked|uncertain")] = None
    """Show where the tag is heard most surely, or what to give as an example next."""

    limit: Limit = 20
    """Most hits to show."""

    undo: Annotated[bool, option()] = False
    """Take back the last examples, or that the tag was forgotten."""

    forget: Annotated[bool, option()] = False
    """Forget the tag; --undo brings it back."""

    to: Annotated[ToFile, SHARED] = field(default_factory=ToFile)

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        library = self.library.open()
        examples = bool(self.yes or self.no or self.from_labels)
        if examples + self.undo + self.forget > 1:
            raise AuricleError("Examples, --undo and --forget exclude each other", "Give one of them")
        if self.name is None:
            if examples or self.undo or self.forget or self.show:
                raise AuricleError("The tag has no name", "Say which one: auricle teach NAME …")
            self.tell(library.teacher())
        elif self.forget:
            library.teacher.forget(self.name)
            self.tell(library.teacher())
            say(f"{self.name!r} is forgotten; --undo brings it back.")
        elif self.undo:
            left = library.teacher.undo(self.name)
            self.tell(library.teacher())
            say(f"The last lesson about {self.name!r} is taken back{'' if left else ': nothing of it is left'}.")
        elif examples:
            self.learn(library, self.name)
        elif not self.show:
            self.tell(library.teacher.get(self.name))
        if self.show and self.name:
            ask = library.teacher.ranked if self.show == "ranked" else library.teacher.uncertain
            deliver(ask(self.name, self.limit), self.to, self.library.json, label=self.name)

    def learn(self, library: "Library", name: str) -> None:
        from auricle.library.labels import Labels
        from auricle.library.teach import as_examples, from_labels

        positives, negatives = as_examples(library.store, self.yes), as_examples(library.store, self.no)
        if self.from_labels:
            confirmed, rejected = from_labels(Labels(library.store), self.from_labels)
            positives, negatives = [*positives, *confirmed], [*negatives, *rejected]
        taught = library.teacher.teach(name, positives, negatives)
        self.tell(taught)
        if not library.teacher.apply():
            say("The library is being indexed; its recordings get the tag when that is done.")
            return
        quoted = taught.name.replace("'", "''")
        files = len(library.recordings(f"array_has(tags, '{quoted}')"))
        say(f"{amount(files, 'file')} now {'has' if files == 1 else 'have'} the tag. More like it: --show uncertain.")

    def tell(self, taught: "Taught | list[Taught]") -> None:
        """What was taught and how well it is known; hits take its place when they are asked for."""
        if self.show:
            return
        if self.library.json:
            print_json([asdict(one) for one in taught] if isinstance(taught, list) else asdict(taught))
            return
        tags = taught if isinstance(taught, list) else [taught]
        if not tags:
            say("There are no tags of your own. Begin with: auricle teach NAME --yes FILE … --no FILE …")
        table(["tag", "yes", "no", "average precision", "accuracy"], [_row(one) for one in tags])


def _row(one: "Taught") -> list[Cell]:
    estimates = (one.average_precision, one.accuracy)
    shown = [text("not known", "dim") if value is None else score(value) for value in estimates]
    return [text(one.name, "cyan"), text(one.positives), text(one.negatives), *shown]
