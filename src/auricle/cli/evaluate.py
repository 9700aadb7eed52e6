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
    """Measure a run of auricle train on its test data, or a system's published weights on the bundled sounds."""

    name: Annotated[Positional[str], option("RUN|NAME[@TAG]")]
    """Folder of a run, or a system."""

    anywhere: Annotated[Anywhere, SHARED] = field(default_factory=Anywhere)

    def run(self) -> None:
        self.anywhere.apply()
        metrics = self.measured()
        if self.anywhere.json:
            print_json(metrics)
        else:
            table(["metric", "value"], [[text(name), text(f"{value:.4f}")] for name, value in metrics.items()])

    def measured(self) -> dict[str, float]:
        from auricle.train.systems import measured, module, trained

        folder = Path(self.name).expanduser()
        if (folder / "run.json").is_file():
            return measured(trained(folder))
        found = module(self.name.partition("@")[0])
        if not hasattr(found, "evaluate"):
            raise AuricleError(f"{self.name} has nothing to evaluate", "Name a run of auricle train, or another system")
        from auricle.hub import load

        return found.evaluate(load(self.name))
