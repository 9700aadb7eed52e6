"""``auricle doctor``: what is wrong, with the library and with the installation."""

import os
import platform
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Annotated, Any

from auricle import __version__
from auricle.cli.options import SHARED, InLibrary
from auricle.cli.output import amount, path, print_json, say, table, text

PACKAGES = ("numpy", "soundfile", "soxr", "onnxruntime", "pylance", "pyarrow", "tokenizers", "tyro", "rich")
EXTRAS = {  # extra -> what it brings
    "train": ("torch", "transformers"),
    "video": ("av",),
    "hub": ("huggingface_hub",),
    "ray": ("ray",),
}


@dataclass
class Command:
    """Check the library and the installation: files that could not be heard and why, files that are gone, leftovers
    of a killed run; versions, extras and weights."""

    library: Annotated[InLibrary, SHARED] = field(default_factory=InLibrary)

    def run(self) -> None:
        library = self.library.open()
        facts = installation() | {
            "library": ({"path": str(library.path)} | library.doctor()) if library.store.exists else None
        }
        if self.library.json:
            print_json(facts)
            return
        print_installation(facts)
        if facts["library"]:
            print_library(facts["library"])
        else:
            print(f"\nThere is no library at {library.path} yet.")


def installation() -> dict[str, Any]:
    """What is installed and which weights are here."""
    from auricle.hub import cached, home, systems

    return {
        "auricle": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "cores": os.cpu_count(),
        "home": str(home()),
        "packages": {name: _version(name) for name in PACKAGES},
        "extras": {extra: all(map(find_spec, modules)) for extra, modules in EXTRAS.items()},
        "weights": [
            {
                "system": f"{card.name}@{tag}",
                "file": weights.file,
                "size": weights.size,
                "cached": cached(weights) is not None,
            }
            for card in systems().values()
            for tag, files in card.weights.items()
            for weights in files
        ],
    }


def print_installation(facts: dict[str, Any]) -> None:
    print(f"auricle {facts['auricle']}, Python {facts['python']}, {facts['platform']}, {facts['cores']} cores")
    missing = [name for name, found in facts["packages"].items() if found is None]
    if missing:
        say(f"Missing packages: {', '.join(missing)}. Install them with: pip install auricle")
    print("extras: " + ", ".join(f"{name} {'yes' if there else 'no'}" for name, there in facts["extras"].items()))
    print(f"home: {facts['home']}")
    for weights in facts["weights"]:
        state = "here" if weights["cached"] else "fetched when first used"
        print(f"weights: {weights['system']} {weights['file']}, {weights['size'] / 1e6:.1f} MB, {state}")


def print_library(facts: dict[str, Any]) -> None:
    print(f"\nlibrary: {facts['path']}")
    if facts["quarantined"]:
        print(f"{amount(len(facts['quarantined']), 'file')} could not be heard:")
        table(["file", "reason"], [[path(item["path"]), text(item["reason"])] for item in facts["quarantined"]])
        print("Once repaired, run `auricle index --retry`.")
    if facts["missing"]:
        print(f"{amount(len(facts['missing']), 'indexed file')} gone; `auricle prune` forgets them:")
        table(["file"], [[path(name)] for name in facts["missing"]])
    if facts["unfinished"] or facts["orphans"]:
        print("The last run was interrupted; the next `auricle index` continues it and tidies up.")
    if not any(facts[name] for name in ("quarantined", "missing", "unfinished", "orphans")):
        print("Nothing is wrong.")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
