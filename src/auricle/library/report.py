"""The report of a model of one's own: a page without scripts, to look at and to listen to the worst mistakes."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from auricle.library.own_model import OwnModel

CELL = 34  # pixels
LETTER = 7  # pixels, about, of a letter of a class name
SHOWN = 30  # mistakes on the page

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; } audio { height: 2rem; width: 16rem; }
img { max-width: 100%; }
"""


def page(model: "OwnModel", data: Path) -> str:
    """The report as HTML; sounds are played from where the files lie."""
    classes = "".join(
        f"<tr><td>{escape(one.name)}</td>{_number(one.files, 0)}{_number(one.recall)}{_number(one.precision)}"
        f"{_number(one.average_precision)}</tr>"
        for one in model.classes
    )
    mistakes = "".join(
        f"<tr><td><audio controls preload=none src='{escape(Path(one.path).as_uri())}'></audio></td>"
        f"<td>{escape(one.is_class)}</td><td>{escape(one.taken_for)}</td>{_number(one.surely)}"
        f"<td>{escape(Path(one.path).name)}</td></tr>"
        for one in model.mistakes[:SHOWN]
    )
    refused = "".join(f"<li>{escape(one)}</li>" for one in model.refused)
    files = sum(one.files for one in model.classes)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(data.name)}</title><style>{STYLE}</style>
<h1>{escape(data.name)}</h1>
<p>{model.accuracy:.1%} of {files} files were taken for what they are, by classifiers that had heard neither them nor
anything cut from the same recording; always saying the commonest class would give
{max(one.files for one in model.classes) / files:.1%}. Ear: {escape(model.ear)}.</p>
<h2>Classes</h2>
<table><tr><th>class<th>files<th>recall<th>precision<th>average precision</tr>{classes}</table>
<h2>What was taken for what</h2>
<p><img src="confusion.svg" alt="Table of classes by classes; the numbers are in report.json"></p>
<h2>Worst mistakes</h2>
<p>A file may be labelled wrongly, or hold two sounds: listen.</p>
<table><tr><th>listen<th>is<th>was taken for<th>surely<th>file</tr>{mistakes or "<tr><td>none</td></tr>"}</table>
{f"<h2>Not heard</h2><ul>{refused}</ul>" if refused else ""}
</html>
"""


def confusion_svg(confusion: NDArray[np.int64], names: Sequence[str]) -> str:
    """A picture of ``confusion`` [is, taken for]: a row for each class, darker for a larger share of it."""
    margin = 20 + LETTER * max(map(len, names))
    size = margin + CELL * len(names)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" font-family="sans-serif">']
    parts += [f'<rect width="{size}" height="{size}" fill="white"/>']
    for row, name in enumerate(names):
        y, x = margin + CELL * row + CELL / 2 + 4, margin + CELL * row + CELL / 2 + 4
        parts.append(f'<text x="{margin - 8}" y="{y}" font-size="12" text-anchor="end">{escape(name)}</text>')
        turned = f'transform="rotate(-90 {x} {margin - 8})"'
        parts.append(f'<text x="{x}" y="{margin - 8}" font-size="12" {turned}>{escape(name)}</text>')
        for column, count in enumerate(confusion[row]):
            left, top = margin + CELL * column, margin + CELL * row
            light = round(97 - 67 * share[row, column])
            place = f'x="{left}" y="{top}" width="{CELL - 1}" height="{CELL - 1}"'
            parts.append(f'<rect {place} fill="hsl(215 60% {light}%)"/>')
            if count:
                ink = "white" if light < 60 else "black"
                middle = f'x="{left + CELL / 2}" y="{top + CELL / 2 + 4}" font-size="12" text-anchor="middle"'
                parts.append(f'<text {middle} fill="{ink}">{count}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _number(value: float, digits: int = 2) -> str:
    return f"<td class=number>{value:.{digits}f}</td>"
