"""Stored prints: codes, the cache, and a search through the most likely beside one through all."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from auricle.audio import read
from auricle.library import prints
from auricle.library.dots import encode
from auricle.library.identify import CHANCE, EAR, Identifier
from auricle.library.listen import open_ear
from auricle.library.prints import Prints
from auricle.library.store import RECORDINGS, Store, windows_schema
from auricle.types import PrintEar

MUSIC = sorted((Path(__file__).parents[2] / "data" / "mini" / "music").iterdir())[0]
DIM, HOP, CLIP = 16, 0.5, 12
LENGTHS = (40, 7, 90, 60, 33, 80)


class FakePrintEar:
    """Takes no prints; says which are common."""

    name = "fake_prints@1"
    dim, hashes = DIM, 2

    def commonness(self, prints: np.ndarray) -> np.ndarray:
        return np.where(prints.any(axis=1), 0.2, 2.0).astype(np.float32)


FAKE: Any = FakePrintEar()  # all of an ear that stored prints need


def walk(seed: int, length: int) -> np.ndarray:
    """Prints that change slowly, as those of a recording do."""
    steps = np.random.default_rng(seed).standard_normal((length + 3, DIM))
    smooth = np.stack([steps[i : i + length] for i in range(4)]).sum(axis=0)
    return (smooth / np.linalg.norm(smooth, axis=1, keepdims=True)).astype(np.float32)


def hashes_of(length: int) -> np.ndarray:
    """Hashes of a recording: which of its prints they lie beside, and that plus 1000."""
    return np.arange(length, dtype=np.uint32)[:, None] + np.array([0, 1000], np.uint32)


def add(store: Store, recordings: dict[str, np.ndarray]) -> None:
    """Stores prints [n, DIM] by content id, as one fragment and not in the order of time."""
    schema, batches = windows_schema(DIM, 0, FAKE.hashes), []
    for id, stored in recordings.items():
        order = np.random.default_rng(len(stored)).permutation(len(stored))
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(stored[order].astype(np.float16).ravel()), DIM)
        hashes = pa.FixedSizeListArray.from_arrays(pa.array(hashes_of(len(stored))[order].ravel()), FAKE.hashes)
        columns = [pa.array([id] * len(stored)), order * HOP, order * HOP + 1.0, vectors, hashes]
        batches.append(pa.RecordBatch.from_arrays(columns, schema=schema))
    rows = [
        {"path": f"/{id}.wav", "id": id, "duration": len(stored) * HOP, "tags": [], "tag_scores": []}
        for id, stored in recordings.items()
    ]
    with store.lock():
        store.remember(ears={FakePrintEar.name: FakePrintEar.name})
        store.append_windows(FakePrintEar.name, schema, iter(batches))
        store.upsert(pa.Table.from_pylist(rows, schema=RECORDINGS))


def music(seeds: Sequence[int] = range(6)) -> dict[str, np.ndarray]:
    return {f"r{seed}": walk(seed, LENGTHS[seed % 6]) for seed in seeds}


@pytest.fixture
def store(tmp_path) -> Store:
    store = Store(tmp_path / "library")
    add(store, music())
    return store


@pytest.fixture
def few(monkeypatch):
    """As if every library were large."""
    monkeypatch.setattr(prints, "MANY", 32)
    monkeypatch.setattr(prints, "CANDIDATES", 8)


def found(stored: Prints, clip: np.ndarray) -> list[tuple[str, int, float]]:
    """Content id, place of the first print and evidence of what ``aligned`` finds, most evidence first."""
    identifier: Any = SimpleNamespace(prints=stored, ear=FAKE)
    stretches, _ = Identifier.aligned(identifier, [clip], 8)
    return [
        (stored.ids[each.recording], each.at - each.first, each.evidence) for _, each in stretches if each.evidence > 3
    ]


def noisy(clip: np.ndarray, seed: int = 0) -> np.ndarray:
    clip = clip + 0.1 * np.random.default_rng(seed).standard_normal(clip.shape)
    return (clip / np.linalg.norm(clip, axis=1, keepdims=True)).astype(np.float32)


def files(store: Store) -> set[str]:
    return {path.name for path in (store.path / "cache").rglob("*.npz")}


def test_prints_are_kept_in_the_order_of_time_in_8_bits(store):
    stored = Prints(store, FAKE)
    assert stored.codes.dtype == np.uint8
    assert stored.codes.nbytes == sum(LENGTHS) * DIM
    for id, wanted in music().items():
        own = stored.of(stored.ids.index(id))
        within = np.abs(wanted) < 0.7
        np.testing.assert_allclose(own[within], wanted[within], atol=prints.STEP / 2 + 1e-3)
        here = slice(*stored.first[stored.ids.index(id) :][:2])
        np.testing.assert_array_equal(stored.hashes[here], hashes_of(len(wanted)))


def test_likeness_is_the_cosine_less_commonness(store):
    stored, clip = Prints(store, FAKE), noisy(music()["r2"][:CLIP])
    rows = slice(stored.first[2], stored.first[3])
    exact = clip @ stored.of(2).T - 0.25 - 0.1
    np.testing.assert_allclose(stored.likeness(rows, clip, np.full(CLIP, 0.25, "f")), exact, atol=0.03)


@pytest.mark.parametrize(("id", "at"), [("r0", 0), ("r2", 40), ("r3", 60 - CLIP), ("r5", 13), ("r4", 20)])
def test_cells_find_what_a_search_through_all_finds(store, few, id, at):
    stored, clip = Prints(store, FAKE), noisy(music()[id][at : at + CLIP])
    assert stored.cells
    likely = found(stored, clip)
    stored.cells = None
    exact = found(stored, clip)
    assert exact[0][:2] == (id, at)
    assert likely[0] == exact[0]


def test_no_stretch_leaves_its_recording(store, few):
    """A clip of the end of one recording and the beginning of the one stored behind it is not found across them."""
    own, stored = music(), Prints(store, FAKE)
    across = np.concatenate([own["r2"][-8:], own["r3"][:8]])  # on one diagonal
    blocks = list(stored.worth(across, np.full(16, CHANCE, "f"), np.array([0, 16])))
    for block in blocks:
        rows = np.arange(len(stored))[block.rows]
        owner = np.searchsorted(stored.first, rows, side="right") - 1
        for low, high, recording, at in zip(block.first, block.first[1:], block.recording, block.at, strict=False):
            assert set(owner[low:high]) == {recording}
            np.testing.assert_array_equal(rows[low:high] - stored.first[recording], np.arange(at, at + high - low))
    best = found(stored, across)[0]
    assert best[:2] in {("r2", 82), ("r3", -8)}
    assert best[2] == pytest.approx(8 * 0.9, abs=0.1)


def test_silence_is_in_no_cell_and_finds_nothing(store, few):
    add(store, {"silent": np.zeros((50, DIM), np.float32)})
    stored = Prints(store, FAKE)
    assert stored.cells
    assert len(stored.cells.members) == sum(LENGTHS)
    assert found(stored, np.zeros((CLIP, DIM), np.float32)) == []


def test_cells_are_made_from_many_prints_on(store, monkeypatch):
    monkeypatch.setattr(prints, "MANY", sum(LENGTHS))
    assert Prints(store, FAKE).cells is None
    add(store, music([6]))
    stored = Prints(store, FAKE)
    assert stored.cells
    assert len(stored.cells.centres) == 16  # a power of two near the root of 350
    assert sorted(stored.cells.members) == list(range(len(stored)))


def test_the_cache_grows_with_the_library_and_forgets_what_is_gone(store, few):
    Prints(store, FAKE)
    before = files(store)
    add(store, music([7]))
    stored = Prints(store, FAKE)
    assert before < files(store)  # the centres stay; the new fragment's prints are put into their cells
    assert found(stored, noisy(music([7])["r7"][1:]))[0][:2] == ("r7", 1)
    with store.lock():
        store.forget(["/r3.wav"])
        store.sweep()
    pruned = Prints(store, FAKE)
    assert "r3" not in pruned.ids
    assert len(pruned) == len(stored) - LENGTHS[3]
    assert found(pruned, noisy(music()["r3"][:CLIP])) == []
    assert found(pruned, noisy(music()["r5"][:CLIP]))[0][:2] == ("r5", 0)
    fragments = len(store.windows(FakePrintEar.name).get_fragments())
    assert len(files(store)) == 2 * fragments + 1
    add(store, {f"r{seed}": walk(seed, 300) for seed in range(8, 13)})
    grown = Prints(store, FAKE).cells
    assert grown
    assert len(grown.centres) == 32  # made anew for four times as many
    assert sum(name.startswith("cells-") for name in files(store)) == 1


def test_the_cache_is_read_and_can_be_deleted(store, few, monkeypatch):
    first = Prints(store, FAKE)
    monkeypatch.setattr(prints, "_encoded", lambda *_: pytest.fail("it is in the cache"))
    again = Prints(store, FAKE)
    np.testing.assert_array_equal(first.codes, again.codes)
    assert first.cells
    assert again.cells
    np.testing.assert_array_equal(first.cells.members, again.cells.members)
    monkeypatch.undo()
    for path in Path(store.path / "cache").rglob("*.npz"):
        path.unlink()
    np.testing.assert_array_equal(Prints(store, FAKE).codes, first.codes)


def test_a_library_whose_recordings_are_all_pruned_finds_nothing(store):
    with store.lock():
        store.forget([f"/r{seed}.wav" for seed in range(6)])
        store.sweep()
    stored = Prints(store, FAKE)
    assert len(stored) == 0
    assert found(stored, walk(0, CLIP)) == []


def test_the_step_of_the_codes_cuts_off_next_to_nothing_of_real_prints():
    ear = open_ear(EAR)
    assert isinstance(ear, PrintEar)
    heard = ear.prints_of(read(MUSIC, ear.sample_rate)[0])
    codes = encode(heard, prints.STEP)
    assert np.mean((codes == 1) | (codes == 255)) < 1e-4
