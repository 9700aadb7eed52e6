"""Identity: by hand, by loops over thresholds, and where the rates are known in closed form."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from auricle.metrics import identification


def test_covers_by_hand():
    # 0 and 1 are one work, 2 to 4 another; 5 has no company and asks nothing.
    groups = ["a", "a", "b", "b", "b", "c"]
    similarity = np.zeros((6, 6))
    similarity[0] = [9, 3, 5, 4, 1, 2]  # right at rank 3
    similarity[1] = [5, 9, 1, 2, 3, 4]  # 1
    similarity[2] = [1, 2, 9, 5, 4, 3]  # 1, 2
    similarity[3] = [5, 4, 3, 9, 2, 1]  # 3, 4
    similarity[4] = [5, 1, 4, 2, 9, 3]  # 2, 4
    precisions = [1 / 3, 1, 1, (1 / 3 + 2 / 4) / 2, (1 / 2 + 2 / 4) / 2]
    assert identification.mean_average_precision(similarity, groups) == pytest.approx(np.mean(precisions))
    assert identification.mean_rank_of_first(similarity, groups) == pytest.approx((3 + 1 + 1 + 3 + 2) / 5)
    assert identification.precision_at(similarity, groups, 2) == pytest.approx((0 + 0.5 + 1 + 0 + 0.5) / 5)


@given(st.integers(0, 2**32 - 1))
def test_costs_and_equal_errors_as_loops(seed):
    rng = np.random.default_rng(seed)
    same = rng.random(40) < 0.5
    same[:2] = True, False
    scores = np.round(rng.random(40) + 0.4 * same, 1)
    rates = [(np.mean(scores[same] < t), np.mean(scores[~same] >= t)) for t in [*np.unique(scores), np.inf]]
    slow = min(0.05 * missed + 0.95 * alarms for missed, alarms in rates) / 0.05
    assert identification.min_dcf(scores, same, p_target=0.05) == pytest.approx(slow)
    equal = identification.equal_error_rate(scores, same)
    below, above = (r for r in (max(r for r in rates if r[0] <= r[1]), min(r for r in rates if r[0] >= r[1])))
    assert min(below[0], above[1]) - 1e-9 <= equal <= max(below[1], above[0]) + 1e-9


def test_two_normal_classes_have_known_rates():
    grid = norm.ppf((np.arange(20_000) + 0.5) / 20_000)  # quantiles in place of samples
    scores, same = np.concatenate([grid + 2.0, grid]), np.repeat([True, False], 20_000)
    assert identification.equal_error_rate(scores, same) == pytest.approx(norm.cdf(-1.0), abs=1e-3)
    # The cheapest threshold is where the likelihood ratio is the ratio of costs: t = d / 2 + ln(99) / d.
    t = 1.0 + np.log(0.99 / 0.01) / 2.0
    cost = (0.01 * norm.cdf(t - 2.0) + 0.99 * norm.sf(t)) / 0.01
    assert identification.min_dcf(scores, same) == pytest.approx(cost, abs=5e-3)


def test_perfect_useless_and_reversed_scores():
    same = np.array([True, True, False, False])
    assert identification.equal_error_rate([4, 3, 2, 1], same) == 0.0
    assert identification.equal_error_rate([1, 1, 1, 1], same) == 0.5
    assert identification.equal_error_rate([1, 2, 3, 4], same) == 1.0
    assert identification.min_dcf([4, 3, 2, 1], same) == 0.0
    assert identification.min_dcf([1, 1, 1, 1], same) == 1.0


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(ValueError, match="are the same"):
        identification.error_rates([1, 2], [True, True])
    with pytest.raises(ValueError, match="lists"):
        identification.error_rates([1, 2], [True])
    with pytest.raises(ValueError, match="similarity of 3"):
        identification.group_ranks(np.ones((2, 2)), [1, 1, 2])


def test_as_norm_by_loops():
    rng = np.random.default_rng(0)
    scores, enrol, test = rng.standard_normal(5), rng.standard_normal((5, 12)), rng.standard_normal((5, 12))
    for top in (4, 300):
        expected = []
        for score, one, other in zip(scores, enrol, test, strict=True):
            sides = [np.sort(side)[::-1][:top] for side in (one, other)]
            expected.append(np.mean([(score - side.mean()) / side.std() for side in sides]))
        assert identification.as_norm(scores, enrol, test, top) == pytest.approx(np.array(expected))


def test_as_norm_takes_what_a_side_adds_to_every_score():
    rng = np.random.default_rng(0)
    scores, enrol, test = rng.standard_normal(5), rng.standard_normal((5, 20)), rng.standard_normal((5, 20))
    plain = identification.as_norm(scores, enrol, test)
    assert identification.as_norm(scores + 3, enrol + 3, test + 3) == pytest.approx(plain)
    with pytest.raises(ValueError, match="cohort"):
        identification.as_norm(scores, enrol[:, :1], test)
