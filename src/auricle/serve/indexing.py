"""One indexing run as a process of its own, so that searches are answered while it works: ``python -m`` this module.

It is asked on standard input, in one JSON line, and stops, keeping what it has heard, when that input ends; it tells
on standard output, a JSON line each time. So it also ends with the server that started it, however that ends.
"""

import _thread
import json
import os
import signal
import sys
import threading
from dataclasses import asdict
from typing import Any

from auricle.errors import AuricleError
from auricle.library import Library, Progress

NICENESS = 19  # listening gives way to whatever else the machine does; worker processes inherit it


def main() -> int:
    tell_to = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no message
    if hasattr(os, "nice"):
        os.nice(NICENESS)

    def tell(state: str, **facts: Any) -> None:
        tell_to.write(json.dumps({"state": state, **facts}) + "\n")
        tell_to.flush()

    # A server begun in the background of a script ignores Ctrl-C, and so would what it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    over = threading.Event()
    try:
        asked = json.loads(sys.stdin.readline())
        threading.Thread(target=_interrupt_at_end_of_input, args=(over,), daemon=True).start()
        library = Library(asked["library"], ear=asked["ear"])
        report = library.index(
            *asked["paths"], retry=asked["retry"], wait=False, progress=lambda now: tell("running", **_facts(now))
        )
        over.set()
        tell("stopped" if report.stopped else "done", **_facts(report))
    except KeyboardInterrupt:
        tell("stopped")
    except AuricleError as error:
        tell("failed", error={"problem": error.problem, "remedy": error.remedy})
    return 0


def _facts(progress: Progress) -> dict[str, Any]:
    facts = asdict(progress)
    names = ("total", "done", "heard", "quarantined", "seconds", "elapsed", "current")
    return {name: facts[name] for name in names} | {"speed": progress.speed, "remaining": progress.remaining}


def _interrupt_at_end_of_input(over: threading.Event) -> None:
    sys.stdin.read()
    if not over.is_set():
        _thread.interrupt_main()


if __name__ == "__main__":
    sys.exit(main())
