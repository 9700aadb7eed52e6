"""Where a result comes from: code, versions, machine, time."""

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import auricle

PACKAGES = ("accelerate", "numpy", "scikit-learn", "soundfile", "soxr", "torch", "transformers")


def provenance() -> dict[str, Any]:
    """``commit``, ``versions``, ``machine`` and ``date`` (ISO 8601, UTC)."""
    return {
        "commit": commit(),
        "versions": versions(),
        "machine": machine(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit() -> str:
    """The commit this code is at, with ``+`` when the package's sources differ from it; "" outside a checkout."""
    package = Path(auricle.__file__).parent
    try:
        head = _git(package, "rev-parse", "HEAD")
        return head + ("+" if _git(package, "status", "--porcelain", "--", str(package)) else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def versions() -> dict[str, str]:
    """Versions of Python, auricle and the packages that numbers depend on."""
    found = {"python": platform.python_version(), "auricle": auricle.__version__}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """System, processor, cores that may be used, and the GPU, in one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parts = [f"{platform.system()} {platform.machine()}", _processor(), f"{cores} cores"]
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(filter(None, parts))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()
