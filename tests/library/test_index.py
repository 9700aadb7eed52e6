import numpy as np
import pytest
from tests.library.conftest import save, tone

from auricle.library import Library
from auricle.library.dots import dots
from auricle.library.index import SHORTLIST, Basis, Index


def brute(index, vector):
    """Cosine of every window to ``vector``, both taken from the mean, in table order."""
    embeddings = index.embeddings(np.arange(len(index)))
    centred = embeddings - index.basis.mean
    query = vector - index.basis.mean
    return centred @ query / np.maximum(np.linalg.norm(centred, axis=1) * np.linalg.norm(query), 1e-9)


def test_matrices_hold_what_the_table_holds(library):
    index = Index(library.store, library.ear)
    table = library.store.windows(library.ear).to_table()
    assert len(index) == table.num_rows
    assert [index.ids[i] for i in index.owner] == table["recording"].to_pylist()
    assert [index.times(i, i) for i in range(len(index))] == list(
        zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True)
    )
    codes = np.array(table["scores"].to_pylist(), np.uint8).T
    np.testing.assert_array_equal(index.codes_of([2, 0]), codes[[2, 0]])
    first, last = np.flatnonzero(index.owner == index.owner[3])[[0, -1]]
    np.testing.assert_array_equal(index.codes_at(first, last), codes[:, first : last + 1].T)


def test_exact_similarity_is_the_cosine(library):
    index = Index(library.store, library.ear)
    vector = index.embeddings(np.array([4]))[0]
    np.testing.assert_allclose(
        index.exact_similarity(vector[None], np.arange(len(index)))[0], brute(index, vector), atol=1e-5
    )
    assert index.exact_similarity(vector[None], np.array([4]))[0, 0] == pytest.approx(1, abs=1e-5)


def test_the_cache_grows_with_the_library_and_forgets_what_is_gone(library, sounds):
    before = {folder.name for folder in Index(library.store, library.ear).folder.iterdir() if folder.is_dir()}
    save(sounds / "new.wav", tone(2000, 30))
    library.index(sounds, workers=1)
    after = {folder.name for folder in Index(library.store, library.ear).folder.iterdir() if folder.is_dir()}
    assert before < after
    (sounds / "new.wav").unlink()
    library.index(sounds, workers=1)
    library.prune()
    index = Index(library.store, library.ear)
    assert len(index) == library.store.windows(library.ear).count_rows()
    assert len([folder for folder in index.folder.iterdir() if folder.is_dir()]) == len(index.segments)


def test_the_cache_can_be_deleted(library):
    import shutil

    first = Index(library.store, library.ear)
    vector = first.embeddings(np.array([0]))[0]
    (scores,) = first.similarity([vector])
    shutil.rmtree(library.path / "cache")
    np.testing.assert_array_equal(Index(library.store, library.ear).similarity([vector])[0], scores)


def test_shortlist_recall_on_clustered_vectors():
    """Sketches of 1,024-d vectors find the true ten nearest among 20,000."""
    rng = np.random.default_rng(0)
    centres = rng.gamma(0.3, 1.0, (400, 1024))
    vectors = (centres[rng.integers(0, 400, 20_000)] * rng.gamma(4, 0.25, (20_000, 1024))).astype(np.float32)
    basis = Basis.of(vectors[::4])
    chosen = rng.integers(0, 20_000, 20)
    near = dots(basis.sketch(vectors), basis.step, basis.project(vectors[chosen]))
    centred = vectors - basis.mean
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    recalls = []
    for row, scores in zip(chosen, near, strict=True):
        true = set(np.argpartition(-(centred @ centred[row]), 10)[:10])
        recalls.append(len(true & set(np.argpartition(-scores, SHORTLIST)[:SHORTLIST])) / 10)
    assert np.mean(recalls) >= 0.98


def test_a_tiny_library_can_be_scanned(tmp_path):
    save(tmp_path / "a.wav", tone(300, 0.2))
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "a.wav", workers=1)
    index = Index(library.store, library.ear)
    assert len(index) == 1
    assert index.similarity([index.embeddings(np.array([0]))[0]])[0][0] == pytest.approx(1, abs=5e-3)  # in 8 bits
