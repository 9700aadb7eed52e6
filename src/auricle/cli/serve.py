"""``auricle serve``: the page and the HTTP API."""

import os
import secrets
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from auricle.cli.options import SHARED, Anywhere, option
from auricle.cli.output import print_json, say
from auricle.errors import AuricleError


@dataclass
class Command:
    """Open the page where recordings are searched, looked at and labelled; programs find the API at /api/v1.

    Others can only reach it with --host, and then need the token that is printed.
    """

    library: Annotated[tuple[Path, ...], option("DIR")] = ()
    """Folder of a library (repeatable; default: $AURICLE_LIBRARY, else one in the user's data directory)."""

    ear: Annotated[str | None, option("NAME[@TAG]")] = None
    """Which ear answers (default: each library's first)."""

    host: Annotated[str, option("ADDRESS")] = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all of this machine's."""

    port: Annotated[int, option("N")] = 8765
    """Port to listen on; 0 for any that is free."""

    token: Annotated[str | None, option("TOKEN")] = None
    """What clients must know (default: $AURICLE_TOKEN, else a new one if others can reach the address)."""

    write_paths: Annotated[bool, option()] = False
    """Let clients index new folders below the home folder, also when they are not on this machine."""

    open: Annotated[bool, option()] = False
    """Open the page in the browser."""

    anywhere: Annotated[Anywhere, SHARED] = field(default_factory=Anywhere)

    def run(self) -> None:
        # Requests run side by side; a matrix product that takes all cores for itself would only stand in their way.
        for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(variable, "1")
        self.anywhere.apply()
        from auricle.serve.app import create_app
        from auricle.serve.security import is_loopback
        from auricle.serve.server import run

        token = self.token or os.environ.get("AURICLE_TOKEN")
        if token is None and not is_loopback(self.host):
            token = secrets.token_urlsafe(24)
        write_paths = True if self.write_paths else None
        app = create_app(
            self.libraries(), host=self.host, token=token, ear=self.ear, write_paths=write_paths, warm=True
        )
        with self.listening() as bound:
            address = f"http://{_shown(self.host)}:{bound.getsockname()[1]}/"
            entry = f"{address}login?token={quote(token)}" if token else address
            if self.anywhere.json:
                print_json({"url": address, "token": token})
            else:
                say(f"auricle is at {entry}\nPress Ctrl-C to stop.")
            if self.open:
                import webbrowser

                webbrowser.open(entry)
            run(app, bound)

    def libraries(self) -> dict[str, Path]:
        """The libraries by name: that of their folder, made different where two are alike."""
        from auricle.hub import library_dir

        chosen = self.library or [Path(os.environ.get("AURICLE_LIBRARY") or library_dir())]
        named: dict[str, Path] = {}
        for folder in chosen:
            folder = folder.expanduser().resolve()
            number = sum(name.partition(" ")[0] == folder.name for name in named) + 1
            named[folder.name if number == 1 else f"{folder.name} {number}"] = folder
        return named

    def listening(self) -> socket.socket:
        """A socket that accepts connections, before anything else is told or opened."""
        try:
            family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            return socket.create_server((self.host, self.port), family=family, backlog=1024)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            raise AuricleError(
                f"Cannot listen on {self.host} port {self.port} ({reason})", "Choose another --port or --host"
            ) from None
        except OverflowError:
            raise AuricleError(f"There is no port {self.port}", "Choose one from 0 to 65535") from None


def _shown(host: str) -> str:
    """The host as an address that can be opened."""
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"[{host}]" if ":" in host else host
