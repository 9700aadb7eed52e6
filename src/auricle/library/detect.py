"""When what is heard in a file, asked of a detector and without any library."""

import os
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from auricle.audio import stream
from auricle.hub.detector import open_detector
from auricle.library import timeline
from auricle.library.listen import hear_blocks
from auricle.types import Detector, Event, Waveform


def detect(
    path: str | os.PathLike[str],
    system: str | Detector,
    *,
    labels: Sequence[str] | None = None,
    on: float = timeline.ON,
    off: float = timeline.OFF,
) -> list[Event]:
    """What was heard when in a sound file, by start time.

    Args:
        path: the file, of any length.
        system: a detector, or what ``auricle.hub.detector.open_detector`` opens: ``"hts_at=CHECKPOINT"``.
        labels: class names; None means all.
        on, off: thresholds in [0, 1]: an event begins at ``on`` and lasts while above ``off``.

    Raises:
        AudioError: the file cannot be heard.
        AuricleError: there is no such detector, or it knows no such label.
    """
    detector = open_detector(system) if isinstance(system, str) else system
    wanted = None if labels is None else timeline.known(labels, detector.classes)
    scores, samples = score_steps(detector, stream(path, detector.sample_rate))
    step = detector.window / detector.steps / detector.sample_rate
    return timeline.events(
        scores,
        detector.classes,
        path=os.fspath(path),
        hop=step,
        window=step,
        duration=samples / detector.sample_rate,
        labels=wanted,
        on=on,
        off=off,
        smooth=1,
    )


def score_steps(detector: Detector, blocks: Iterable[Waveform]) -> tuple[NDArray[np.float32], int]:
    """Scores [steps, classes] of a whole recording, each from the window whose middle is nearest, and its samples."""
    shared = detector.steps * detector.hop // detector.window  # steps from one window to the next
    margin = (detector.steps - shared) // 2
    parts, last, samples = [], None, 0
    for first, covered, heard in hear_blocks(detector, iter(blocks)):
        if not parts:
            parts.append(heard[0, :margin])
        parts.append(heard[:, margin : margin + shared].reshape(-1, heard.shape[-1]))
        last, samples = heard[-1, margin + shared :], first * detector.hop + covered
    scores = np.concatenate(parts if last is None else [*parts, last])
    return scores[: max(1, -(-samples * detector.steps // detector.window))], samples
