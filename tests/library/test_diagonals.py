"""Diagonals: the best stretches against a slow oracle."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.library import diagonals


def slow(likeness: np.ndarray, first: np.ndarray) -> tuple[float, int, int]:
    """Most evidence of any stretch, its first print and row, by trying them all."""
    best = (0.0, 0, 0)
    for low, high in pairwise(first):
        for i in range(len(likeness)):
            for j in range(low, high):
                total = 0.0
                for k in range(min(len(likeness) - i, high - j)):
                    total += likeness[i + k, j + k]
                    best = max(best, (total, i, j))
    return best


def strongest(tables: list, bests: list, first: np.ndarray, count: int) -> list[tuple[int, diagonals.Stretch]]:
    found = diagonals.Strongest(count)
    found.add(tables, bests, first, np.arange(len(first) - 1), np.zeros(len(first) - 1, int))
    return found.stretches


@given(st.integers(0, 2**32), st.integers(1, 6), st.lists(st.integers(1, 7), min_size=1, max_size=4))
def test_the_stretch_is_the_one_with_most_evidence(seed, n, lengths):
    first = np.cumsum([0, *lengths])
    likeness = np.random.default_rng(seed).uniform(-1, 1, (n, first[-1])).astype(np.float32)
    total, i, j = slow(likeness, first)
    best = diagonals.evidence(likeness, first)
    other = np.full((2, first[-1]), -1, np.float32)
    tables, bests = [other, likeness], [diagonals.evidence(other, first), best]
    found = strongest(tables, bests, first, 3)
    assert bool(found) == (total > 0)
    if found:
        table, most = found[0]
        assert table == 1
        assert most.evidence == pytest.approx(total, rel=1e-4)
        assert (most.first, first[most.recording] + most.at) == (i, j)
        assert best.max() == pytest.approx(total, rel=1e-4)


def test_small_integers_do_not_overflow():
    likeness = np.full((40, 50), 28, np.int8)
    best = diagonals.evidence(likeness, np.array([0, 50]))
    assert best.max() == 40 * 28
    assert strongest([likeness], [best], np.array([0, 50]), 1)[0][1].evidence == 40 * 28


def test_of_many_tables_the_strongest_stay():
    first, rng = np.array([0, 30]), np.random.default_rng(0)
    tables = [rng.uniform(-1, 1, (5, 30)).astype(np.float32) for _ in range(4)]
    bests = [diagonals.evidence(table, first) for table in tables]
    one_by_one = diagonals.Strongest(6)
    for number, (table, best) in enumerate(zip(tables, bests, strict=True)):
        one_by_one.add([table], [best], first, np.array([number]), np.array([100]))
    found = [(each.recording, each.at - 100, each.first, each.evidence) for _, each in one_by_one.stretches]
    at_once = strongest(tables, bests, first, 6)
    assert found == [(table, each.at, each.first, each.evidence) for table, each in at_once]


@given(st.integers(0, 2**32), st.integers(1, 6), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_diagonals_within_a_recording_are_told_from_those_that_leave_it(seed, n, lengths):
    first = np.cumsum([0, *lengths])
    best = np.random.default_rng(seed).uniform(0, 1, n + int(first[-1]) - 1).astype(np.float32)
    slowly = [
        max((best[row + n - 1] for row in range(low, high - n + 1)), default=0.0) for low, high in pairwise(first)
    ]
    assert diagonals.inside(best, first).tolist() == pytest.approx(slowly)
