"""Re-checking a paper: every arm of a system's experiment, several seeds each, judged by claims fixed beforehand.

A system takes part with three names in its module:

    ARMS: tuple[str, ...]                                     what is compared
    replicate(seed, arm, preset) -> dict[str, float]          trains one arm once, returns its metrics
    claims(values) -> dict[str, bool]                         ``values[arm][metric]`` is an array over the seeds

and, if 3 seeds are not what it needs, ``SEEDS``. The result goes into ``<folder>/<room>/<name>.json``, and nothing else
writes there. All claims hold: ``replicated``; some: ``partly``; none: ``not``. A run that was stopped goes on: each arm
and seed is noted in a journal beside the result, which a change of the system's module makes void.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.hub.registry import module_of, systems
from auricle.train.provenance import provenance

SEEDS = 3
CONFIDENCE = 0.95

Values = dict[str, dict[str, NDArray[np.float64]]]  # arm -> metric -> [seeds]


def run(
    name: str,
    preset: str = "mini",
    seeds: int | None = None,
    arms: Iterable[str] | None = None,
    folder: str | Path = "results",
    *,
    tell: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Runs all arms of a system and writes what they gave.

    Args:
        name: the system.
        preset: one of the system's; what ``smoke`` gives says nothing and is not written into ``results``.
        seeds: how many, counted from 0; by default as many as the system asks for.
        arms: only some of them. Claims are then not judged, and nothing is written.
        folder: where results are kept.
        tell: is given a line for each arm and seed that is done.

    Returns:
        What is written: ``arms[arm][metric]`` holds ``values``, ``mean`` and ``interval`` (95 %, Student's t), besides
        ``claims``, ``verdict``, ``seconds``, ``commit``, ``versions``, ``machine``, ``data`` and ``date``.

    Raises:
        AuricleError: there is no such system, arm or preset, or the system has nothing to replicate.
    """
    module, card = module_of(name), systems()[name]
    if not hasattr(module, "replicate"):
        raise AuricleError(f"{name} has no experiment to replicate", "`auricle systems` lists what has been replicated")
    if preset not in module.PRESETS:
        raise AuricleError(f"{name} has no preset {preset!r}", f"Choose from: {', '.join(module.PRESETS)}")
    chosen = tuple(arms) if arms is not None else tuple(module.ARMS)
    if unknown := set(chosen) - set(module.ARMS):
        raise AuricleError(f"{name} has no arm {min(unknown)!r}", f"Choose from: {', '.join(module.ARMS)}")
    count = seeds or (1 if preset == "smoke" else getattr(module, "SEEDS", SEEDS))
    file = Path(folder) / card.room / f"{name}.json"
    with tempfile.TemporaryDirectory() as nowhere:
        journal = (Path(nowhere) / name if preset == "smoke" else file).with_suffix(f".{preset}.part")
        values, seconds = _values(module, chosen, count, preset, journal, tell)
    result: dict[str, Any] = {"name": name, "room": card.room, "preset": preset, "seeds": count}
    result["arms"] = {
        arm: {metric: summary(array) for metric, array in metrics.items()} for arm, metrics in values.items()
    }
    if chosen == tuple(module.ARMS):
        result["claims"] = {claim: bool(holds) for claim, holds in module.claims(values).items()}
        result["verdict"] = verdict(result["claims"].values())
    result["data"] = str(getattr(module, "data", lambda: "")())
    result |= {"seconds": round(seconds, 1)} | provenance()
    if "verdict" in result and preset != "smoke":
        file.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        journal.unlink()
    return result


def summary(values: NDArray[np.float64]) -> dict[str, Any]:
    """``values`` [seeds], their mean, and its 95 % interval by Student's t; None with a single value."""
    mean = float(values.mean())
    interval = None
    if len(values) > 1:
        from scipy.stats import t

        error = float(values.std(ddof=1)) / len(values) ** 0.5
        half = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * error
        interval = [mean - half, mean + half]
    return {"values": values.tolist(), "mean": mean, "interval": interval}


def verdict(claims: Iterable[bool]) -> str:
    """``replicated``, ``partly`` or ``not``."""
    claims = list(claims)
    return "replicated" if all(claims) else "partly" if any(claims) else "not"


def _values(
    module: ModuleType, arms: Iterable[str], seeds: int, preset: str, journal: Path, tell: Callable[[str], None]
) -> tuple[Values, float]:
    """What each arm gave, over the seeds, and the seconds it took; what is in the journal is not done again."""
    source = hashlib.sha256(Path(str(module.__file__)).read_bytes()).hexdigest()
    done = _journaled(journal, source)
    found: dict[str, list[Mapping[str, float]]] = {arm: [] for arm in arms}
    seconds = 0.0
    journal.parent.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):  # seed by seed, so that what is told early compares arms
        for arm, metrics in found.items():
            if (seed, arm) not in done:
                begun = time.monotonic()
                one = {name: float(value) for name, value in module.replicate(seed, arm, preset).items()}
                entry = {"seed": seed, "arm": arm, "metrics": one, "seconds": time.monotonic() - begun}
                with open(journal, "a", encoding="utf-8") as lines:
                    lines.write(json.dumps({"source": source} | entry) + "\n")
                shown = ", ".join(f"{name} {value:.4g}" for name, value in one.items())
                tell(f"seed {seed}, {arm}: {shown} ({entry['seconds']:.0f} s)")
                done[seed, arm] = entry
            metrics.append(done[seed, arm]["metrics"])
            seconds += done[seed, arm]["seconds"]
    values = {
        arm: {metric: np.array([one[metric] for one in metrics], float) for metric in metrics[0]}
        for arm, metrics in found.items()
    }
    return values, seconds


def _journaled(journal: Path, source: str) -> dict[tuple[int, str], dict[str, Any]]:
    """Entries of a journal that the module as it now stands (the hash of its ``source``) has written."""
    if not journal.exists():
        return {}
    entries = [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    return {(entry["seed"], entry["arm"]): entry for entry in entries if entry["source"] == source}
