"""Metrics of tags and classes.

Two kinds of targets. *Multi-label*: ``targets`` [n, classes] of 0 and 1, every class a question of its own.
*Single-label*: ``targets`` [n], the index of the one right class. ``scores`` are [n, classes] in both, higher is surer;
only ``expected_calibration_error`` asks that they are probabilities.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def average_precision(scores: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Average precision of each class [classes], in [0, 1]; NaN for a class without positives.

    The sum over thresholds of (increase of recall) x precision, without interpolation; clips of equal score share one
    threshold. The same as ``sklearn.metrics.average_precision_score`` of each column.

    Raises:
        ValueError: the shapes differ, a score is not finite, or targets are not 0 and 1.
    """
    scores, targets = _multilabel(scores, targets)
    return np.array([_average_precision(*column) for column in zip(scores.T, targets.T, strict=True)])


def _average_precision(scores: NDArray, targets: NDArray) -> float:
    positives = targets.sum()
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # last clip of each threshold
    hits = np.cumsum(targets[order])[ends]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (ends + 1)) / positives)


def mean_average_precision(scores: ArrayLike, targets: ArrayLike) -> float:
    """Mean over classes of ``average_precision`` (macro mAP), in [0, 1]; classes without positives do not count.

    Raises:
        ValueError: as ``average_precision``, or no class has a positive.
    """
    return _mean(average_precision(scores, targets), "no class has a positive")


def roc_auc(scores: ArrayLike, targets: ArrayLike) -> NDArray[np.float64]:
    """Area under the ROC curve of each class [classes], in [0, 1]; NaN for a class without positives or negatives.

    The probability that a positive scores above a negative, ties counted half (the Mann-Whitney statistic).

    Raises:
        ValueError: as ``average_precision``.
    """
    from scipy.stats import rankdata

    scores, targets = _multilabel(scores, targets)
    positives = targets.sum(axis=0)
    negatives = len(targets) - positives
    ranks = rankdata(scores, axis=0)
    above = (ranks * targets).sum(axis=0) - positives * (positives + 1) / 2
    return np.divide(above, positives * negatives, out=np.full(len(above), np.nan), where=positives * negatives > 0)


def d_prime(auc: ArrayLike) -> NDArray[np.float64]:
    """d' of an area under the ROC curve: the distance, in standard deviations, of two normal classes that have it.

    ``sqrt(2) * inverse normal CDF(auc)``; 0.5 gives 0, 1 gives infinity. AudioSet's d' is that of the mean AUC.
    """
    from scipy.special import ndtri

    return np.sqrt(2.0) * ndtri(np.asarray(auc, np.float64))


def lwlrap(scores: ArrayLike, targets: ArrayLike) -> float:
    """Label-weighted label-ranking average precision, in (0, 1] (DCASE 2019, task 2).

    For every true label of every clip: of the classes ranked as high or higher, the share that is true; the mean over
    all true labels. Clips without labels do not count.

    Raises:
        ValueError: as ``average_precision``, or no clip has a label.
    """
    scores, targets = _multilabel(scores, targets)
    precisions = []
    for clip, truth in zip(scores, targets, strict=True):
        true = clip[truth > 0]
        precisions.append((true >= true[:, None]).sum(axis=1) / (clip >= true[:, None]).sum(axis=1))
    return _mean(np.concatenate(precisions or [np.empty(0)]), "no clip has a label")


def accuracy(scores: ArrayLike, targets: ArrayLike, k: int = 1) -> float:
    """Share of clips whose right class is among their ``k`` best scored, in [0, 1]; among equals the first class wins.

    Raises:
        ValueError: the shapes do not fit, there are no clips, or a target is no class.
    """
    scores, targets = _single_label(scores, targets)
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((best == targets[:, None]).any(axis=1).mean())


def balanced_accuracy(scores: ArrayLike, targets: ArrayLike) -> float:
    """Mean over the classes that occur of the share of their clips found, in [0, 1]: every class weighs the same.

    Raises:
        ValueError: as ``accuracy``.
    """
    matrix = confusion_matrix(scores, targets)
    count = matrix.sum(axis=1)
    return float((matrix.diagonal()[count > 0] / count[count > 0]).mean())


def confusion_matrix(scores: ArrayLike, targets: ArrayLike) -> NDArray[np.int64]:
    """Clips of each right class (rows) by best scored class (columns) [classes, classes].

    Raises:
        ValueError: as ``accuracy``.
    """
    scores, targets = _single_label(scores, targets)
    classes = scores.shape[1]
    pairs = targets * classes + scores.argmax(axis=1)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def f1(scores: ArrayLike, targets: ArrayLike, threshold: float = 0.5) -> NDArray[np.float64]:
    """F1 of each class [classes] when every score of at least ``threshold`` is a yes; NaN where nothing is and nothing
    is said to be.

    Raises:
        ValueError: as ``average_precision``.
    """
    scores, targets = _multilabel(scores, targets)
    said = scores >= threshold
    hits = (said & (targets > 0)).sum(axis=0)
    total = said.sum(axis=0) + targets.sum(axis=0)
    return np.divide(2.0 * hits, total, out=np.full(len(total), np.nan), where=total > 0)


def expected_calibration_error(scores: ArrayLike, targets: ArrayLike, bins: int = 15) -> float:
    """How far probabilities are from the frequencies they promise, in [0, 1]; 0 is calibrated (Guo et al., 2017).

    Predictions fall into ``bins`` equal intervals of confidence; the error is the mean over predictions of their bin's
    |accuracy - mean confidence|. For targets [n], the prediction of a clip is its best scored class; for targets
    [n, classes], every score is a prediction of its own.

    Raises:
        ValueError: as ``accuracy`` or ``average_precision``, or a score is outside [0, 1].
    """
    if np.ndim(targets) == 1:
        scores, targets = _single_label(scores, targets)
        confidence, right = scores.max(axis=1), scores.argmax(axis=1) == targets
    else:
        scores, targets = _multilabel(scores, targets)
        confidence, right = scores.ravel(), targets.ravel()
    if confidence.min() < 0 or confidence.max() > 1:
        raise ValueError("calibration is asked of scores that are not probabilities in [0, 1]")
    # Intervals are (low, high], as in the paper; a confidence of 0 falls into the first.
    inside = np.maximum(np.ceil(confidence * bins).astype(int) - 1, 0)
    gaps = np.bincount(inside, right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def _multilabel(scores: ArrayLike, targets: ArrayLike) -> tuple[NDArray, NDArray]:
    scores, targets = _finite(scores), np.asarray(targets)
    if targets.shape != scores.shape:
        raise ValueError(f"scores of shape {scores.shape} but targets of shape {targets.shape}")
    if not np.isin(targets, (0, 1)).all():
        raise ValueError("targets are not all 0 or 1")
    return scores, targets.astype(np.int64)


def _single_label(scores: ArrayLike, targets: ArrayLike) -> tuple[NDArray, NDArray]:
    scores, targets = _finite(scores), np.asarray(targets)
    if targets.shape != scores.shape[:1] or targets.dtype.kind not in "iu":
        raise ValueError(f"targets of {len(scores)} clips are class indices [n], not {targets.dtype} {targets.shape}")
    if targets.min() < 0 or targets.max() >= scores.shape[1]:
        raise ValueError(f"targets from {targets.min()} to {targets.max()} but {scores.shape[1]} classes")
    return scores, targets.astype(np.int64)


def _finite(scores: ArrayLike) -> NDArray:
    scores = np.asarray(scores, np.float64)
    if scores.ndim != 2 or not scores.size:
        raise ValueError(f"scores are [n, classes], not {list(scores.shape)}")
    if not np.isfinite(scores).all():
        raise ValueError("scores are not all finite")
    return scores


def _mean(values: NDArray, empty: str) -> float:
    known = values[~np.isnan(values)]
    if not known.size:
        raise ValueError(empty)
    return float(known.mean())
