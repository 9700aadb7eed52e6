"""The log of a run: lines in memory, as JSONL and CSV, as curves, and as a bar on the terminal."""

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

Line = dict[str, float]


class Log:
    """Lines of a run of ``steps`` steps, each a dict with its ``step``; kept in ``folder`` if there is one.

    The bar is shown while the log is used as a context, if ``progress`` and standard error is a terminal.
    """

    def __init__(self, folder: Path | None, steps: int, progress: bool):
        self.folder, self.steps = folder, steps
        self.lines: list[Line] = []
        self._progress = progress and sys.stderr.isatty()
        self._bar: Any = None
        self._file: TextIO | None = None

    def __enter__(self) -> "Log":
        if self.folder:
            self._file = open(self.folder / "log.jsonl", "a", encoding="utf-8")
        if self._progress:
            self._bar = _bar()
            self._bar.start()
            done = int(self.lines[-1]["step"]) if self.lines else 0
            self._task = self._bar.add_task("", total=self.steps, completed=done, parts="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()
        if self._file:
            self._file.close()
        if self.folder:
            write_csv(self.folder / "log.csv", self.lines)

    def add(self, line: Line) -> None:
        """Adds a line; it is on disk before this returns."""
        self.lines.append(line)
        if self._file:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        if self._bar:
            parts = "  ".join(f"{name} {value:.4g}" for name, value in line.items() if name != "step")
            self._bar.update(self._task, completed=line["step"], parts=parts)

    def advance(self, step: int) -> None:
        """Moves the bar."""
        if self._bar:
            self._bar.update(self._task, completed=step)

    def resume(self, step: int) -> None:
        """Takes up the lines of an interrupted run as far as ``step``; later ones will be written again."""
        if self.folder and (file := self.folder / "log.jsonl").exists():
            complete = [line for line in file.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
            self.lines = [line for line in map(json.loads, complete) if line["step"] <= step]
            file.write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")

    def draw(self) -> None:
        """Draws the curves into ``curves.png``."""
        if self.folder and self.lines:
            draw(self.folder / "curves.png", self.lines)


def write_csv(file: Path, lines: Iterable[Line]) -> None:
    """Lines as a table; a cell is empty where a line does not have the column."""
    lines = list(lines)
    columns = dict.fromkeys(name for line in lines for name in line)
    with open(file, "w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, columns)
        writer.writeheader()
        writer.writerows(lines)


def draw(file: Path, lines: Iterable[Line]) -> None:
    """Every value of the log over the steps, one small picture for each name; ``loss`` and ``valid/loss`` share one."""
    from matplotlib.figure import Figure  # no pyplot: nothing global, no display

    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for line in lines:
        for name, value in line.items():
            if name != "step":
                curves.setdefault(name.removeprefix("valid/"), {}).setdefault(name, []).append((line["step"], value))
    figure = Figure(figsize=(4 * min(len(curves), 3), 2.6 * -(-len(curves) // 3)), layout="constrained")
    axes = figure.subplots(-(-len(curves) // 3), min(len(curves), 3), squeeze=False).flat
    for axis in list(axes)[len(curves) :]:
        axis.set_visible(False)
    for axis, (title, of_title) in zip(axes, curves.items(), strict=False):
        for name, points in of_title.items():
            steps, values = zip(*points, strict=True)
            axis.plot(steps, values, marker="." if len(points) < 30 else "", label="valid" if "/" in name else "train")
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
        if len(of_title) > 1:
            axis.legend()
    figure.savefig(file, dpi=100)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[parts]}"))
    return Progress(*columns, console=Console(stderr=True, highlight=False))
