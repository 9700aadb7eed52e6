"""The container file: linted, and its steps carried out in a folder, where paths of the image become paths below it.

So a build is tried without a container engine: the same commands in the same order, by a user without rights, with the
files that .dockerignore lets through and nothing but what the second stage copies from the first.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil
import pytest

from auricle.cli.serve import Command

ROOT = Path(__file__).parents[1]
CONTAINERFILE = ROOT / "Containerfile"
USER = 10001
TOKEN = "a token for trying the image"


def instructions() -> list[tuple[str, str]]:
    """The lines of the container file as (instruction, arguments), continuations joined."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(), flags=re.MULTILINE)
    return [(name, rest) for name, rest in re.findall(r"^([A-Z]+) +(.+)", text.replace("\\\n", " "), re.MULTILINE)]


def values(wanted: str) -> list[str]:
    return [rest for name, rest in instructions() if name == wanted]


# --- what it says -----------------------------------------------------------------------------------------------------


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint", path=sysconfig.get_path("scripts")) or shutil.which("hadolint")
    if not hadolint:
        pytest.skip("hadolint is not installed: the group `test` brings it, except on Windows")
    done = subprocess.run([hadolint, "--no-color", CONTAINERFILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_it_runs_as_a_user_without_rights():
    (user,) = values("USER")
    assert user == f"{USER}:{USER}"
    assert f"useradd --uid {USER} --gid {USER} " in " ".join(values("RUN"))
    last = max(i for i, (name, _) in enumerate(instructions()) if name in ("RUN", "COPY"))
    assert last < [name for name, _ in instructions()].index("USER")  # what it runs belongs to root


def test_its_port_is_that_of_the_command():
    assert values("EXPOSE") == [str(Command.port)]
    assert f"127.0.0.1:{Command.port}/" in values("HEALTHCHECK")[0]


def test_its_uv_is_pinned():
    assert [arg for arg in values("ARG") if re.fullmatch(r"UV=\d+\.\d+\.\d+", arg)]


def test_what_is_copied_is_let_through():
    for rest in values("COPY"):
        sources = [word for word in shlex.split(rest)[:-1] if not word.startswith("--")]
        if not rest.startswith("--from"):
            assert all(f"!{source}" in ignored() for source in sources), rest


def ignored() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


# --- what comes of it -------------------------------------------------------------------------------------------------

PLACES = re.compile(r"(?<![\w./-])/(opt/auricle|var/lib/auricle|src|library|recordings)(?![\w-])")  # of the image
SHIMS = "".join(f"{name}() {{ :; }}; " for name in ("groupadd", "useradd", "chown"))  # they take a superuser
SETTINGS = re.compile(r"PIP_.*|SSL_.*|.*_proxy", re.IGNORECASE)  # of the machine, which an engine has of its own


class Image:
    """The container file carried out below ``folder``.

    Both stages are built at the same place, one after the other, as they are in containers: what is missing from the
    second one cannot be found in the first.

    Attributes:
        root: stands for ``/`` of the stage at hand, in the end of the image.
        env, workdir: as the instructions left them.
    """

    def __init__(self, folder: Path, base: Path):
        self.folder, self.base, self.root = folder, base, folder / "image"
        self.arguments: dict[str, str] = {}
        self.env: dict[str, str] = {}
        self.workdir = self.root
        self.stage = ""
        for name, rest in instructions():
            self._carry_out(name, rest)

    def run(self, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs a command in the image and waits for it."""
        piped: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "timeout": 900}
        return subprocess.run([*command], **piped, **self.within() | options)

    def within(self) -> dict[str, Any]:
        """Options of ``subprocess`` for a process in the image."""
        settings = {name: value for name, value in os.environ.items() if SETTINGS.fullmatch(name)}
        return {"cwd": self.workdir, "env": settings | self.env, "stdin": subprocess.DEVNULL, **unprivileged()}

    def here(self, text: str) -> str:
        """Text with paths of the image as paths below the folder."""
        return PLACES.sub(lambda match: f"{self.root}{match[0]}", text)

    def _carry_out(self, name: str, rest: str) -> None:
        match name:
            case "FROM":
                self._begin(rest.partition(" AS ")[2])
            case "ARG":
                argument, _, default = rest.partition("=")
                self.arguments[argument] = default
            case "ENV":
                for assignment in shlex.split(rest):
                    variable, _, value = assignment.partition("=")
                    self.env[variable] = self.here(Template(value).substitute(self.env))
            case "WORKDIR":
                self.workdir = Path(self.here(rest))
                self.workdir.mkdir(parents=True, exist_ok=True)
                give(self.workdir)
            case "COPY":
                self._copy(shlex.split(rest))
            case "RUN":
                done = self.run("/bin/sh", "-c", SHIMS + self.here(rest), env=self.within()["env"] | self.arguments)
                assert done.returncode == 0, f"{rest}\n{done.stdout}"

    def _begin(self, stage: str) -> None:
        if self.root.exists():
            self.root.rename(self.folder / self.stage)
        for place in ("opt", "tmp", "var/lib"):
            (self.root / place).mkdir(parents=True)
        give(self.root)
        self.stage, self.workdir = stage, self.root
        self.env = {"PATH": f"{self.base}/bin:/usr/bin:/bin", "HOME": str(self.root / "tmp")}

    def _copy(self, words: list[str]) -> None:
        options = dict(word[2:].split("=") for word in words if word.startswith("--"))
        *sources, target = (word for word in words if not word.startswith("--"))
        place = self.folder / options.get("from", "context")
        to = Path(self.here(target)) if target.startswith("/") else self.workdir / target
        for source in (place / source.lstrip("/") for source in sources):
            if "from" in options and not to.exists():
                source.rename(to)  # nothing else is taken from a stage that is over
            elif source.is_dir():
                shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy(source, to)
        give(to)


def unprivileged() -> dict[str, Any]:
    """Options of ``subprocess`` that make a process that of a user without rights."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def give(path: Path) -> None:
    """Makes a tree the property of that user."""
    if os.geteuid() == 0:
        for place in (path, *path.rglob("*")):
            os.chown(place, USER, USER, follow_symlinks=False)


def python() -> str:
    """A Python that this user can run and that makes environments, in place of the base image's."""
    check = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
    for candidate in (getattr(sys, "_base_executable", sys.executable), shutil.which("python3", path="/usr/bin")):
        try:
            if candidate and subprocess.run([candidate, "-c", check], cwd="/", **unprivileged()).returncode == 0:
                return candidate
        except OSError:
            continue
    pytest.skip("a user without rights can run no Python 3.11 or newer here that makes environments")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    folder = Path(tempfile.mkdtemp(prefix="auricle-image-"))  # pytest's own may be closed to other users
    try:
        folder.chmod(0o755)
        give(folder)
        subprocess.run([python(), "-m", "venv", folder / "base"], cwd=folder, check=True, **unprivileged())
        passed_over = shutil.ignore_patterns(*(line.removeprefix("**/") for line in ignored() if line[:3] == "**/"))
        for name in (line[1:] for line in ignored() if line[0] == "!"):
            copy = folder / "context" / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy, ignore=passed_over)
            else:
                shutil.copy(ROOT / name, copy)
        yield Image(folder, folder / "base")
    finally:
        shutil.rmtree(folder)


def entry(*words: str) -> list[str]:
    return [*json.loads(values("ENTRYPOINT")[0]), *words]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_image_has_the_command(image):
    done = image.run(*entry("--help"))
    assert done.returncode == 0, done.stdout
    assert "usage: auricle" in done.stdout
    assert image.run(*entry("mcp", "--help")).returncode == 0
    where = image.run("python", "-c", "import auricle, av, mcp; print(auricle.__file__)").stdout
    assert where.startswith(str(image.root / "opt" / "auricle"))  # not the folder of the build


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nothing_of_the_build_stays_behind(image):
    code = "from importlib.metadata import distributions; print(*(d.name.lower() for d in distributions()))"
    packages = set(image.run("python", "-c", code).stdout.split())
    assert "auricle" in packages
    assert not packages & {"hatchling", "hypothesis", "pip", "pytest", "ruff", "setuptools", "torch", "uv"}
    assert not [path for path in image.root.rglob("*") if path.is_symlink() and not path.exists()]
    assert not (image.root / "src").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.weights
def test_the_image_serves(image):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = entry(*json.loads(values("CMD")[0]), "--port", str(port))
    options = image.within()
    options["env"] |= {"AURICLE_TOKEN": TOKEN}
    with subprocess.Popen(server, **options) as process:
        try:
            assert healthy(image, port, process)
            asked = Request(f"http://127.0.0.1:{port}/api/v1/libraries")
            with pytest.raises(HTTPError, match="401") as refused:
                urlopen(asked)
            refused.value.close()
            asked.add_header("Authorization", f"Bearer {TOKEN}")
            with urlopen(asked) as answer:
                (library,) = json.load(answer)
            assert (library["path"], library["exists"]) == (str(image.root / "library"), False)
            assert 0 not in psutil.Process(process.pid).uids()
        finally:
            process.terminate()
    assert process.returncode in (0, -signal.SIGTERM)  # ended in good order, then as it was told to


def healthy(image: Image, port: int, process: subprocess.Popen) -> bool:
    """Whether the image's own health check succeeds before long."""
    (check,) = values("HEALTHCHECK")
    command = json.loads(check.partition("CMD")[2].replace(f":{Command.port}/", f":{port}/"))
    for _ in range(60):
        if image.run(*command).returncode == 0:
            return True
        if process.poll() is not None:
            return False
        time.sleep(1)
    return False
