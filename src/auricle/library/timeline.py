"""When what was heard: scores over time become events with a start and an end.

Scores are smoothed by a median over neighbouring windows, then cut by hysteresis: an event begins where a class is
surely heard and reaches as far as it is still likely. Each window speaks for the slice around its middle.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from auricle.errors import LibraryError
from auricle.types import Event

ON = 0.4  # a class is heard
OFF = 0.2  # and goes on being heard
SMOOTH = 3  # windows in the median


def events(
    scores: NDArray[np.float32],
    classes: Sequence[str],
    *,
    path: str,
    hop: float,
    window: float,
    duration: float,
    labels: Collection[str] | None = None,
    on: float = ON,
    off: float = OFF,
    smooth: int = SMOOTH,
) -> list[Event]:
    """The timeline of one recording, by start time.

    Args:
        scores: [windows, classes], in [0, 1].
        hop, window, duration: seconds.
        labels: only these classes; None means all.
        on, off: thresholds in [0, 1], ``on >= off``.
        smooth: odd number of windows of the median filter; 1 leaves the scores as they are.
    """
    smoothed = median(scores, smooth)
    found = []
    for c in map(int, np.flatnonzero((smoothed >= on).any(axis=0))):
        if labels is not None and classes[c] not in labels:
            continue
        for first, last in runs(smoothed[:, c] >= off):
            peak = float(smoothed[first : last + 1, c].max())
            if peak >= on:
                start, end = span(first, last, len(scores), hop=hop, window=window, duration=duration)
                found.append(Event(path, start, end, classes[c], round(peak, 4)))
    return sorted(found, key=lambda event: (event.start, -event.score, event.label))


def span(first: int, last: int, windows: int, *, hop: float, window: float, duration: float) -> tuple[float, float]:
    """The stretch that windows ``first`` … ``last`` of ``windows`` speak for: start and end, seconds."""
    start = first * hop + (window - hop) / 2 if first else 0.0
    end = last * hop + (window + hop) / 2 if last + 1 < windows else duration
    return round(start, 3), round(min(end, duration), 3)


def median(scores: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Running median over time, edges repeated; same shape [windows, classes]."""
    if width <= 1:
        return scores
    half = width // 2
    padded = np.pad(scores, ((half, half), (0, 0)), mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, width, axis=0), axis=-1).astype(scores.dtype)


def runs(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]


def known(labels: Sequence[str], classes: Sequence[str]) -> set[str]:
    """Class names spelt as the ear spells them, whatever their case.

    Raises:
        LibraryError: it knows no such class.
    """
    spelling = {name.lower(): name for name in classes}
    unknown = [label for label in labels if label.lower() not in spelling]
    if unknown:
        from difflib import get_close_matches

        close = get_close_matches(unknown[0].lower(), spelling, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(spelling[name] for name in close)}?" if close else "See: auricle tag --classes"
        raise LibraryError(f"The ear knows no class {unknown[0]!r}", hint.rstrip("?"))
    return {spelling[label.lower()] for label in labels}
