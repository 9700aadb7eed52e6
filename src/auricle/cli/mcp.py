"""``auricle mcp``: the library as tools for language models."""

import logging
import signal
from dataclasses import dataclass, field
from typing import Annotated

from tyro.conf import Fixed, Suppress

from auricle.cli.options import SHARED, InLibrary, option
from auricle.errors import MissingExtra


@dataclass
class _Served(InLibrary):
    """Standard output carries the protocol and nothing else, so there is no ``--json`` to choose."""

    json: Suppress[Fixed[bool]] = False


@dataclass
class Command:
    """Let language models search the library: a Model Context Protocol server on standard input and output.

    It is not for typing: a client, such as an assistant on the desktop, starts it as the command `auricle mcp`. Unless
    told to write, it only reads.
    """

    write: Annotated[bool, option()] = False
    """Also let models add labels, and index folders again that were indexed before."""

    library: Annotated[_Served, SHARED] = field(default_factory=_Served)

    def run(self) -> None:
        library = self.library.open()
        try:
            from auricle.serve.mcp import create_server
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("mcp"):
                raise
            raise MissingExtra("auricle mcp", "mcp") from error
        logging.getLogger("auricle").propagate = False  # its lines have a handler already
        logging.basicConfig(format="auricle: %(name)s: %(message)s", level=logging.WARNING)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the thread that waits for input hears of nothing gentler
        create_server(library, write=self.write).run("stdio")
