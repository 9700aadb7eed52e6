"""The vectors of a fragment, read where they lie: a random row costs a copy instead of a query.

Lance keeps a column of vectors without nulls as one row after another, page by page, in the fragment's data file. That
is how its format is today, not a promise, so what is mapped is compared with what Lance itself reads, and where they
differ, or the layout is another, Lance reads every time.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CHECKED = 8  # rows compared


class Vectors:
    """A column of fixed-size lists of one fragment [rows, dim]."""

    def __init__(self, dataset: Any, fragment: Any, column: str):
        self._fragment, self._column = fragment, column
        self._pages, self._bounds = self._mapped(dataset), np.zeros(1, np.int64)
        if self._pages is not None:
            self._bounds = np.cumsum([0, *map(len, self._pages)])
            rows = np.unique(np.linspace(0, fragment.count_rows() - 1, CHECKED).astype(np.int64))
            if not np.array_equal(self[rows], self._read(rows)):
                self._pages = None

    @property
    def mapped(self) -> bool:
        """Whether rows are read where they lie."""
        return self._pages is not None

    def __getitem__(self, rows: NDArray[np.integer]) -> NDArray:
        """Some rows, in any order [n, dim]."""
        if self._pages is None:
            return self._read(rows)
        page = np.searchsorted(self._bounds, rows, side="right") - 1
        found = np.empty((len(rows), self._pages[0].shape[1]), self._pages[0].dtype)
        for p in np.unique(page):
            here = page == p
            found[here] = self._pages[p][rows[here] - self._bounds[p]]
        return found

    def between(self, first: int, after: int) -> NDArray:
        """Rows ``first`` to ``after`` - 1 [n, dim]."""
        if self._pages is not None:
            page = int(np.searchsorted(self._bounds, first, side="right")) - 1
            if after <= self._bounds[page + 1]:
                return self._pages[page][first - self._bounds[page] : after - self._bounds[page]]
        return self[np.arange(first, after)]

    def _read(self, rows: NDArray[np.integer]) -> NDArray:
        rising, place = np.unique(rows, return_inverse=True)  # Lance takes rows in rising order alone
        return matrix(self._fragment.take(rising.tolist(), columns=[self._column])[self._column])[place]

    def _mapped(self, dataset: Any) -> list[NDArray] | None:
        """The column's pages, mapped; None where its rows do not lie bare, or not all of them count."""
        from lance.file import LanceFileReader

        if self._fragment.metadata.deletion_file is not None:
            return None
        field = dataset.lance_schema.field(self._column).id()
        kind = dataset.schema.field(self._column).type
        dtype = np.dtype(kind.value_type.to_pandas_dtype())
        size = dtype.itemsize * kind.list_size  # bytes of a row
        for file in self._fragment.metadata.files:
            if field in file.fields:
                path = Path(dataset.uri) / "data" / file.path
                column = LanceFileReader(str(path)).metadata().columns[file.column_indices[file.fields.index(field)]]
                buffers = [buffer for page in column.pages for buffer in page.buffers]
                if sum(buffer.size for buffer in buffers) != size * self._fragment.count_rows():
                    return None
                pages = (np.memmap(path, dtype, "r", b.position, (b.size // size, kind.list_size)) for b in buffers)
                return [np.asarray(page) for page in pages]  # indexing a memmap itself takes ten times as long
        return None


def matrix(column) -> NDArray:
    """A fixed-size-list column as a matrix [rows, size]."""
    column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    return column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), column.type.list_size)


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors [..., dim] at unit length; those of no length stay so."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
