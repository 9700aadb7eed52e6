"""How soon ``auricle`` answers: whole processes, from the call to their end.

    python benchmarks/startup.py [--repeats N] [--json FILE]

Every command runs once unmeasured, so that its files are in the system's cache and its weights in auricle's, and then N
times in a process of its own. The limits are on the medians.
"""

import resource
import sys
import tempfile
from pathlib import Path

from _common import AURICLE, DEMO, Report, arguments, index, repeated, run

EXAMPLE = DEMO / "water" / "slow brook.ogg"


def main() -> int:
    args = arguments(__doc__, repeats={"type": int, "default": 11, "metavar": "N"})
    repeats = 1 if args.quick else args.repeats
    report = Report("From the call to the answer", args)
    report.note(f"Least and median of {repeats} runs.")
    with tempfile.TemporaryDirectory() as scratch:
        library = Path(scratch) / "library"
        index(EXAMPLE.parent if args.quick else DEMO, "--library", library)
        commands: list[tuple[str, list[object], float | None]] = [
            ("python -c pass", [sys.executable, "-c", "pass"], None),
            ("import auricle", [sys.executable, "-c", "import auricle"], None),
            ("auricle --help", [*AURICLE, "--help"], 0.3),
            ("auricle search --help", [*AURICLE, "search", "--help"], None),
            ("auricle stats", [*AURICLE, "stats", "--library", library], 1.5),
            ("auricle search WORDS", [*AURICLE, "search", "water flowing", "--library", library], 1.5),
            ("auricle search --like FILE", [*AURICLE, "search", "--like", EXAMPLE, "--library", library], 1.5),
        ]
        for name, words, limit in commands:
            run(*words)
            busy = processor_seconds()
            least, middle = repeated(lambda words=words: run(*words)[0], repeats)
            report.part = name
            report.add("processor time, mean", (processor_seconds() - busy) / repeats, "s")
            report.add("least", least, "s")
            report.add("median", middle, "s", at_most=limit)
    return report.finish()


def processor_seconds() -> float:
    """Of all commands run so far, in user and system mode, on all cores."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
