import numpy as np
import pytest

from auricle.library.dots import decode, dots, encode


@pytest.mark.parametrize(("rows", "width", "n"), [(1, 1, 1), (7, 3, 2), (500, 256, 9)])
def test_products_are_those_of_the_vectors_to_within_the_rounding(rows, width, n):
    rng = np.random.default_rng(rows)
    vectors, queries = (rng.normal(size=(count, width)).astype(np.float32) for count in (rows, n))
    step = float(np.abs(vectors).max() / 127)
    codes = encode(vectors, step)
    assert np.abs(decode(codes, step) - vectors).max() <= step / 2 * 1.001
    rounding = (
        np.abs(queries).max() / 63 / 2 * np.abs(vectors).sum(axis=1).max() + step / 2 * np.abs(queries).sum(1).max()
    )
    np.testing.assert_allclose(dots(codes, step, queries), queries @ vectors.T, atol=rounding)


def test_sums_that_pairs_of_products_could_overflow_are_whole():
    codes, query = np.full((4, 256), 255, np.uint8), np.ones((1, 256), np.float32)
    np.testing.assert_allclose(dots(codes, 1.0, query), 127 * 256, rtol=1e-6)


def test_a_query_of_zeros_scores_nothing():
    assert not dots(np.full((3, 8), 200, np.uint8), 0.1, np.zeros((2, 8), np.float32)).any()


def test_what_lies_beyond_the_steps_is_cut_off():
    np.testing.assert_allclose(decode(encode(np.array([[9.0, -9.0]], np.float32), 0.01), 0.01), [[1.27, -1.27]])
