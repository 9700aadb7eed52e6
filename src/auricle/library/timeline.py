"""When what was heard: scores over time become events with a start and an end.

Scores are smoothed by a median over neighbouring windows, then cut by hysteresis: an event begins where a class is
surely heard and reaches as far as it is still likely. Each window speaks for the slice around its middle.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

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
                start = first * hop + (window - hop) / 2 if first else 0.0
                end = last * hop + (window + hop) / 2 if last + 1 < len(scores) else duration
                found.append(Event(path, round(start, 3), round(min(end, duration), 3), classes[c], round(peak, 4)))
    return sorted(found, key=lambda event: (event.start, -event.score, event.label))


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
