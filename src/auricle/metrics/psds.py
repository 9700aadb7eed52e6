"""PSDS: how well events are detected at every threshold at once.

Bilen, Ferroni, Tuveri, Azcarreta and Krstulovic, "A Framework for the Robust Evaluation of Sound Event Detection",
ICASSP 2020; computed exactly, without choosing thresholds, as by Ebbers, Serizel and Haeb-Umbach, "Threshold
Independent Evaluation of Sound Event Detection Scores", ICASSP 2022 (``sed_scores_eval``): counts change only where
the threshold passes a score, so each clip gives its changes, and the changes of all clips are sorted and summed.

A run of frames at or above the threshold is a detection. It is *right* if events of its class cover at least ``dtc``
of it, else *false*; an event is *found* if right detections cover at least ``gtc`` of it. A false detection of which
events of another class cover at least ``cttc`` is a *cross trigger* of that class besides.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auricle.types import Event

HOUR = 3600.0  # seconds; rates are per hour
DECIMALS = 6  # of seconds: what touches a criterion exactly meets it, whatever the rounding


class Psds(NamedTuple):
    """The score, that of each class, and the effective ROC: found share [n] by false detections an hour [n]."""

    score: float
    by_class: dict[str, float]
    found: NDArray[np.float64]
    false: NDArray[np.float64]


def psds(
    scores: Mapping[str, ArrayLike],
    reference: Iterable[Event],
    classes: Sequence[str],
    hop: float,
    *,
    dtc: float = 0.7,
    gtc: float = 0.7,
    cttc: float | None = None,
    alpha_ct: float = 0.0,
    alpha_st: float = 1.0,
    max_rate: float = 100.0,
) -> Psds:
    """Polyphonic sound detection score, in [0, 1].

    The defaults are DCASE's scenario 1 (when exactly); scenario 2 (what roughly) is ``dtc=0.1, gtc=0.1, cttc=0.3,
    alpha_ct=0.5``.

    Args:
        scores: by clip, scores [frames, classes] of adjacent frames.
        reference: the events of those clips; those of other classes do not count.
        classes: the names of the scores' columns.
        hop: length of a frame, seconds; a clip is as long as its frames.
        dtc: detection tolerance criterion, in (0, 1].
        gtc: ground-truth intersection criterion, in (0, 1].
        cttc: cross-trigger tolerance criterion, in (0, 1]; needed for ``alpha_ct``.
        alpha_ct: cost of cross triggers beside other false detections.
        alpha_st: cost of finding some classes less well than others.
        max_rate: false detections an hour up to which the area is taken.

    Raises:
        ValueError: shapes do not fit, an event is of no such clip, or ``alpha_ct`` comes without ``cttc``.
    """
    if (cttc is None) != (alpha_ct == 0.0):
        raise ValueError("alpha_ct and cttc go together")
    clips = {clip: np.asarray(frames, np.float64) for clip, frames in scores.items()}
    if odd := [clip for clip, frames in clips.items() if frames.ndim != 2 or frames.shape[1] != len(classes)]:
        raise ValueError(f"{odd[0]}: scores of shape {clips[odd[0]].shape} where [frames, {len(classes)}] is needed")
    events = _events(reference, clips, classes)
    seconds = sum(len(frames) for frames in clips.values()) * hop
    spans = {label: np.concatenate([events[clip, label] for clip in clips] or [np.empty((0, 2))]) for label in classes}
    curves = {}
    for column, label in enumerate(classes):
        others = [other for other in classes if other != label and cttc is not None]
        changes = [
            _changes(
                frames[:, column], hop, events[clip, label], [events[clip, o] for o in others], dtc, gtc, cttc or 1.0
            )
            for clip, frames in clips.items()
        ]
        found, false, *crossed = _summed(changes)
        rate = false / seconds * HOUR
        if cttc is not None:
            lengths = [np.diff(spans[other]).sum() for other in others]
            crossing = [each / max(length, 1e-12) * HOUR for each, length in zip(crossed, lengths, strict=True)]
            rate = rate + alpha_ct * np.mean(crossing, axis=0)
        curves[label] = _staircase(found / max(len(spans[label]), 1), rate, max_rate)
    grid = np.unique(np.concatenate([rate for _, rate in curves.values()]))
    shares = np.array([share[np.searchsorted(rate, grid, "right") - 1] for share, rate in curves.values()])
    effective = np.maximum(shares.mean(axis=0) - alpha_st * shares.std(axis=0), 0.0)
    by_class = {label: _area(share, rate, max_rate) for label, (share, rate) in curves.items()}
    return Psds(_area(effective, grid, max_rate), by_class, effective, grid)


def _events(reference: Iterable[Event], clips: Mapping[str, NDArray], classes: Sequence[str]) -> dict:
    """Starts and ends [events, 2] by clip and class."""
    events = {(clip, label): [] for clip in clips for label in classes}
    for event in reference:
        if event.path not in clips:
            raise ValueError(f"an event in {event.path}, of which there are no scores")
        if event.label in classes:
            events[event.path, event.label].append((event.start, event.end))
    return {key: np.array(spans, np.float64).reshape(-1, 2) for key, spans in events.items()}


def _changes(
    scores: NDArray,
    hop: float,
    events: NDArray,
    others: Sequence[NDArray],
    dtc: float,
    gtc: float,
    cttc: float,
) -> tuple[NDArray, NDArray]:
    """One clip and class: falling scores [n], and by how much found, false, crossed change there [n, 2 + others]."""
    levels = np.unique(scores)[::-1]
    edges = np.diff(np.pad(scores >= levels[:, None], ((0, 0), (1, 1))).astype(np.int8), axis=1)
    level, first = np.nonzero(edges == 1)  # both in the order of levels, then of time: they pair up
    start, end = first * hop, np.nonzero(edges == -1)[1] * hop
    overlap = _overlap(start, end, events)
    right = np.round(overlap.sum(axis=1), DECIMALS) >= np.round(dtc * (end - start), DECIMALS)
    covered = np.stack(
        [np.bincount(level[right], each[right], minlength=len(levels)) for each in overlap.T] or [np.empty(len(levels))]
    )[: len(events)]
    found = np.round(covered, DECIMALS) >= np.round(gtc * np.diff(events), DECIMALS)
    counts = [found.sum(axis=0), np.bincount(level[~right], minlength=len(levels))]
    for other in others:
        share = np.round(_overlap(start, end, other).sum(axis=1), DECIMALS)
        crossed = ~right & (share >= np.round(cttc * (end - start), DECIMALS))
        counts.append(np.bincount(level[crossed], minlength=len(levels)))
    return levels, np.diff(np.stack(counts, axis=1), axis=0, prepend=0)


def _overlap(start: NDArray, end: NDArray, events: NDArray) -> NDArray:
    """Seconds that each detection shares with each event [detections, events]."""
    return np.maximum(np.minimum(end[:, None], events[:, 1]) - np.maximum(start[:, None], events[:, 0]), 0.0)


def _summed(changes: Sequence[tuple[NDArray, NDArray]]) -> NDArray:
    """Counts of all clips together [2 + others, thresholds], the threshold falling from above every score."""
    levels, steps = (np.concatenate(part) for part in zip(*changes, strict=True))
    order = np.argsort(-levels, kind="stable")
    last = np.append(np.diff(levels[order]) != 0, True)
    return np.pad(np.cumsum(steps[order], axis=0)[last], ((1, 0), (0, 0))).T


def _staircase(share: NDArray, rate: NDArray, max_rate: float) -> tuple[NDArray, NDArray]:
    """The best share found at each rate or below; the rates rise from 0 to ``max_rate``."""
    order = np.lexsort((share, rate))
    share, rate = np.maximum.accumulate(share[order]), rate[order]
    last = np.append(np.diff(rate) != 0, True) & (rate <= max_rate)
    return share[last], rate[last]


def _area(share: NDArray, rate: NDArray, max_rate: float) -> float:
    return float((share * np.diff(rate, append=max_rate)).sum() / max_rate)
