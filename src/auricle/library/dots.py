"""Dot products of very many vectors with a few, in 8 bits.

A quarter of the bytes of 32-bit vectors, and ONNX Runtime's integer kernels read them once for all queries: one million
vectors of 256 numbers take about 20 ms on one thread, for one query as for eight.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.hub.cache import make_once, weights_dir
from auricle.hub.onnx import session

ZERO = 128  # code of 0
REACH = 127  # codes on either side of it
QUERY_REACH = 63  # 255 * 63 * 2 still fits the 16 bits in which processors without VNNI add pairs of products

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def encode(vectors: Floats, step: float) -> Codes:
    """Codes of ``vectors`` in units of ``step``; what lies beyond 127 steps is cut off."""
    return (np.clip(np.rint(vectors / step), -REACH, REACH) + ZERO).astype(np.uint8)


def decode(codes: Codes, step: float) -> Floats:
    """The vectors that ``codes`` stand for, each number within half a ``step``."""
    return (codes.astype(np.float32) - ZERO) * np.float32(step)


def dots(codes: Codes, step: float, queries: Floats) -> Floats:
    """Dot product of each of ``queries`` [n, width] with each encoded vector [rows, width], as [n, rows]."""
    steps = np.abs(queries).max(axis=1) / QUERY_REACH
    steps[steps == 0] = 1
    rounded = np.rint(queries / steps[:, None]).astype(np.int8)
    units = (steps * step).astype(np.float32)[:, None]
    outputs: Any = _session().run(None, {"codes": codes, "queries": np.ascontiguousarray(rounded.T), "units": units})
    return outputs[0]


@cache
def _session():
    return session(make_once(weights_dir() / "dots-2.onnx", _write))


def _write(path: Path) -> None:
    """The graph of ``dots``: one integer matrix product, then its units."""
    from onnx import TensorProto, helper, save

    graph = helper.make_graph(
        [
            helper.make_node("MatMulInteger", ["codes", "queries", "zero"], ["whole"]),
            helper.make_node("Transpose", ["whole"], ["turned"], perm=[1, 0]),
            helper.make_node("Cast", ["turned"], ["real"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["real", "units"], ["products"]),
        ],
        "dots",
        [
            helper.make_tensor_value_info("codes", TensorProto.UINT8, ["rows", "width"]),
            helper.make_tensor_value_info("queries", TensorProto.INT8, ["width", "n"]),
            helper.make_tensor_value_info("units", TensorProto.FLOAT, ["n", 1]),
        ],
        [helper.make_tensor_value_info("products", TensorProto.FLOAT, ["n", "rows"])],
        [helper.make_tensor("zero", TensorProto.UINT8, [], [ZERO])],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
