"""``auricle train``: trains a system, or a model of one's own sounds."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional

from auricle.cli.options import SHARED, InLibrary, option
from auricle.cli.output import print_json, say, score, table, text
from auricle.errors import AuricleError

if TYPE_CHECKING:
    from auricle.train import Experiment, Recipe

PRESET = "mini"


@dataclass
class Command:
    """Train a system on its own recipe, or, with --data, a model of your own sounds on what an ear hears.

    Each line of a recipe is an option: auricle train NAME --help lists those of NAME. The run is kept in a folder and
    goes on when the same command is given again.
    """

    name: Annotated[Positional[str | None], option("NAME|FILE.py")] = None
    """The system, or a file with one."""

    preset: Annotated[str, option("NAME")] = PRESET
    """Which of its recipes to start from: paper, mini or smoke."""

    out: Annotated[Path | None, option("DIR")] = None
    """Folder of the run (default: runs/NAME-PRESET, or runs/ and the name of the data's folder)."""

    data: Annotated[Path | None, option("DIR")] = None
    """Folder of your own sounds, one folder for each class; a model of them takes minutes, without a GPU."""

    source: Annotated[str | None, option("REGEX")] = None
    """With --data: the part of a file's name that says which recording it was cut from, as in '^\\d-\\d+'."""

    tags: Annotated[bool, option()] = False
    """With --data: teach the classes to the library as tags of your own."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        self.library.apply()
        if self.data:
            if self.name:
                raise AuricleError("A system and --data exclude each other", "Give one of them")
            self.own(self.data)
        elif self.name:
            self.system(self.name)
        else:
            raise AuricleError("There is nothing to train", "Say auricle train NAME, or auricle train --data FOLDER")

    def system(self, name: str) -> None:
        from auricle.train import fit
        from auricle.train.systems import experiment

        made: Experiment = experiment(name, self.preset, getattr(self, "recipe", None))
        folder = self.out or Path("runs") / f"{Path(name).stem}-{self.preset}"
        facts = {"system": name, "preset": self.preset, "data": made.data, **made.facts}
        run = fit(
            made.task, made.train, made.recipe, valid=made.valid, monitor=made.monitor, folder=folder, facts=facts
        )
        result: dict[str, Any] = {"folder": str(folder), "steps": run.steps, "valid": run.best}
        if made.test:
            from auricle.train.systems import measured

            result["test"] = measured(made)
        if self.library.json:
            print_json(result)
            return
        table(
            ["metric", "on", "value"],
            [
                [text(metric), text(split), text(f"{value:.4f}")]
                for split in ("valid", "test")
                for metric, value in result.get(split, {}).items()
                if metric != "step"
            ],
        )
        say(f"{run.steps} steps in {run.seconds:.0f} s; the run is in {folder}")

    def own(self, data: Path) -> None:
        from auricle.library.own_model import train

        folder = self.out or Path("runs") / data.resolve().name
        report = train(data, folder, ear=self.library.ear, source=self.source, tell=_heard)
        if self.tags:
            report.teach(self.library.open())
        if self.library.json:
            print_json(report.facts())
            return
        table(
            ["class", "files", "average precision", "recall", "precision"],
            [
                [
                    text(one.name, "cyan"),
                    text(one.files),
                    *map(score, (one.average_precision, one.recall, one.precision)),
                ]
                for one in report.classes
            ],
        )
        say(f"{report.accuracy:.1%} of files it had not heard are right; {folder / 'report.html'} shows the mistakes.")
        say(f"Use it: auricle index --ear {folder} …" + ("" if self.tags else ", or teach its classes: --tags"))


def _heard(done: int, total: int) -> None:
    """A line for people who wait."""
    if sys.stderr.isatty():
        print(f"\r{done}/{total} files heard", end="\n" if done == total else "", file=sys.stderr, flush=True)


def command(words: Sequence[str]) -> type[Command]:
    """The command with the options of the recipe that ``words`` ask for."""
    name, preset = _asked(words)
    if name is None:
        return Command
    from auricle.train.systems import recipe

    made: Recipe = recipe(name, preset)
    options = ("recipe", Annotated[type(made), SHARED], field(default_factory=lambda: made))
    return make_dataclass("Command", [options], bases=(Command,), namespace={"__doc__": Command.__doc__})


def _asked(words: Sequence[str]) -> tuple[str | None, str]:
    """The system's name and the preset among the words of a command line, before they are parsed."""
    preset = PRESET
    for word, after in zip(words, [*words[1:], ""], strict=False):
        if word == "--preset":
            preset = after
        elif word.startswith("--preset="):
            preset = word.partition("=")[2]
    name = words[0] if words and not words[0].startswith("-") else None
    return name, preset
