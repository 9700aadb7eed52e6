"""How much memory a process has taken."""

import re
import sys
from pathlib import Path


def peak() -> float | None:
    """The most memory, in MB, that this process has had resident so far; None where the system does not say.

    Linux is asked for the peak of the program now running: the usual ``ru_maxrss`` counts what the parent process held
    when it started this one.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        found = re.search(r"^VmHWM:\s+(\d+) kB", status.read_text(), re.MULTILINE)
        return int(found[1]) * 1024 / 1e6 if found else None
    try:
        import resource
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
