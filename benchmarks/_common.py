"""What the benchmarks share: a report with limits, the demo library, commands timed from outside."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data" / "demo"
AURICLE = [sys.executable, "-m", "auricle"]
PACKAGES = ("numpy", "onnxruntime", "pylance", "soundfile", "soxr", "torch", "transformers")


def arguments(doc: str | None, **options: dict[str, Any]) -> argparse.Namespace:
    """The command line: ``--json FILE`` and ``--quick``, and ``options`` (name -> keywords of ``add_argument``)."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results here")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs: judges nothing")
    for name, keywords in options.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **keywords)
    return parser.parse_args()


class Report:
    """Measured values, some with a limit, as a table and as JSON."""

    def __init__(self, title: str, args: argparse.Namespace):
        self.title, self.args = title, args
        self.rows: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.part = ""

    def add(
        self, what: str, value: float | None, unit: str, *, at_least: float | None = None, at_most: float | None = None
    ) -> None:
        """Adds a row; a ``value`` of None is one that could not be had. Limits are not judged in a quick run."""
        judged = value is not None and not self.args.quick and (at_least is not None or at_most is not None)
        holds = (at_least is None or value >= at_least) and (at_most is None or value <= at_most) if judged else None
        row = {"part": self.part, "what": what, "value": value, "unit": unit}
        self.rows.append(row | {"at_least": at_least, "at_most": at_most, "holds": holds})

    def note(self, text: str) -> None:
        """Adds a sentence below the table."""
        self.notes.append(text)

    def finish(self) -> int:
        """Prints the table, writes the file asked for; returns 1 if a limit is broken, else 0."""
        table = Table(title=self.title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column("measured", justify="right")
        table.add_column("limit", justify="right")
        table.add_column()
        part = None
        for row in self.rows:
            if row["part"] != part:
                part = row["part"]
                table.add_row(f"[bold]{part}")
            table.add_row(f"  {row['what']}", _amount(row["value"], row["unit"]), _limit(row), _verdict(row["holds"]))
        console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        console.print(table)
        for text in [*self.notes, ", ".join(f"{name} {value}" for name, value in machine().items())]:
            console.print(f"[dim]{text}", soft_wrap=True)
        if self.args.json:
            facts = {"benchmark": self.title, "quick": self.args.quick, "rows": self.rows, "notes": self.notes}
            self.args.json.write_text(json.dumps(facts | {"machine": machine()}, indent=1, ensure_ascii=False) + "\n")
        return int(any(row["holds"] is False for row in self.rows))


def machine() -> dict[str, Any]:
    """What the numbers were measured on and with."""
    import psutil

    names = [line for line in _cpuinfo() if line.startswith("model name")]
    return {
        "CPU": names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine(),
        "cores": cores(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        "auricle": version("auricle"),
    } | {package: version(package) for package in PACKAGES if find_spec(_module(package))}


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(*words: object, env: dict[str, str] | None = None) -> tuple[float, str]:
    """Runs a command to its end; returns its seconds and its standard output."""
    begun = time.perf_counter()
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, env=os.environ | (env or {}))
    elapsed = time.perf_counter() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\n{done.stderr}")
    return elapsed, done.stdout


def index(*words: object) -> tuple[float, dict[str, Any]]:
    """Runs ``auricle index``; returns the seconds of the whole command and its report."""
    elapsed, out = run(*AURICLE, "index", *words, "--json")
    return elapsed, json.loads(out)


def timed(call: Callable[[], Any]) -> float:
    """Seconds a call takes."""
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def repeated(measure: Callable[[], float], times: int) -> tuple[float, float]:
    """Least and median of several measurements."""
    values = [measure() for _ in range(times)]
    return min(values), median(values)


def _module(package: str) -> str:
    return {"pylance": "lance"}.get(package, package)


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    return f"{value:,.{digits}f} {unit}".rstrip()


def _limit(row: dict[str, Any]) -> str:
    limits = [(sign, row[key]) for sign, key in (("≥", "at_least"), ("≤", "at_most")) if row[key] is not None]
    return " ".join(f"{sign} {limit:g} {row['unit']}".rstrip() for sign, limit in limits)


def _verdict(holds: bool | None) -> str:
    return {True: "[green]PASS", False: "[bold red]FAIL", None: ""}[holds]
