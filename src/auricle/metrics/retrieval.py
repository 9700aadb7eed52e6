"""Metrics of ranked lists: queries against items, by text, by example, or across the two.

``similarity`` [queries, items] is higher for what should come first; ``relevant`` [queries, items] is true for what
should be found. Among items of equal similarity the relevant ones come last, so that a model that has collapsed to one
vector is not rewarded. Queries without anything relevant do not count.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray


def ranks(similarity: ArrayLike, relevant: ArrayLike) -> list[NDArray[np.int64]]:
    """For each query that has something relevant, the ranks of it all, from 1 for the first of the list, rising.

    Raises:
        ValueError: the shapes differ, a similarity is not finite, or no query has anything relevant.
    """
    similarity, relevant = np.asarray(similarity, np.float64), np.asarray(relevant, bool)
    if similarity.ndim != 2 or similarity.shape != relevant.shape:
        raise ValueError(f"similarity and relevance are [queries, items], not {similarity.shape} and {relevant.shape}")
    if not np.isfinite(similarity).all():
        raise ValueError("similarities are not all finite")
    if not relevant.any():
        raise ValueError("no query has anything relevant")
    order = np.lexsort((relevant, -similarity), axis=-1)
    sorted_relevant = np.take_along_axis(relevant, order, axis=-1)
    return [np.flatnonzero(row) + 1 for row in sorted_relevant if row.any()]


def recall_at(similarity: ArrayLike, relevant: ArrayLike, k: int) -> float:
    """R@k, in [0, 1]: the share of queries that have anything relevant among their first ``k``."""
    return float(np.mean([found[0] <= k for found in ranks(similarity, relevant)]))


def mean_average_precision(similarity: ArrayLike, relevant: ArrayLike, k: int | None = None) -> float:
    """mAP, or mAP@k, in [0, 1]: the mean over queries of the average precision of their first ``k``.

    The average precision is the sum of the precisions at each relevant rank up to ``k`` over as many as there could be,
    min(k, relevant). With one relevant item it is 1 / rank, 0 beyond ``k``.
    """
    return float(np.mean([average_precision(found, k) for found in ranks(similarity, relevant)]))


def average_precision(found: Sequence[int] | NDArray, k: int | None = None) -> float:
    """Average precision of one list whose relevant items are at the ranks ``found``, rising from 1."""
    found = np.asarray(found)
    within = found[: None if k is None else int(np.searchsorted(found, k, "right"))]
    possible = len(found) if k is None else min(k, len(found))
    return float((np.arange(1, len(within) + 1) / within).sum() / possible)


def mean_reciprocal_rank(similarity: ArrayLike, relevant: ArrayLike) -> float:
    """Mean over queries of 1 / rank of the first relevant item, in (0, 1]."""
    return float(np.mean([1 / found[0] for found in ranks(similarity, relevant)]))


def median_rank(similarity: ArrayLike, relevant: ArrayLike) -> float:
    """Median over queries of the rank of the first relevant item, 1 at best."""
    return float(np.median([found[0] for found in ranks(similarity, relevant)]))
