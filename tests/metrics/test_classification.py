"""Each metric against its definition written out slowly, scikit-learn where it has one, and published values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from auricle.metrics import classification as ours


@st.composite
def multilabel(draw):
    """Scores with ties and targets in which every class has a positive and a negative."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, classes = draw(st.integers(2, 40)), draw(st.integers(2, 6))
    scores = rng.integers(0, draw(st.sampled_from([3, 1000])), (n, classes)) / 1000
    targets = rng.integers(0, 2, (n, classes))
    targets[0], targets[1] = 1, 0
    return scores, targets


@given(multilabel())
def test_average_precision_and_auc_are_those_of_scikit_learn(case):
    scores, targets = case
    columns = range(scores.shape[1])
    precision = [oracle.average_precision_score(targets[:, c], scores[:, c]) for c in columns]
    area = [oracle.roc_auc_score(targets[:, c], scores[:, c]) for c in columns]
    np.testing.assert_allclose(ours.average_precision(scores, targets), precision, atol=1e-12)
    np.testing.assert_allclose(ours.roc_auc(scores, targets), area, atol=1e-12)
    assert ours.mean_average_precision(scores, targets) == pytest.approx(np.mean(precision))


@given(multilabel())
def test_area_is_the_chance_of_ranking_a_pair_right(case):
    scores, targets = case
    for column, truth, area in zip(scores.T, targets.T, ours.roc_auc(scores, targets), strict=True):
        pairs = [(p > n) + (p == n) / 2 for p in column[truth == 1] for n in column[truth == 0]]
        assert area == pytest.approx(np.mean(pairs))


@given(multilabel())
def test_lwlrap_is_the_label_weighted_score_of_scikit_learn(case):
    scores, targets = case
    weights = targets.sum(axis=1)
    expected = oracle.label_ranking_average_precision_score(targets, scores, sample_weight=weights)
    assert ours.lwlrap(scores, targets) == pytest.approx(expected)


@given(multilabel())
def test_f1_is_that_of_scikit_learn(case):
    scores, targets = case
    expected = oracle.f1_score(targets, scores >= 0.5, average=None, zero_division=0)
    np.testing.assert_allclose(ours.f1(scores, targets), expected)


@given(st.integers(0, 2**32 - 1))
def test_accuracies_count_clips(seed):
    rng = np.random.default_rng(seed)
    scores, targets = rng.random((30, 5)), rng.integers(0, 4, 30)  # the fifth class never occurs
    said = scores.argmax(axis=1)
    assert ours.accuracy(scores, targets) == pytest.approx(np.mean(said == targets))
    assert ours.accuracy(scores, targets, k=5) == 1.0
    recalls = [np.mean(said[targets == c] == c) for c in range(5) if (targets == c).any()]
    assert ours.balanced_accuracy(scores, targets) == pytest.approx(np.mean(recalls))
    expected = oracle.confusion_matrix(targets, said, labels=range(5))
    np.testing.assert_array_equal(ours.confusion_matrix(scores, targets), expected)


def test_accuracy_at_k():
    scores = [[0.1, 0.5, 0.4], [0.6, 0.3, 0.1]]
    assert ours.accuracy(scores, [2, 2]) == 0.0
    assert ours.accuracy(scores, [2, 2], k=2) == 0.5


@pytest.mark.parametrize(
    ("auc", "published"),
    [(0.959, 2.452), (0.973, 2.732)],  # Hershey et al. (2017), ResNet-50; Kong et al. (2020), CNN14; AUC to 3 digits
)
def test_d_prime_of_published_areas(auc, published):
    assert ours.d_prime(auc) == pytest.approx(published, abs=0.015)


def test_calibration_by_hand():
    # Two confident clips, both right (gap 0.1 each); two at 0.6, one right (gap 0.1 in the mean of the bin).
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    assert ours.expected_calibration_error(scores, [0, 0, 0, 0], bins=10) == pytest.approx((2 * 0.1 + 2 * 0.1) / 4)
    assert ours.expected_calibration_error(np.eye(3), [0, 1, 2]) == 0.0
    assert ours.expected_calibration_error(np.full((10, 1), 0.3), np.arange(10)[:, None] < 3) == pytest.approx(0.0)


@given(multilabel(), st.integers(1, 20))
def test_calibration_is_the_weighted_gap_of_bins(case, bins):
    scores, targets = case
    confidence, right = scores.ravel(), targets.ravel()
    slow = 0.0
    for b in range(bins):
        inside = (np.ceil(confidence * bins) == b + 1) | ((b == 0) & (confidence == 0))
        if inside.any():
            slow += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert ours.expected_calibration_error(scores, targets, bins) == pytest.approx(slow)


def test_classes_without_positives_do_not_count():
    scores, targets = np.array([[0.9, 0.5], [0.1, 0.6]]), np.array([[1, 0], [0, 0]])
    assert np.isnan(ours.average_precision(scores, targets)).tolist() == [False, True]
    assert np.isnan(ours.roc_auc(scores, targets)).tolist() == [False, True]
    assert ours.mean_average_precision(scores, targets) == 1.0
    with pytest.raises(ValueError, match="no class has a positive"):
        ours.mean_average_precision(scores, targets * 0)
    with pytest.raises(ValueError, match="no clip has a label"):
        ours.lwlrap(scores, targets * 0)


@pytest.mark.parametrize(
    ("scores", "targets", "problem"),
    [
        ([[0.1, 0.2]], [[1]], "shape"),
        ([[0.1, np.nan]], [[1, 0]], "finite"),
        ([[0.1, 0.2]], [[2, 0]], "0 or 1"),
        ([0.1, 0.2], [1, 0], "n, classes"),
    ],
)
def test_what_cannot_be_scored_is_refused(scores, targets, problem):
    with pytest.raises(ValueError, match=problem):
        ours.average_precision(scores, targets)


@pytest.mark.parametrize("targets", [[2], [-1], [0, 1], [0.0]])
def test_targets_that_are_no_classes_are_refused(targets):
    with pytest.raises(ValueError, match="targets"):
        ours.accuracy([[0.1, 0.2]], targets)
