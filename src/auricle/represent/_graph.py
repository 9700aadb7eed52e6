"""Writing ONNX graphs operator by operator, for ears whose published weights come in another form."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

OPSET, IR_VERSION = 18, 8  # old enough for every ONNX Runtime that auricle runs on
Shape = Sequence[str | int]


class Graph:
    """A graph that grows by one operator at a time."""

    def __init__(self, name: str):
        self.name = name
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(self, operator: str, *inputs: str | NDArray[Any] | np.generic, output: str = "", **attributes: Any) -> str:
        """Appends an operator on tensors (by name) and constants; returns the name of its output."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = output or f"tensor{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, names, [output], **attributes))
        return output

    def cast(self, x: str | NDArray[Any], dtype: type[np.generic], output: str = "") -> str:
        return self.add("Cast", x, output=output, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def model(self, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape]) -> ModelProto:
        """The graph, checked; ``inputs`` and ``outputs`` give the shapes of float tensors, named axes for free ones."""
        heard, given = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in values.items()]
            for values in (inputs, outputs)
        )
        graph = helper.make_graph(self.nodes, self.name, heard, given, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        checker.check_model(model)
        return model

    def _constant(self, value: NDArray[Any] | np.generic) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), f"constant{len(self.constants)}"))
        return self.constants[-1].name
