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
    Speaker verification: auricle evaluate voxceleb --data DIR --trials FILE --ear NAME.
    """

    name: Annotated[Positional[str], option("RUN|NAME[@TAG]|hear|ears|voxceleb")]
    """Folder of a run, or a system, or hear, ears or voxceleb."""

    tasks: Annotated[Path | None, option("DIR")] = None
    """With hear: a folder of tasks, as the benchmark prepares them."""

    data: Annotated[Path | None, option("DIR")] = None
    """With voxceleb: the folder of VoxCeleb1."""

    trials: Annotated[Path | None, option("FILE")] = None
    """With voxceleb: a list of its trials, such as veri_test2.txt."""

    ear: Annotated[str | None, option("NAME[@TAG]")] = None
    """With hear, ears and voxceleb: what is measured, as in auricle index --ear. (default: yamnet; every ear; ge2e)"""

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
        if self.name == "voxceleb":
            return self.verified()
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

    def verified(self) -> dict[str, float]:
        """Error rates of the ear on a list of trials."""
        from auricle.cli.output import say
        from auricle.train.voxceleb import run

        if self.data is None or self.trials is None:
            raise AuricleError("voxceleb needs the recordings and a list of trials", "Add --data DIR --trials FILE")
        return run(self.ear or "ge2e", self.data, self.trials, tell=say)
