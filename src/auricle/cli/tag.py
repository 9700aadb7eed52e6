"""``auricle tag``: what files sound like, without a library."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.options import SHARED, Anywhere, option
from auricle.cli.output import path, print_json, table, tags, warn
from auricle.errors import AuricleError


@dataclass
class Command:
    """Say what files sound like: tags with scores, best first. Needs no library."""

    files: Annotated[Positional[tuple[Path, ...]], option("FILE")] = ()
    """Sound files, or folders of them."""

    limit: Annotated[int, option("N", short="-n")] = 5
    """Most tags of a file."""

    min_score: Annotated[float, option("SCORE")] = 0.1
    """Least score, 0 to 1."""

    ear: Annotated[str, option("NAME[@TAG]")] = "yamnet"
    """Which ear listens; NAME=FOLDER for weights of one's own."""

    classes: Annotated[bool, option()] = False
    """Print the names of all classes the ear knows, and nothing else."""

    anywhere: Annotated[Anywhere, SHARED] = field(default_factory=Anywhere)

    def run(self) -> int:
        self.anywhere.apply()
        if self.classes:
            return self.print_classes()
        if not self.files:
            raise AuricleError("There is no file to listen to", "Name one: auricle tag FILE")
        answers = [self.listen(file) for named in self.files for file in found(named)]
        if self.anywhere.json:
            print_json(answers)
        else:
            heard = [answer for answer in answers if "error" not in answer]
            table(["file", "sounds like"], [[path(answer["path"]), tags(answer["tags"])] for answer in heard])
        return 1 if any("error" in answer for answer in answers) else 0

    def listen(self, file: str) -> dict:
        """The tags of one file; a file that cannot be heard does not stop the others."""
        from auricle.errors import AudioError
        from auricle.library import tag

        try:
            return {"path": file, "tags": tag(file, ear=self.ear, limit=self.limit, min_score=self.min_score)}
        except AudioError as error:
            warn(error)
            return {"path": file, "tags": [], "error": str(error)}

    def print_classes(self) -> int:
        from auricle.hub import load

        name, _, folder = self.ear.partition("=")
        names = list((load(name, path=folder) if folder else load(name)).classes)
        if self.anywhere.json:
            print_json(names)
        else:
            print("\n".join(names))
        return 0


def found(named: Path) -> list[str]:
    """A file as it was named, or the sound files below a folder."""
    if not named.is_dir():
        return [str(named)]
    from auricle.library.walk import walk

    return [item.path for item in walk([named])]
