import numpy as np
import pyarrow as pa
import pytest

from auricle.library.store import windows_schema
from auricle.library.vectors import Vectors

lance = pytest.importorskip("lance")


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(700, 256)).astype(np.float16)


@pytest.fixture
def dataset(rows, tmp_path):
    columns = [
        pa.array(["a"] * len(rows)),
        pa.array(np.arange(len(rows), dtype=float)),
        pa.array(np.arange(len(rows), dtype=float)),
        pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1]),
    ]
    table = pa.table(columns, schema=windows_schema(rows.shape[1], 0))
    return lance.write_dataset(table, str(tmp_path / "windows.lance"), max_rows_per_file=500)


def test_rows_are_read_from_the_file_as_lance_reads_them(dataset, rows):
    first, second = (Vectors(dataset, fragment, "embedding") for fragment in dataset.get_fragments())
    assert first.mapped
    wanted = np.array([3, 499, 0, 3])
    np.testing.assert_array_equal(first[wanted], rows[wanted])
    np.testing.assert_array_equal(second[np.array([199, 7])], rows[[699, 507]])


def test_deleted_rows_do_not_count(dataset, rows):
    dataset.delete("start < 10")
    vectors = Vectors(dataset, dataset.get_fragments()[0], "embedding")
    assert not vectors.mapped
    np.testing.assert_array_equal(vectors[np.array([489, 0, 489])], rows[[499, 10, 499]])


def test_another_layout_is_left_to_lance(dataset, rows, monkeypatch):
    shifted = [page[::-1] for page in Vectors(dataset, dataset.get_fragments()[0], "embedding")._pages]
    monkeypatch.setattr(Vectors, "_mapped", lambda self, dataset: shifted)
    vectors = Vectors(dataset, dataset.get_fragments()[0], "embedding")
    assert not vectors.mapped
    np.testing.assert_array_equal(vectors[np.array([1, 2])], rows[[1, 2]])
