"""Samplers draw what they promise, the same for the same seed and epoch."""

from collections import Counter

import numpy as np
import pytest

from auricle.data import Manifest, samplers
from auricle.errors import DataError

MANIFEST = Manifest.from_rows(
    [{"path": f"{i}.wav", "labels": ["common"]} for i in range(90)]
    + [{"path": f"r{i}.wav", "labels": ["rare"]} for i in range(10)]
)


@pytest.mark.parametrize("make", [samplers.balanced, samplers.by_frequency])
def test_the_same_until_the_epoch_changes(make):
    sampler = make(MANIFEST, seed=1)
    first = list(sampler)
    assert len(first) == len(sampler) == 100
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first


def test_balanced_draws_classes_in_rounds_and_clips_in_turn():
    drawn = list(samplers.balanced(MANIFEST, 40))
    for at in range(0, 40, 2):
        assert {drawn[at] >= 90, drawn[at + 1] >= 90} == {True, False}
    rare = [row for row in drawn if row >= 90]
    assert sorted(rare[:10]) == sorted(rare[10:]) == list(range(90, 100))


def test_by_frequency_weighs_as_asked():
    weights = samplers.by_frequency(MANIFEST, offset=10).chances
    assert weights[0] / weights[-1] == pytest.approx((10 + 10) / (90 + 10))
    drawn = Counter(row >= 90 for row in samplers.by_frequency(MANIFEST, offset=0, length=4000))
    assert drawn[True] / 4000 == pytest.approx(0.5, abs=0.03)


def test_weighted():
    assert set(samplers.weighted([0, 1, 0, 3], 100)) == {1, 3}
    for weights in ([-1, 2], [0, 0], [np.nan, 1]):
        with pytest.raises(DataError, match="not negative"):
            samplers.weighted(weights)
    with pytest.raises(DataError, match="No clip has a label"):
        samplers.balanced(Manifest.from_rows([{"path": "a.wav"}]))


def test_grouped_draws_batches_of_classes_with_several_items():
    labels = np.repeat(np.arange(7), [3, 3, 1, 5, 3, 3, 3])
    sampler = samplers.grouped(labels, groups=3, each=2, seed=1)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 12  # two batches of 3 classes; the seventh waits
    for batch in np.array(drawn).reshape(2, 3, 2):
        assert len({labels[pair[0]] for pair in batch}) == 3
        assert all(labels[first] == labels[second] for first, second in batch)
        assert all(first != second or labels[first] == 2 for first, second in batch)  # it has one item only
    assert drawn == list(sampler)
    sampler.set_epoch(1)
    assert drawn != list(sampler)
    with pytest.raises(DataError, match="8 classes where there are 7"):
        samplers.grouped(labels, groups=8, each=2)
