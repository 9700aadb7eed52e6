"""Ranked lists against their definitions, with loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.metrics import retrieval


@given(st.integers(0, 2**32 - 1))
def test_all_of_them_as_loops(seed):
    rng = np.random.default_rng(seed)
    similarity, relevant = rng.random((8, 12)), rng.random((8, 12)) < 0.2
    relevant[0, 3] = True
    first, precision, at_five = [], [], []
    for row, truth in zip(similarity, relevant, strict=True):
        if not truth.any():
            continue
        ordered = truth[np.argsort(-row)]
        first.append(np.flatnonzero(ordered)[0] + 1)
        values = [ordered[: i + 1].mean() if hit else 0 for i, hit in enumerate(ordered)]
        precision.append(sum(values) / truth.sum())
        at_five.append(sum(values[:5]) / min(5, truth.sum()))
    first = np.array(first)
    assert retrieval.recall_at(similarity, relevant, 3) == pytest.approx(np.mean(first <= 3))
    assert retrieval.mean_average_precision(similarity, relevant) == pytest.approx(np.mean(precision))
    assert retrieval.mean_average_precision(similarity, relevant, 5) == pytest.approx(np.mean(at_five))
    assert retrieval.mean_reciprocal_rank(similarity, relevant) == pytest.approx(np.mean(1 / first))
    assert retrieval.median_rank(similarity, relevant) == np.median(first)


def test_mean_average_precision_is_that_of_scikit_learn():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    similarity, relevant = rng.random((5, 30)), rng.random((5, 30)) < 0.3
    expected = np.mean([average_precision_score(*pair) for pair in zip(relevant, similarity, strict=True)])
    assert retrieval.mean_average_precision(similarity, relevant) == pytest.approx(expected)


def test_a_model_that_has_collapsed_finds_nothing():
    assert retrieval.recall_at(np.ones((4, 10)), np.eye(4, 10), 9) == 0.0


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(ValueError, match="queries, items"):
        retrieval.ranks(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="finite"):
        retrieval.ranks([[np.nan]], [[True]])
    with pytest.raises(ValueError, match="relevant"):
        retrieval.ranks([[1.0]], [[False]])
