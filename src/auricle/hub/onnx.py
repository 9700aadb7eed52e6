"""ONNX Runtime sessions, set for many small processes side by side instead of one large one."""

from os import PathLike, fspath
from typing import TYPE_CHECKING

from auricle.errors import WeightsError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def session(path: str | PathLike[str], threads: int = 1) -> "InferenceSession":
    """Opens the ONNX graph in ``path`` for the CPU; the same input gives the same output in every run.

    Args:
        path: a graph; tensors kept outside it must lie beside it under the names it gives.
        threads: for one operator. One per process is the fastest way to use every core on many files.

    Raises:
        WeightsError: the file is missing, or is not a graph that this ONNX Runtime can run.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 3  # errors only
    options.enable_mem_pattern = False  # it plans for one shape; batches differ in length
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads leave the core alone
    try:
        return onnxruntime.InferenceSession(fspath(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors share no base class of their own
        raise WeightsError(
            f"{fspath(path)} cannot be run: {str(error).strip() or type(error).__name__}",
            "Delete it to have it made again, or update onnxruntime",
        ) from error
