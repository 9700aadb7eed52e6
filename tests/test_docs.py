"""What the README and the documentation tell people to type works as it stands.

Blocks marked ``sh`` and ``python`` are run in a folder where ``recordings`` holds the sample recordings, against a
library of them. A block that imports a package auricle does not depend on is run where that package is installed.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [
    pytest.param(language, code, id=f"{page.name}:{page.read_text()[: match.start()].count(chr(10)) + 1}")
    for page in PAGES
    for match in FENCE.finditer(page.read_text())
    for language, code in [match.groups()]
]


def blocks(language: str) -> list:
    return [block for block in BLOCKS if block.values[0] == language]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Path:
    """A folder with the sample recordings, indexed."""
    folder = tmp_path_factory.mktemp("docs")
    shutil.copytree(ROOT / "data" / "demo", folder / "recordings")
    subprocess.run([sys.executable, "-m", "auricle", "index", "recordings"], cwd=folder, env=env(folder), check=True)
    return folder


def env(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "AURICLE_LIBRARY": str(folder / "my-library")}


@pytest.mark.weights
@pytest.mark.parametrize(("language", "code"), blocks("sh"))
def test_commands_run(language, code, workplace):
    script = f'pip() {{ test "$1" = install; }}\n{code}'  # what is installed here is what is tested
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=workplace, env=env(workplace), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.weights
@pytest.mark.parametrize(("language", "code"), blocks("python"))
def test_python_runs(language, code, workplace):
    for module in imported(code) - {"auricle"}:
        if not find_spec(module):
            pytest.skip(f"{module} is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=workplace, env=env(workplace), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.weights
def test_the_demo_runs_twice(tmp_path):
    """As it is, but in a folder of its own and with the packages that are installed here."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "demo", tmp_path / "scripts")
    (tmp_path / "scripts" / "_setup").write_text('cd "$(dirname "$0")/.."\nuv() { :; }\n')
    (tmp_path / "data").symlink_to(ROOT / "data")
    (tmp_path / ".venv").symlink_to(sys.prefix)
    for _ in range(2):
        demo = ["sh", str(tmp_path / "scripts" / "demo")]
        done = subprocess.run(demo, cwd=tmp_path.parent, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "two dogs barking.mp3" in done.stdout
        assert "brook 24k.mp3" in done.stdout


def imported(code: str) -> set[str]:
    """Top-level packages a block imports."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize(("language", "code"), [*blocks("json"), *blocks("toml")])
def test_data_can_be_read(language, code):
    import tomllib

    {"json": json.loads, "toml": tomllib.loads}[language](code)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert all(page.name in navigation for page in PAGES if page.parent.name == "docs")
