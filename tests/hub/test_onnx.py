import numpy as np
import pytest

from auricle.errors import WeightsError
from auricle.hub import session


@pytest.fixture
def doubling(tmp_path):
    import onnx
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "doubling",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
    )
    path = tmp_path / "doubling.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def test_a_graph_runs_for_any_batch(doubling):
    run = session(doubling)
    for n in (1, 5, 2):
        x = np.arange(n, dtype=np.float32)
        assert run.run(None, {"x": x})[0] == pytest.approx(2 * x)
    assert run.get_session_options().intra_op_num_threads == 1


def test_what_cannot_be_run_is_a_weights_error(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.onnx cannot be run"):
        session(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("not a graph")
    with pytest.raises(WeightsError, match=r"text\.onnx cannot be run"):
        session(tmp_path / "text.onnx")
