"""Splits keep sources whole, are the same every time, and share classes out."""

from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.data import Manifest, splits
from auricle.errors import DataError

ROWS = st.lists(
    st.tuples(st.integers(0, 15), st.sets(st.sampled_from("abcd"), max_size=3)), min_size=1, max_size=60
)  # source, labels


def clips(rows):
    made = [{"path": f"{i}.wav", "source": f"s{s}", "labels": sorted(labels)} for i, (s, labels) in enumerate(rows)]
    return Manifest.from_rows(made, classes="abcd")


@pytest.mark.parametrize("split", [splits.by_hash, splits.balanced])
@given(rows=ROWS, seed=st.integers(0, 3))
def test_sources_stay_whole_and_nothing_is_lost(split, rows, seed):
    manifest = clips(rows)
    divided = split(manifest, {"train": 0.6, "test": 0.4}, seed=seed)
    homes = defaultdict(set)
    for row in divided:
        homes[row["source"]].add(row["split"])
    assert all(len(home) == 1 for home in homes.values())
    assert divided.column("path") == manifest.column("path")
    assert set(divided.column("split")) <= {"train", "test"}
    assert divided.fingerprint() == split(manifest, {"train": 0.6, "test": 0.4}, seed=seed).fingerprint()


def test_clips_stay_when_others_come():
    rows = [(number, {"a"}) for number in range(200)]
    few, many = splits.by_hash(clips(rows[:100])), splits.by_hash(clips(rows))
    assert many.column("split")[:100] == few.column("split")
    share = Counter(many.column("split"))
    assert 0.6 < share["train"] / 200 < 0.8
    assert splits.by_hash(clips(rows), seed=1).column("split") != many.column("split")


def test_balanced_shares_out_rare_classes():
    rng = np.random.default_rng(0)
    rows = [(number // 3, {"abcd"[int(rng.choice(4, p=[0.7, 0.2, 0.07, 0.03]))]}) for number in range(600)]
    counts = splits.counts(splits.balanced(clips(rows), {"train": 0.8, "test": 0.2}))
    for name in "abcd":
        total = counts["train"][name] + counts["test"][name]
        assert counts["test"][name] / total == pytest.approx(0.2, abs=max(0.03, 3 / total))


def test_clips_without_a_source_are_on_their_own():
    manifest = Manifest.from_rows({"path": f"{i}.wav", "labels": ["a"]} for i in range(100))
    assert len(set(splits.by_hash(manifest).column("split"))) == 3


def test_leave_one_out():
    manifest = clips([(0, {"a"}), (0, {"b"}), (1, {"a"}), (1, {"c"}), (2, {"d"})])
    found = dict(splits.leave_one_out(manifest))
    assert set(found) == {"s0", "s1"}
    assert found["s0"].classes == ("a",)
    assert found["s0"].split("test").column("source") == ["s0"]


def test_shares_must_be_positive():
    with pytest.raises(DataError, match="positive share"):
        splits.by_hash(clips([(0, set())]), {"train": 1.0, "test": 0.0})
