"""``auricle evaluate``: measures what was trained, or a published model."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from auricle.cli.options import SHARED, Anywhere, option
from auricle.cli.output import print_json, table, text
from auricle.errors import AuricleError


@dataclass
class Command:
    """Measure a run of auricle train on its test data, or a system's published weights on the bundled sounds.

    The benchmark HEAR 2021, with an ear on local task folders: auricle evaluate hear --tasks DIR --ear NAME.
    Every ear side by side, on the bundled sounds: auricle evaluate ears.
    """

    name: Annotated[Positional[str], option("RUN|NAME[@TAG]|hear|ears")]
    """Folder of a run, or a system, or hear, or ears."""

    tasks: Annotated[Path | None, option("DIR")] = None
    """With hear: a folder of tasks, as the benchmark prepares them."""

    ear: Annotated[str | None, option("NAME[@TAG]")] = None
    """With hear and ears: what is measured, as in auricle index --ear. (default: yamnet; every ear)"""

    anywhere: Annotated[Anywhere, SHARED] = field(default_factory=Anywhere)

    def run(self) -> None:
        self.anywhere.apply()
        if self.name == "ears":
            self.compare()
        elif self.anywhere.json:
            print_json(self.measured())
        else:
            table(["metric", "value"], [[text(name), text(f"{value:.4f}")] for name, value in self.measured().items()])

    def compare(self) -> None:
        """Prints every ear's scores and costs."""
        from auricle.cli.output import say
        from auricle.train.ears import COLUMNS, row, run

        found = run([self.ear] if self.ear else (), tell=say)
        if self.anywhere.json:
            print_json(found)
        else:
            table(COLUMNS, [[text(cell) for cell in row(name, ear)] for name, ear in found["ears"].items()])

    def measured(self) -> dict[str, float]:
        if self.name == "hear":
            return self.heard()
        from auricle.train.systems import measured, module, trained

        folder = Path(self.name).expanduser()
        if (folder / "run.json").is_file():
            return measured(trained(folder))
        found = module(self.name.partition("@")[0])
        if not hasattr(found, "evaluate"):
            raise AuricleError(f"{self.name} has nothing to evaluate", "Name a run of auricle train, or another system")
        from auricle.hub import load

        return found.evaluate(load(self.name))

    def heard(self) -> dict[str, float]:
        """Scores of the ear on every task of HEAR, as ``task/score``."""
        from auricle.cli.output import say
        from auricle.train.hear import run

        if self.tasks is None:
            raise AuricleError("hear needs the tasks it is to be measured on", "Give their folder: --tasks DIR")
        found = run(self.ear or "yamnet", self.tasks, tell=say)
        return {
            f"{task}/{score}": value for task, of in found.items() for score, value in of.items() if score != "chosen"
        }
