"""Draws docs/images/terminal.svg: what a terminal shows when the sample recordings are searched.

    .venv/bin/python scripts/picture.py

The commands are run on the library that ``scripts/demo`` leaves in build/demo-library.
"""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "images" / "terminal.svg"
COLUMNS = 100
COMMANDS = (
    'auricle search "a dog barking" --limit 4',
    'auricle search --like "water/slow brook.ogg@2-4" --limit 4 --one-per-file',
    'auricle events "mixes/street corner.opus" --on 0.7',
)


def main() -> None:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for command in COMMANDS:
        console.print(Text.assemble(("$ ", "green"), (command, "bold")))
        console.print(Text.from_ansi(output_of(command)))
    picture = console.export_svg(title="auricle", unique_id="auricle")
    # The fonts rich names lie on a server; without them a reader's own are used.
    PICTURE.write_text(re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL))


def output_of(command: str) -> str:
    """What the command prints on a terminal, colours and all."""
    env = os.environ | {
        "AURICLE_LIBRARY": str(ROOT / "build" / "demo-library"),
        "COLUMNS": str(COLUMNS),
        "FORCE_COLOR": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "TERM": "xterm-256color",
    }
    done = subprocess.run(
        command, shell=True, cwd=ROOT / "data" / "demo", env=env, capture_output=True, text=True, check=True
    )
    return done.stdout


if __name__ == "__main__":
    main()
