"""Metrics of identity: which recordings are of one work, which voices of one speaker, which excerpts of one track.

Two views. *Ranking*: every recording asks for the others of its group (cover songs). *Verification*: pairs are accepted
or rejected by a threshold on their score (speakers).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auricle.metrics.retrieval import average_precision, ranks


def group_ranks(similarity: ArrayLike, groups: ArrayLike) -> list[NDArray[np.int64]]:
    """For each recording with company, the ranks of the others of its group among all others, from 1.

    Args:
        similarity: [n, n], higher is more alike; the diagonal does not matter.
        groups: [n], of what work or speaker each recording is.

    Raises:
        ValueError: the shapes do not fit, or no group has two members.
    """
    similarity, groups = np.asarray(similarity, np.float64), np.asarray(groups)
    n = len(groups)
    if similarity.shape != (n, n):
        raise ValueError(f"similarity of {n} recordings is [{n}, {n}], not {similarity.shape}")
    others = ~np.eye(n, dtype=bool)
    same = groups[:, None] == groups
    return ranks(similarity[others].reshape(n, n - 1), same[others].reshape(n, n - 1))


def mean_average_precision(similarity: ArrayLike, groups: ArrayLike) -> float:
    """MAP over all recordings that have company, in (0, 1]; see ``group_ranks``."""
    return float(np.mean([average_precision(found) for found in group_ranks(similarity, groups)]))


def mean_rank_of_first(similarity: ArrayLike, groups: ArrayLike) -> float:
    """MR1: the mean rank of the first right answer, 1 at best; see ``group_ranks``."""
    return float(np.mean([found[0] for found in group_ranks(similarity, groups)]))


def precision_at(similarity: ArrayLike, groups: ArrayLike, k: int = 10) -> float:
    """P@k: the mean share of the first ``k`` answers that are right, in [0, 1]; see ``group_ranks``."""
    return float(np.mean([(found <= k).sum() / k for found in group_ranks(similarity, groups)]))


def error_rates(scores: ArrayLike, same: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Miss rate and false-alarm rate [thresholds] as the threshold falls from above all scores to the lowest.

    Args:
        scores: [pairs], higher is more alike; pairs of at least the threshold are accepted.
        same: [pairs], whether they are.

    Raises:
        ValueError: the shapes differ, a score is not finite, or all pairs are of one kind.
    """
    scores, same = np.asarray(scores, np.float64), np.asarray(same, bool)
    if scores.ndim != 1 or scores.shape != same.shape or not np.isfinite(scores).all():
        raise ValueError("scores and truth are two lists of one length, of finite numbers and of yes or no")
    if same.all() or not same.any():
        raise ValueError("error rates need pairs that are the same and pairs that are not")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    accepted = np.append(0, np.cumsum(same[order])[last])
    alarms = np.append(0, np.cumsum(~same[order])[last])
    return 1 - accepted / same.sum(), alarms / (~same).sum()


def equal_error_rate(scores: ArrayLike, same: ArrayLike) -> float:
    """EER, in [0, 1]: the error rate at which as large a share is missed as is falsely accepted.

    Between two thresholds the rates are joined by a straight line. Arguments and errors as ``error_rates``.
    """
    missed, alarms = error_rates(scores, same)
    after = int(np.argmax(alarms >= missed))  # at the first threshold all are missed, at the last none
    gap = missed - alarms
    share = gap[after - 1] / (gap[after - 1] - gap[after])
    return float(alarms[after - 1] + share * (alarms[after] - alarms[after - 1]))


def min_dcf(
    scores: ArrayLike, same: ArrayLike, p_target: float = 0.01, c_miss: float = 1.0, c_false: float = 1.0
) -> float:
    """Minimum detection cost (NIST SRE), in [0, 1]: the least expected cost, over that of deciding without listening.

    Args:
        scores: as in ``error_rates``.
        same: as in ``error_rates``.
        p_target: prior probability that a pair is the same; 0.01 and 0.05 are usual.
        c_miss: cost of rejecting a pair that is the same.
        c_false: cost of accepting one that is not.
    """
    missed, alarms = error_rates(scores, same)
    costs = c_miss * p_target * missed + c_false * (1 - p_target) * alarms
    return float(costs.min() / min(c_miss * p_target, c_false * (1 - p_target)))


def as_norm(scores: ArrayLike, enrol: ArrayLike, test: ArrayLike, top: int = 300) -> NDArray[np.float64]:
    """Adaptive symmetric score normalisation (AS-norm1, Matejka et al., Interspeech 2017) of ``scores`` [pairs].

    How far a score lies above what either side scores with the strangers most like it, in standard deviations.

    Args:
        scores: [pairs].
        enrol: [pairs, cohort], scores of the first of each pair with people who are in no pair.
        test: [pairs, cohort], of the second.
        top: how many of the cohort, the most alike, each side is compared with.

    Raises:
        ValueError: the shapes do not fit, or the cohort has fewer than two.
    """
    scores = np.asarray(scores, np.float64)
    normed = np.zeros_like(scores)
    for side in (np.asarray(enrol, np.float64), np.asarray(test, np.float64)):
        if side.ndim != 2 or len(side) != len(scores) or side.shape[1] < 2:
            raise ValueError(f"cohort scores of {len(scores)} pairs are [{len(scores)}, 2 or more], not {side.shape}")
        nearest = np.sort(side, axis=1)[:, -max(top, 2) :]
        normed += (scores - nearest.mean(axis=1)) / np.maximum(nearest.std(axis=1), 1e-6) / 2
    return normed
