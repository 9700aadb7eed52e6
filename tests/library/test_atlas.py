import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from tests.library.conftest import save, tone

from auricle.errors import QueryError
from auricle.library import Library, umap
from auricle.library import atlas as module
from auricle.library.atlas import NONE, OTHER, atlas, cached

KINDS = {"low": 120.0, "middle": 800.0, "high": 4000.0}


def clouds(kinds: int, each: int, dim: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors in a few clouds, and the cloud of each."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(kinds, dim))
    kind = np.repeat(np.arange(kinds), each)
    vectors = centres[kind] + 0.3 * random.normal(size=(kinds * each, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), kind


# --- the layout ------------------------------------------------------------------------------------------------------


def test_neighbours_are_the_nearest():
    vectors, _ = clouds(4, 50)
    near, distance = umap.neighbours(vectors, vectors, 7, skip_self=True)
    true = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    np.fill_diagonal(true, np.inf)
    np.testing.assert_array_equal(near, np.argsort(true, axis=1)[:, :7])
    np.testing.assert_allclose(distance, np.sort(true, axis=1)[:, :7], atol=1e-3)


def test_the_graph_is_that_of_the_paper():
    """Slowly, from the definitions: rho is the nearest distance, sigma makes the certainties sum to log2(k)."""
    vectors, _ = clouds(3, 20)
    near, distance = umap.neighbours(vectors, vectors, 6, skip_self=True)
    certain = np.zeros((60, 60))
    for i in range(60):
        low, high = 1e-6, 1e3
        for _ in range(200):
            sigma = (low + high) / 2
            weights = np.exp(-np.maximum(distance[i] - distance[i, 0], 0) / sigma)
            low, high = (low, sigma) if weights.sum() > np.log2(7) else (sigma, high)
        certain[i, near[i]] = weights
    either = certain + certain.T - certain * certain.T
    heads, tails, weights = umap._graph(near, distance)
    found = np.zeros((60, 60))
    found[heads, tails] = weights
    np.testing.assert_allclose(found, either, atol=2e-3)


def test_forces_are_gradients():
    """Of the log-likelihoods that an edge is there, and that it is not."""

    def likely(apart):
        return 1 / (1 + umap.A * (apart @ apart) ** umap.B)

    step = 1e-5
    for apart in np.random.default_rng(0).normal(size=(20, 2)) * 2:
        sides = [(apart + step * axis, apart - step * axis) for axis in np.eye(2)]
        towards = [(np.log(likely(a)) - np.log(likely(b))) / (2 * step) for a, b in sides]
        away = [(np.log(1 - likely(a)) - np.log(1 - likely(b))) / (2 * step) for a, b in sides]
        np.testing.assert_allclose(umap._attraction(apart[None])[0], np.clip(towards, -4, 4), rtol=1e-3)
        np.testing.assert_allclose(umap._repulsion(apart[None])[0], np.clip(away, -4, 4), rtol=0.05, atol=0.01)


def test_neighbours_stay_neighbours_and_clouds_apart():
    vectors, kind = clouds(6, 60)
    told = []
    points = umap.layout(vectors, progress=told.append)
    assert trustworthiness(vectors, points, n_neighbors=10) > 0.93
    near, _ = umap.neighbours(points, points, 10, skip_self=True)
    assert (kind[near] == kind[:, None]).mean() > 0.98
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_the_same_vectors_and_seed_give_the_same_points():
    vectors, _ = clouds(3, 30)
    np.testing.assert_array_equal(umap.layout(vectors), umap.layout(vectors))
    assert not np.array_equal(umap.layout(vectors), umap.layout(vectors, seed=1))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 20])
def test_any_number_of_points_has_a_place(count):
    vectors, _ = clouds(1, count) if count else (np.zeros((0, 24), np.float32), None)
    points = umap.layout(vectors)
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
    equal = umap.layout(np.ones((count, 24), np.float32))
    assert np.isfinite(equal).all()


# --- the library -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mapped(tmp_path_factory) -> Library:
    """Four recordings each of low, middle and high tones, and one with two of them."""
    folder = tmp_path_factory.mktemp("mapped")
    for kind, hertz in KINDS.items():
        for i in range(4):
            save(folder / "sounds" / kind / "sub" / f"{i}.wav", tone(hertz * (1 + 0.03 * i), 4.0 + i))
    save(folder / "sounds" / "both.wav", np.concatenate([tone(120, 5), tone(4000, 5)]))
    library = Library(folder / "library", ear="fake_ear")
    library.index(folder / "sounds", workers=1)
    return library


def drawn(library: Library, **options) -> module.Atlas:
    return atlas(library.store, library.searcher.index, library.listener.classes, **options)


def forget(library: Library) -> None:
    for file in (library.path / "cache").glob("atlas_*"):
        file.unlink()


def test_a_small_library_shows_its_windows(mapped):
    forget(mapped)
    index = mapped.searcher.index
    told = []
    assert not cached(mapped.store, index)
    map = drawn(mapped, progress=told.append)
    assert cached(mapped.store, index)
    assert told
    assert len(map.points) == len(index) == len(map.colour)
    assert np.abs(map.points).max() == pytest.approx(1)
    assert set(map.colours) >= {"Low tone", "Middle tone", "High tone"}
    for point in range(0, len(map.points), 7):
        path = mapped.store.rows_by("id", [map.recordings[map.recording[point]]]).popitem()[1]["path"]
        kind = next((kind for kind in KINDS if f"/{kind}/" in path), None)
        if kind:
            assert map.colours[map.colour[point]] == f"{kind.capitalize()} tone"
    both = next(r.id for r in mapped.recordings() if "both" in r.path)
    here = map.recording == map.recordings.index(both)
    assert {map.colours[c] for c in map.colour[here]} >= {"Low tone", "High tone"}  # a window has its own colour
    assert (map.end[here] - map.start[here]).max() < 1.0


def test_an_ear_without_classes_has_a_map_without_tags(mapped):
    library = Library(mapped.path.parent / "prints", ear="moco_fingerprint")
    library.index(mapped.path.parent / "sounds", workers=1)
    map = drawn(library)
    assert len(map.points) == len(library.searcher.index)
    assert list(map.colours) == [NONE]


def test_many_recordings_have_a_point_each(mapped, monkeypatch):
    monkeypatch.setattr(module, "FEW", 5)
    forget(mapped)
    map = drawn(mapped)
    assert sorted(map.recordings) == sorted(r.id for r in mapped.recordings())
    assert len(map.points) == 13
    durations = {r.id: r.duration for r in mapped.recordings()}
    assert [durations[map.recordings[i]] for i in map.recording] == pytest.approx(map.end.tolist(), abs=0.01)
    first = {r.id: r.tags[0].label for r in mapped.recordings()}
    assert [map.colours[c] for c in map.colour] == [first[map.recordings[i]] for i in map.recording]
    forget(mapped)
    np.testing.assert_array_equal(drawn(mapped).points, map.points)


def test_a_map_is_made_once_and_again_when_something_new_was_heard(mapped, tmp_path, monkeypatch):
    forget(mapped)
    first = drawn(mapped)
    monkeypatch.setattr(umap, "layout", None)
    np.testing.assert_array_equal(drawn(mapped).points, first.points)
    monkeypatch.undo()
    other = Library(tmp_path / "library", ear="fake_ear")
    other.index(mapped.store.roots[0], workers=1)
    before = drawn(other)
    save(tmp_path / "more" / "new.wav", tone(300, 3))
    other.index(tmp_path / "more", workers=1)
    assert not cached(other.store, other.searcher.index)
    assert len(drawn(other).recordings) == len(before.recordings) + 1
    other.store.forget([str(tmp_path / "more" / "new.wav")])  # its windows are still there
    after = drawn(other)
    assert sorted(after.recordings) == sorted(before.recordings)
    assert after.recording.max() == len(after.recordings) - 1


def test_colours_by_folder(mapped):
    map = drawn(mapped, colour="folder")
    assert set(map.colours) == {"sounds", "sounds/low", "sounds/middle", "sounds/high"}
    for point, recording in enumerate(map.recording):
        path = mapped.store.rows_by("id", [map.recordings[recording]]).popitem()[1]["path"]
        assert f"/{map.colours[map.colour[point]]}/" in path
    with pytest.raises(QueryError, match="colour"):
        drawn(mapped, colour="mood")


def test_small_groups_share_a_colour():
    names, colours = module._grouped([f"tag {i % 20}" for i in range(50)] + [NONE] + ["tag 3"] * 9)
    assert len(names) == module.COLOURS + 2
    assert names[0] == "tag 3"
    assert names[-2:] == (OTHER, NONE)
    assert names[colours[3]] == "tag 3"
    assert names[colours[50]] == NONE
    assert names[colours[19]] == OTHER
    assert module._grouped([]) == ((), pytest.approx(np.zeros(0)))


def test_what_is_not_laid_out_is_placed_among_its_like():
    vectors, kind = clouds(5, 80)
    laid = np.arange(0, 400, 4)
    others = np.setdiff1d(np.arange(400), laid)
    points = umap.layout(vectors[laid])
    placed = module._among(vectors[others], vectors[laid], points)
    near, _ = umap.neighbours(placed, points, 5)
    assert (kind[laid][near] == kind[others][:, None]).mean() > 0.95
    np.testing.assert_allclose(module._among(vectors[laid], vectors[laid], points), points, atol=1e-2)


def test_an_empty_library_has_an_empty_map(tmp_path):
    library = Library(tmp_path / "library", ear="fake_ear")
    (tmp_path / "nothing").mkdir()
    library.index(tmp_path / "nothing", workers=1)
    map = drawn(library)
    assert len(map.points) == len(map.recordings) == len(map.colours) == 0
